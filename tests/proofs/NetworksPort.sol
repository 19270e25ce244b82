// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Networks} from "contracts/Networks.sol";

/// @notice The library has no address of its own; so its code, compiled as the gate's is, can be asked here.
contract NetworksPort {
    function family(bytes32 network) external pure returns (uint256) {
        return Networks.family(network);
    }

    function prefixOf(bytes32 network) external pure returns (uint256) {
        return Networks.prefixOf(network);
    }

    function width(bytes32 network) external pure returns (uint256) {
        return Networks.width(network);
    }

    function isCanonical(bytes32 network) external pure returns (bool) {
        return Networks.isCanonical(network);
    }

    function widen(bytes32 network, uint256 prefix) external pure returns (bytes32) {
        return Networks.widen(network, prefix);
    }

    function overlap(bytes32 one, bytes32 other) external pure returns (bool) {
        return Networks.overlap(one, other);
    }

    function overlapShort(bytes32 one, uint256 short) external pure returns (bool) {
        return Networks.overlapShort(one, short);
    }

    function criticality(bytes32 network) external pure returns (uint8) {
        return Networks.criticality(network);
    }

    function shorten(bytes32 network) external pure returns (uint40) {
        return Networks.shorten(network);
    }

    function lengthen(uint40 short) external pure returns (bytes32) {
        return Networks.lengthen(short);
    }
}
