// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @notice The cheat codes in use: Halmos answers the first, forge all.
interface Vm {
    function assume(bool condition) external pure;
    function chainId(uint256 id) external;
    function envString(string calldata name) external view returns (string memory);
    function getCode(string calldata artifact) external view returns (bytes memory);
    function prank(address caller) external;
    function warp(uint256 time) external;

    function deal(address account, uint256 wei_) external;
    function deleteStateSnapshots() external;
    function envUint(string calldata name) external view returns (uint256);
    function parseBytes(string calldata text) external pure returns (bytes memory);
    function prank(address caller, address origin) external;
    function readLine(string calldata path) external view returns (string memory);
    function revertToState(uint256 id) external returns (bool);
    function revertToStateAndDelete(uint256 id) external returns (bool);
    function setNonceUnsafe(address account, uint64 nonce) external;
    function snapshotState() external returns (uint256);
    function store(address account, bytes32 slot, bytes32 value) external;
}

Vm constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));
