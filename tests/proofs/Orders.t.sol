// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IGate, Status} from "contracts/interfaces/IGate.sol";
import {IRegistry, Kind} from "contracts/interfaces/IRegistry.sol";
import {Scene} from "./Scene.sol";
import {vm} from "./Vm.sol";

/// @notice When an order comes to be and when it ends: once, in time, after what has to be waited for.
contract OrdersSpec is Scene {
    // ============ Once ============

    function check_it_executes_once(address caller, uint256 time) external {
        IGate.Proposal memory proposal = isolation(60, 1);
        order(proposal);
        later(time);
        assert(!takes(caller, abi.encodeCall(IGate.execute, (proposal))));
        assert(!takes(agent, abi.encodeCall(IGate.propose, (proposal))));
    }

    function check_a_nonce_is_used_once(uint256 first, uint256 second, bytes32 evidence) external {
        IGate.Proposal memory proposal = isolation(60, first);
        vm.assume(takes(agent, abi.encodeCall(IGate.propose, (proposal))));
        (proposal.nonce, proposal.evidence) = (second, evidence);
        bool taken = takes(agent, abi.encodeCall(IGate.propose, (proposal)));
        bool fresh = second > first || (second < first && first - second < 24);
        assert(taken == (fresh && second <= type(uint32).max));
    }

    // ============ In time ============

    function check_it_executes_before_its_deadline(address caller, uint256 time) external {
        IGate.Proposal memory proposal = isolation(60, 1);
        agree(proposal);
        later(time);
        bool taken = takes(caller, abi.encodeCall(IGate.execute, (proposal)));
        assert(taken == (time < NOW + MAX_PENDING));
    }

    function check_an_order_ends_by_itself(uint32 ttl, uint256 time) external {
        vm.assume(ttl > 0 && ttl <= MAX_TTL);
        order(isolation(ttl, 1));
        later(time);
        assert(gate.isIsolated(WEB) == (time < NOW + ttl));
    }

    function check_no_order_lasts_longer_than_its_rule(uint32 ttl) external {
        bool taken = takes(agent, abi.encodeCall(IGate.propose, (isolation(ttl, 1))));
        assert(taken == (ttl > 0 && ttl <= MAX_TTL));
    }

    function check_no_order_shortens_another(uint32 first, uint32 second, uint256 time) external {
        vm.assume(first > 0 && first <= MAX_TTL && second > 0 && second <= MAX_TTL);
        order(isolation(first, 1));
        later(time);
        uint256 before = gate.orderedUntil(Kind.ISOLATE, WEB);
        order(isolation(second, 2));
        uint256 afterwards = gate.orderedUntil(Kind.ISOLATE, WEB);
        assert(afterwards >= before && afterwards >= time + second);
        assert(afterwards == before || afterwards == time + second);
    }

    // ============ What has to be waited for ============

    function check_a_delay_is_waited_for(address caller, uint256 approved, uint256 time, uint24 delay) external {
        vm.assume(delay < MAX_PENDING);
        IRegistry.Rule memory rule_ = rule();
        (rule_.leasable, rule_.delay) = (false, delay);
        gate.setRule(Kind.ISOLATE, 0, rule_);
        IGate.Proposal memory proposal = isolation(60, 1);
        propose(proposal);
        approve(proposal, operators[0]);
        vm.assume(approved >= NOW && approved < NOW + MAX_PENDING);
        vm.warp(approved);
        approve(proposal, operators[1]);
        vm.assume(time >= approved && time < NOW + YEAR);
        vm.warp(time);
        bool taken = takes(caller, abi.encodeCall(IGate.execute, (proposal)));
        assert(taken == (time >= approved + delay && time < NOW + MAX_PENDING));
    }

    function check_only_a_change_window_spares_the_delay(uint24 opens, uint24 length, uint256 time) external {
        vm.assume(opens < 1 weeks && length <= 1 weeks);
        IRegistry.Rule memory rule_ = rule();
        (rule_.leasable, rule_.delay) = (false, MAX_PENDING);
        gate.setRule(Kind.ISOLATE, 0, rule_);
        gate.setZone("dmz", IRegistry.ZoneRule(100, 0, 0, 0, opens, length));
        IGate.Proposal memory proposal = isolation(60, 1);
        agree(proposal);
        vm.assume(time >= NOW && time < NOW + MAX_PENDING);
        vm.warp(time);
        uint256 second = time % 1 weeks;
        uint256 closes = uint256(opens) + length;
        bool open = (second >= opens && second < closes) || second + 1 weeks < closes;
        assert(takes(guardian, abi.encodeCall(IGate.execute, (proposal))) == open);
    }

    function check_a_frozen_zone_needs_more(uint40 from, uint40 until, uint256 time, bool third) external {
        gate.setZone("dmz", IRegistry.ZoneRule(100, 1, from, until, 0, 0));
        IGate.Proposal memory proposal = isolation(60, 1);
        agree(proposal);
        if (third) approve(proposal, operators[2]);
        vm.assume(time >= NOW && time < NOW + MAX_PENDING);
        vm.warp(time);
        bool frozen = time >= from && time < until;
        assert(takes(guardian, abi.encodeCall(IGate.execute, (proposal))) == (third || !frozen));
    }

    function check_a_frozen_zone_knows_no_lease(uint40 from, uint40 until) external {
        gate.setZone("dmz", IRegistry.ZoneRule(100, 0, from, until, 0, 0));
        grantLease(1);
        propose(isolation(60, 1));
        assert(gate.isIsolated(WEB) == !(NOW >= from && NOW < until));
    }

    function check_every_group_has_to_agree(bool[3] memory votes, uint8 groups) external {
        vm.assume(groups < 16);
        IRegistry.Rule memory rule_ = rule();
        rule_.groups = groups;
        gate.setRule(Kind.ISOLATE, 0, rule_);
        IGate.Proposal memory proposal = isolation(60, 1);
        propose(proposal);
        uint256 count;
        for (uint256 i = 0; i < 3; ++i) {
            if (!votes[i]) continue;
            approve(proposal, operators[i]);
            ++count;
        }
        uint256 agreed = (votes[0] || votes[1] ? 1 : 0) | (votes[2] ? 2 : 0);
        bool taken = takes(guardian, abi.encodeCall(IGate.execute, (proposal)));
        assert(taken == (count >= QUORUM && groups & ~agreed == 0));
    }

    // ============ What gateways are told ============

    function check_access_ends_with_the_order(uint256 time, bool isolating) external {
        gate.setResource("wiki", "web");
        IRegistry.Grant[] memory grants = new IRegistry.Grant[](1);
        grants[0] = IRegistry.Grant("ops", "wiki", uint40(NOW + 600));
        gate.setGrants(grants);
        order(isolating ? isolation(60, 1) : proposalOf(Kind.REVOKE, KEY, 60, 1));
        later(time);
        bool authorized = gate.isAuthorized(KEY, keccak256("wiki"));
        assert(authorized == (time >= NOW + 60 && time < NOW + 600));
    }

    function check_what_is_blocked_is_all_inside(uint8 prefix, uint32 host, uint32 address_) external {
        vm.assume(prefix >= 30 && prefix <= 32 && host & uint32((uint256(1) << (32 - prefix)) - 1) == 0);
        IRegistry.Rule memory rule_ = rule();
        gate.setRule(Kind.BLOCK, 1, rule_);
        bytes32 target = network(4, prefix, host);
        IGate.Proposal memory proposal = proposalOf(Kind.BLOCK, target, 60, 1);
        grantLease(1);
        vm.assume(takes(agent, abi.encodeCall(IGate.propose, (proposal))));
        assert(gate.isBlocked(network(4, 32, address_)) == (address_ >> (32 - prefix) == host >> (32 - prefix)));
    }
}
