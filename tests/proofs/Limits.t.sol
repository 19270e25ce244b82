// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IGate} from "contracts/interfaces/IGate.sol";
import {IRegistry, Kind} from "contracts/interfaces/IRegistry.sol";
import {Scene} from "./Scene.sol";
import {vm} from "./Vm.sol";

/// @notice Budgets and limits on what is live at once, over a few steps and any time in between.
contract LimitsSpec is Scene {
    // ============ Budgets ============

    function check_a_budget_is_per_window(uint16 budget, uint256 time) external {
        vm.assume(budget > 0 && budget <= 2047);
        IRegistry.Rule memory rule_ = rule();
        rule_.budget = budget;
        gate.setRule(Kind.ISOLATE, 0, rule_);
        assert(takes(agent, abi.encodeCall(IGate.propose, (isolation(60, 1)))));
        assert(takes(agent, abi.encodeCall(IGate.propose, (isolation(60, 2)))) == (budget > 1));
        later(time);
        uint256 used = time / 3600 == NOW / 3600 ? (budget > 1 ? 2 : 1) : 0;
        assert(takes(agent, abi.encodeCall(IGate.propose, (isolation(60, 3)))) == (used < budget));
    }

    // ============ Live at once ============

    function check_live_orders_keep_their_limit(uint16 limit, bool settling, uint256 time) external {
        vm.assume(limit > 0);
        IRegistry.Rule memory rule_ = rule();
        rule_.live = limit;
        gate.setRule(Kind.ISOLATE, 0, rule_);
        assertNextTaken(limit > 1, settling, time);
    }

    function check_a_zone_keeps_its_share(uint8 share, bool settling, uint256 time) external {
        vm.assume(share > 0 && share <= 100);
        gate.setZone("dmz", IRegistry.ZoneRule(share, 0, 0, 0, 0, 0));
        assertNextTaken(2 * 100 <= uint256(share) * 3, settling, time); // of three assets
    }

    function check_a_pool_keeps_its_members(uint16 keep, bool settling, uint256 time) external {
        vm.assume(keep < 2); // or not even the first is taken
        gate.setPool("names", keep);
        setAssetIn("web", "names", false);
        setAssetIn("mail", "names", false);
        assertNextTaken(keep == 0, settling, time);
        (uint256 members, uint256 isolated,) = gate.poolOf(keccak256("names"));
        assert(members == 2 && members - isolated >= keep);
    }

    function check_a_pool_is_never_used_up(uint16 keep) external {
        gate.setPool("names", keep);
        setAssetIn("web", "names", false);
        setAssetIn("mail", "names", false);
        assert(takes(agent, abi.encodeCall(IGate.propose, (isolation(60, 1)))) == (keep < 2));
    }

    /// @dev Of two that are approved, one executes; the other does too if there is place for it beside, or once the first has
    /// ended and is settled.
    function assertNextTaken(bool place, bool settling, uint256 time) private {
        IGate.Proposal memory next = proposalOf(Kind.ISOLATE, MAIL, 60, 2);
        agree(next);
        order(isolation(60, 1));
        vm.assume(time >= NOW && time < NOW + MAX_PENDING);
        vm.warp(time);
        if (settling) settle(WEB);
        bool free = settling && time >= NOW + 60;
        assert(takes(guardian, abi.encodeCall(IGate.execute, (next))) == (place || free));
        uint256 counted = (free ? 0 : 1) + (place || free ? 1 : 0);
        (, uint256 live) = gate.ruleOf(Kind.ISOLATE, 0);
        (,, uint256 inZone) = gate.zoneOf(keccak256("dmz"));
        assert(live == counted && inZone == counted);
    }

    function settle(bytes32 target) private {
        bytes32[] memory targets = new bytes32[](1);
        targets[0] = target;
        takes(guardian, abi.encodeCall(IGate.settle, (Kind.ISOLATE, targets)));
    }

    function check_only_what_ended_is_settled(uint256 time) external {
        order(isolation(60, 1));
        later(time);
        settle(WEB);
        (, uint256 live) = gate.ruleOf(Kind.ISOLATE, 0);
        assert(live == (time < NOW + 60 ? 1 : 0));
    }

    function check_what_is_released_counts_no_more(address one, address other) external {
        IGate.Proposal memory proposal = isolation(60, 1);
        order(proposal);
        bool taken = takes(guardian, abi.encodeCall(IGate.release, (proposal, signedBy(one, other))));
        (, uint256 live) = gate.ruleOf(Kind.ISOLATE, 0);
        (,, uint256 inZone) = gate.zoneOf(keccak256("dmz"));
        assert(live == (taken ? 0 : 1) && inZone == live);
    }
}
