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
        vm.assume(budget > 0 && budget <= 4095);
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

    function check_live_orders_keep_their_limit(uint8[2] memory steps, uint16[2] memory waits) external {
        IRegistry.Rule memory rule_ = rule();
        rule_.live = 1;
        gate.setRule(Kind.ISOLATE, 0, rule_);
        play(steps, waits);
        (, uint256 live) = gate.ruleOf(Kind.ISOLATE, 0);
        assert(live <= 1);
    }

    function check_a_zone_keeps_its_share(uint8[2] memory steps, uint16[2] memory waits) external {
        gate.setZone("dmz", IRegistry.ZoneRule(50, 0, 0, 0, 0, 0)); // of three assets
        play(steps, waits);
        (,, uint256 isolated) = gate.zoneOf(keccak256("dmz"));
        assert(isolated <= 1);
    }

    function check_a_pool_keeps_its_members(uint8[2] memory steps, uint16[2] memory waits) external {
        gate.setPool("names", 1);
        setAssetIn("web", "names", false);
        setAssetIn("mail", "names", false);
        play(steps, waits);
        (uint256 members, uint256 isolated, uint256 keep) = gate.poolOf(keccak256("names"));
        assert(members == 2 && keep == 1 && isolated <= 1);
    }

    /// @dev One of two that are approved is executed. Then anyone does any of these, with any time between: execute one of them
    /// (0, 1), or settle one (2, else). What the gate refuses changes nothing.
    function play(uint8[2] memory steps, uint16[2] memory waits) private {
        IGate.Proposal[2] memory proposals = [isolation(60, 1), proposalOf(Kind.ISOLATE, MAIL, 60, 2)];
        agree(proposals[0]);
        agree(proposals[1]);
        gate.execute(proposals[0]);
        for (uint256 i = 0; i < 2; ++i) {
            vm.warp(block.timestamp + waits[i]);
            if (steps[i] == 0) takes(guardian, abi.encodeCall(IGate.execute, (proposals[0])));
            else if (steps[i] == 1) takes(guardian, abi.encodeCall(IGate.execute, (proposals[1])));
            else settle(steps[i] == 2 ? WEB : MAIL);
            assertCounted();
        }
    }

    function settle(bytes32 target) private {
        bytes32[] memory targets = new bytes32[](1);
        targets[0] = target;
        takes(guardian, abi.encodeCall(IGate.settle, (Kind.ISOLATE, targets)));
    }

    /// @dev What is live is counted, in its cell and its zone alike.
    function assertCounted() private view {
        uint256 isolated = (gate.isIsolated(WEB) ? 1 : 0) + (gate.isIsolated(MAIL) ? 1 : 0);
        (, uint256 live) = gate.ruleOf(Kind.ISOLATE, 0);
        (,, uint256 inZone) = gate.zoneOf(keccak256("dmz"));
        assert(isolated <= live && live == inZone);
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
