// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IGate, Status} from "contracts/interfaces/IGate.sol";
import {IRegistry, Kind} from "contracts/interfaces/IRegistry.sol";
import {Scene} from "./Scene.sol";
import {vm} from "./Vm.sol";

/// @notice What was stopped never executes; what is protected is never ordered against.
contract StopsSpec is Scene {
    // ============ Stopped ============

    function check_what_is_vetoed_never_executes(address caller, uint256 time, bool early) external {
        IGate.Proposal memory proposal = isolation(60, 1);
        if (!early) agree(proposal);
        vm.prank(guardian);
        gate.veto(proposal);
        later(time);
        assert(!takes(caller, abi.encodeCall(IGate.execute, (proposal))));
        assert(!takes(agent, abi.encodeCall(IGate.propose, (proposal))));
    }

    /// @notice Also what is approved, where as many reject it as have to approve.
    function check_what_is_rejected_never_executes(bool[3] memory against, bool alone, address caller) external {
        IRegistry.Rule memory rule_ = rule();
        rule_.quorum = alone ? 1 : QUORUM;
        gate.setRule(Kind.ISOLATE, 0, rule_);
        IGate.Proposal memory proposal = isolation(60, 1);
        propose(proposal);
        uint256[2] memory votes; // for and against
        for (uint256 i = 0; i < 3; ++i) {
            bytes memory data = against[i]
                ? abi.encodeCall(IGate.reject, (proposal))
                : abi.encodeCall(IGate.approve, (proposal));
            bool taken = takes(operators[i], data);
            assert(taken == (votes[1] < rule_.quorum));
            if (taken) ++votes[against[i] ? 1 : 0];
        }
        bool executes = votes[0] >= rule_.quorum && votes[1] < rule_.quorum;
        assert(takes(caller, abi.encodeCall(IGate.execute, (proposal))) == executes);
    }

    function check_a_withdrawn_vote_counts_no_more(bool first, bytes memory data) external {
        address operator = first ? operators[0] : operators[1];
        IGate.Proposal memory proposal = isolation(60, 1);
        agree(proposal);
        vm.prank(operator);
        gate.withdraw(proposal);
        IGate.Signature[] memory signatures = new IGate.Signature[](1);
        signatures[0] = IGate.Signature(operator, data);
        assert(!takes(guardian, abi.encodeCall(IGate.approveBySig, (proposal, signatures))));
        assert(!takes(guardian, abi.encodeCall(IGate.execute, (proposal))));
    }

    function check_the_revoked_execute_nothing(address caller, bool model) external {
        IGate.Proposal memory proposal = isolation(60, 1);
        agree(proposal);
        if (model) {
            vm.prank(guardian);
            gate.deactivateModel(MODEL);
        } else {
            gate.setRoles(agent, 0, 0);
        }
        assert(!takes(caller, abi.encodeCall(IGate.execute, (proposal))));
        proposal.nonce = 2;
        assert(!takes(agent, abi.encodeCall(IGate.propose, (proposal))));
    }

    function check_a_pause_stops_all(uint32 ttl, uint256 nonce) external {
        grantLease(5);
        vm.prank(guardian);
        gate.pause();
        bytes32 address_ = network(4, 32, 0xCB007109);
        assert(!takes(agent, abi.encodeCall(IGate.propose, (proposalOf(Kind.BLOCK, address_, ttl, nonce)))));
        assert(!takes(agent, abi.encodeCall(IGate.propose, (proposalOf(Kind.ISOLATE, WEB, ttl, nonce)))));
        assert(!takes(agent, abi.encodeCall(IGate.propose, (proposalOf(Kind.REVOKE, KEY, ttl, nonce)))));
    }

    function check_a_pause_lasts_until_a_quorum_ends_it(address caller, address one, address other) external {
        vm.prank(guardian);
        gate.pause();
        bool taken = takes(caller, abi.encodeCall(IGate.resume, (signedBy(one, other))));
        assert(!taken || (isOperator(one) && isOperator(other) && one != other));
        assert(takes(agent, abi.encodeCall(IGate.propose, (isolation(60, 1)))) == taken);
    }

    function check_a_pause_holds_what_is_approved(address caller, uint256 time) external {
        IGate.Proposal memory proposal = isolation(60, 1);
        agree(proposal);
        vm.prank(guardian);
        gate.pause();
        later(time);
        assert(!takes(caller, abi.encodeCall(IGate.execute, (proposal))));
    }

    // ============ Released ============

    function check_a_release_needs_a_quorum(address caller, address one, address other) external {
        IGate.Proposal memory proposal = isolation(60, 1);
        order(proposal);
        bool taken = takes(caller, abi.encodeCall(IGate.release, (proposal, signedBy(one, other))));
        assert(!taken || (isOperator(one) && isOperator(other) && one != other));
        assert(gate.isIsolated(WEB) == !taken);
    }

    // ============ Protected ============

    function check_no_protected_address_is_blocked(bytes32 target, uint32 ttl, uint32 host) external {
        vm.assume(uint256(target) >> 136 == 4);
        grantLease(1);
        IGate.Proposal memory proposal = proposalOf(Kind.BLOCK, target, ttl, 1);
        bool taken = takes(agent, abi.encodeCall(IGate.propose, (proposal)));
        vm.assume(host >> 8 == SAFE_V4);
        uint256 free = 32 - uint256(uint8(uint256(target) >> 128));
        assert(!taken || uint256(host) >> free != uint256(uint128(uint256(target))) >> free);
    }

    function check_no_protected_address_of_ipv6_is_blocked(bytes32 target, uint32 ttl, uint128 host) external {
        vm.assume(uint256(target) >> 136 == 6);
        grantLease(1);
        IGate.Proposal memory proposal = proposalOf(Kind.BLOCK, target, ttl, 1);
        bool taken = takes(agent, abi.encodeCall(IGate.propose, (proposal)));
        vm.assume(host >> 80 == SAFE_V6);
        uint256 free = 128 - uint256(uint8(uint256(target) >> 128));
        assert(!taken || uint256(host) >> free != uint256(uint128(uint256(target))) >> free);
    }

    function check_nothing_protected_is_ordered(uint32 ttl, uint64 deadline, uint256 nonce, bool asset) external {
        grantLease(1);
        IGate.Proposal memory proposal = asset ? isolation(ttl, nonce) : proposalOf(Kind.REVOKE, SAFE_KEY, ttl, nonce);
        if (asset) proposal.target = GATEWAY;
        proposal.deadline = deadline;
        assert(!takes(agent, abi.encodeCall(IGate.propose, (proposal))));
    }

    function check_nothing_protected_is_signed(bytes32[4] memory words, bool asset) external {
        IGate.Proposal memory proposal = proposalOf(Kind.REVOKE, SAFE_KEY, 60, 1);
        if (asset) (proposal.kind, proposal.target) = (Kind.ISOLATE, GATEWAY);
        assert(!takes(agent, abi.encodeCall(IGate.proposeApproved, (proposal, anyTwo(words)))));
    }

    function check_nothing_protected_is_in_a_batch(bytes32[4] memory words, bool asset) external {
        uint256[] memory targets = new uint256[](1);
        targets[0] = asset ? 7 : uint256(SAFE_KEY); // all of the page, the gateway among them
        IGate.Batch memory batch = asset
            ? batchOf(Kind.ISOLATE, keccak256("dmz"), targets)
            : batchOf(Kind.REVOKE, 0, targets);
        bytes32[][] memory names = asset ? page() : new bytes32[][](0);
        assert(!takes(agent, abi.encodeCall(IGate.orderBatch, (batch, names, anyTwo(words)))));
    }

    /// @dev Its names are known, and told as of a batch over all of it: their hash, and the root of the tree over them.
    function page() private returns (bytes32[][] memory names) {
        bytes32[] memory keys = new bytes32[](3);
        (keys[0], keys[1], keys[2]) = (WEB, MAIL, GATEWAY);
        gate.sealPage(keccak256("dmz"), 0, 0, keys);
        bytes32 flat = keccak256(abi.encodePacked(keys));
        names = new bytes32[][](1);
        names[0] = new bytes32[](2);
        (names[0][0], names[0][1]) = (flat, flat);
        for (uint256 width = 8; width < 128; width *= 2) {
            names[0][1] = keccak256(abi.encode(names[0][1], bytes32(0)));
        }
    }

    function check_what_is_protected_meanwhile_never_executes(address caller) external {
        IGate.Proposal memory proposal = isolation(60, 1);
        agree(proposal);
        setAsset("web", true);
        assert(!takes(caller, abi.encodeCall(IGate.execute, (proposal))));
    }
}
