// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IGate} from "contracts/interfaces/IGate.sol";
import {IRegistry, Kind} from "contracts/interfaces/IRegistry.sol";
import {Shared} from "contracts/Shared.sol";
import {State} from "contracts/State.sol";
import {Code} from "./Code.sol";
import {vm} from "./Vm.sol";

/// @notice An operator that is a contract and signs whatever it is asked about.
contract Willing {
    function isValidSignature(bytes32, bytes calldata) external pure returns (bytes4) {
        return 0x1626ba7e;
    }
}

/// @notice One part more: knows a model without signatures, of which Halmos would follow every way to be valid.
contract Preset is State, Shared {
    constructor(address manager, address next) State(manager) Shared(next) {}

    function preset(bytes32 model) external {
        (_models[model].active, _models[model].revision, _models[model].number) = (true, 1, ++_settings.models);
    }
}

/// @notice A gate with three operators, of whom two have to agree; every specification starts here. The contract itself
/// governs, without a delay.
abstract contract Scene is Code {
    uint8 internal constant AGENT = 1;
    uint8 internal constant OPERATOR = 2;
    uint8 internal constant GUARDIAN = 4;
    uint8 internal constant ENFORCER = 8;

    uint256 internal constant NOW = 1_900_000_800;
    uint256 internal constant YEAR = 365 days;
    uint24 internal constant MAX_PENDING = 900;
    uint24 internal constant MAX_TTL = 3600;
    uint8 internal constant QUORUM = 2;
    bytes32 internal constant MODEL = bytes32(uint256(1));
    bytes32 internal constant WEB = keccak256("web");
    bytes32 internal constant MAIL = keccak256("mail");
    bytes32 internal constant GATEWAY = keccak256("gateway"); // protected
    bytes32 internal constant KEY = keccak256("ssh:deploy");
    bytes32 internal constant SAFE_KEY = keccak256("ssh:break-glass"); // protected
    uint256 internal constant SAFE_V4 = 0xC63364; // 198.51.100.0/24
    uint256 internal constant SAFE_V6 = 0x20010db80001; // 2001:db8:1::/48

    address internal constant agent = address(0xA1);
    address internal constant guardian = address(0x61);
    address internal constant enforcer = address(0xE1);

    IGate internal gate;
    address[3] internal operators;

    // ============ Setting ============

    function setUp() public virtual {
        vm.warp(NOW);
        address manager = created("AccessManager", abi.encode(address(this)));
        address part = created("Office", abi.encode(manager));
        part = created("Docket", abi.encode(manager, part));
        part = created("Desk", abi.encode(manager, part));
        part = address(new Preset(manager, part));
        gate = IGate(created("Gate", abi.encode(manager, part)));
        Preset(address(gate)).preset(MODEL);
        gate.setLimits(IRegistry.Limits(3600, MAX_PENDING, 1 days, 120, QUORUM, QUORUM, QUORUM));
        gate.setRoles(agent, AGENT, 0);
        gate.setRoles(guardian, GUARDIAN, 0);
        gate.setRoles(enforcer, ENFORCER, 0);
        gate.setEnforcerScope(enforcer, 7, "");
        for (uint256 i = 0; i < 3; ++i) {
            operators[i] = address(new Willing());
            gate.setRoles(operators[i], OPERATOR, i == 2 ? 1 : 0);
        }
        gate.setRule(Kind.BLOCK, 0, rule());
        gate.setRule(Kind.ISOLATE, 0, rule());
        gate.setRule(Kind.REVOKE, 0, rule());
        gate.setZone("dmz", IRegistry.ZoneRule(100, 0, 0, 0, 0, 0));
        setAsset("web", false);
        setAsset("mail", false);
        setAsset("gateway", true);
        setCredential("ssh:deploy", false);
        setCredential("ssh:break-glass", true);
        protect(4, 24, SAFE_V4 << 8);
        protect(6, 48, SAFE_V6 << 80);
    }

    function rule() internal pure returns (IRegistry.Rule memory) {
        return IRegistry.Rule(true, true, QUORUM, 0, 0, MAX_TTL, 50, 50);
    }

    function setAsset(string memory id, bool isProtected) internal {
        setAssetIn(id, "", isProtected);
    }

    function setAssetIn(string memory id, string memory pool, bool isProtected) internal {
        IRegistry.AssetEntry[] memory entries = new IRegistry.AssetEntry[](1);
        entries[0] = IRegistry.AssetEntry(id, "dmz", pool, 0, isProtected);
        gate.setAssets(entries);
    }

    function setCredential(string memory id, bool isProtected) internal {
        IRegistry.CredentialEntry[] memory entries = new IRegistry.CredentialEntry[](1);
        entries[0] = IRegistry.CredentialEntry(id, "ops", 0, isProtected);
        gate.setCredentials(entries);
    }

    function network(uint256 family, uint256 prefix, uint256 host) internal pure returns (bytes32) {
        return bytes32((family << 136) | (prefix << 128) | host);
    }

    function protect(uint256 family, uint256 prefix, uint256 host) internal {
        bytes32[] memory networks = new bytes32[](1);
        networks[0] = network(family, prefix, host);
        gate.setProtectedNetworks(networks, true);
    }

    // ============ Doing ============

    function proposalOf(Kind kind, bytes32 target, uint32 ttl, uint256 nonce)
        internal
        view
        returns (IGate.Proposal memory)
    {
        return IGate.Proposal(kind, target, ttl, MODEL, 0, uint64(block.timestamp + MAX_PENDING), agent, nonce);
    }

    function batchOf(Kind kind, bytes32 zone, uint256[] memory targets) internal view returns (IGate.Batch memory) {
        uint64 deadline = uint64(block.timestamp + MAX_PENDING);
        return IGate.Batch(kind, zone, 0, targets, 60, MODEL, 0, deadline, agent, 1);
    }

    function isolation(uint32 ttl, uint256 nonce) internal view returns (IGate.Proposal memory) {
        return proposalOf(Kind.ISOLATE, WEB, ttl, nonce);
    }

    function propose(IGate.Proposal memory proposal) internal {
        vm.prank(agent);
        gate.propose(proposal);
    }

    function approve(IGate.Proposal memory proposal, address operator) internal {
        vm.prank(operator);
        gate.approve(proposal);
    }

    /// @dev Proposed, and approved by the two of the first group.
    function agree(IGate.Proposal memory proposal) internal {
        propose(proposal);
        approve(proposal, operators[0]);
        approve(proposal, operators[1]);
    }

    function order(IGate.Proposal memory proposal) internal {
        agree(proposal);
        gate.execute(proposal);
    }

    function grantLease(uint32 isolations) internal {
        IGate.Lease memory lease =
            IGate.Lease(agent, MODEL, 9, isolations, 9, 3, MAX_TTL, uint64(block.timestamp + 3600), 1);
        gate.grantLease(lease, signedBy(operators[0], operators[1]));
    }

    function signedBy(address one, address other) internal pure returns (IGate.Signature[] memory signatures) {
        signatures = new IGate.Signature[](2);
        signatures[0] = IGate.Signature(one, "yes");
        signatures[1] = IGate.Signature(other, "yes");
    }

    // ============ Asking ============

    /// @return signatures any two: `r` and `vs` of one, then of the other
    function anyTwo(bytes32[4] memory words) internal pure returns (IGate.CompactSignature[] memory signatures) {
        signatures = new IGate.CompactSignature[](2);
        signatures[0] = IGate.CompactSignature(words[0], words[1]);
        signatures[1] = IGate.CompactSignature(words[2], words[3]);
    }

    /// @return whether these are of two operators over this digest
    function areOfTwo(bytes32 digest, IGate.CompactSignature[] memory signatures) internal view returns (bool) {
        address one = signerOf(digest, signatures[0]);
        address other = signerOf(digest, signatures[1]);
        return isOperator(one) && isOperator(other) && one != other;
    }

    function signerOf(bytes32 digest, IGate.CompactSignature memory signature) private pure returns (address) {
        uint256 vs = uint256(signature.vs);
        return ecrecover(digest, uint8(27 + (vs >> 255)), signature.r, bytes32(vs & (type(uint256).max >> 1)));
    }

    /// @return whether the gate takes this call from `caller`
    function takes(address caller, bytes memory data) internal returns (bool) {
        vm.prank(caller);
        (bool taken,) = address(gate).call(data);
        return taken;
    }

    function isOperator(address account) internal view returns (bool) {
        return account == operators[0] || account == operators[1] || account == operators[2];
    }

    function later(uint256 time) internal {
        vm.assume(time >= NOW && time < NOW + YEAR);
        vm.warp(time);
    }
}
