// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IGate, Reason} from "./interfaces/IGate.sol";
import {Kind} from "./interfaces/IRegistry.sol";
import {Networks} from "./Networks.sol";
import {State} from "./State.sol";
import {Account, Cell, Target, Zone} from "./Words.sol";

/// @title What may be ordered, on what, for how long, how often, how much at once, and by how many
/// @dev Mirrored by `policies/guardrails.py`; a differential test keeps the two equal.
abstract contract Guardrails is State {
    // ============ Constants ============

    uint256 private constant GROUPS = SEATS / GROUP;
    uint256 private constant GROUP_MASK = 0xffff;

    // ============ Structs ============

    /// @dev What an action on a target is judged by.
    struct Look {
        uint8 criticality;
        Target target;
        Cell cell;
        Zone zone; // of an asset
    }

    // ============ Internals: what is asked ============

    function _look(Kind kind, bytes32 key) internal view returns (Look memory) {
        Target target = _targets[uint8(kind)][key];
        uint8 criticality = _criticalityOf(kind, key, target);
        Zone zone = kind == Kind.ISOLATE ? _zones[target.zone()] : Zone.wrap(0);
        return Look(criticality, target, _cells[_cellNumber(kind, criticality)], zone);
    }

    function _criticalityOf(Kind kind, bytes32 key, Target target) internal pure returns (uint8) {
        return kind == Kind.BLOCK ? Networks.criticality(key) : target.criticality();
    }

    function _isFrozen(Zone zone) internal view returns (bool) {
        return block.timestamp >= zone.frozenFrom() && block.timestamp < zone.frozenUntil();
    }

    /// @return approvals needed without a lease
    function _quorum(Look memory look) internal view returns (uint256) {
        return look.cell.quorum() + (_isFrozen(look.zone) ? look.zone.extra() : 0);
    }

    /// @return seconds between the last approval needed and execution
    function _delay(Look memory look) internal view returns (uint256) {
        uint256 delay = look.cell.delay();
        if (delay == 0) return 0;
        uint256 sinceOpening = (block.timestamp % 1 weeks + 1 weeks - look.zone.opens()) % 1 weeks;
        return sinceOpening < look.zone.length() ? 0 : delay;
    }

    /// @return missing bits of the approver groups that the rule asks for and none of these seats is of
    function _missingGroups(uint256 seats, Cell cell) internal pure returns (uint256 missing) {
        missing = cell.groups();
        if (missing == 0) return 0;
        seats &= cell.operators();
        for (uint256 group = 0; group < GROUPS; ++group) {
            if ((seats >> (GROUP * group)) & GROUP_MASK != 0) missing &= ~(1 << group);
        }
    }

    /// @dev What no budget changes, so it holds at proposal and at execution alike.
    /// @param look at the target
    function _refusal(Kind kind, bytes32 key, uint256 ttl, Look memory look) internal view returns (Reason reason) {
        reason = _targetRefusal(kind, key, look.target);
        if (reason == Reason.NONE) reason = _ruleRefusal(ttl, look.cell);
        if (reason == Reason.NONE) reason = _limitRefusal(kind, look);
    }

    function _ruleRefusal(uint256 ttl, Cell cell) internal pure returns (Reason) {
        if (cell.paused()) return Reason.PAUSED;
        if (!cell.allowed()) return Reason.RULE_REFUSES;
        return ttl == 0 || ttl > cell.maxTtl() ? Reason.TTL_OUT_OF_RANGE : Reason.NONE;
    }

    /// @dev One asset may always be isolated, or small zones could never be defended.
    function _isOverShare(Zone zone, uint256 isolated) internal pure returns (bool) {
        return isolated > 1 && isolated * 100 > zone.assets() * zone.share();
    }

    // ============ Internals: what is counted ============

    /// @dev No rule exists before the limits do, so no one divides by zero here. The number comes again after 65,536 windows; who
    /// did nothing in all of them meets the counts of then, which errs on the safe side.
    function _window(Cell cell) internal view returns (uint256) {
        return uint16(block.timestamp / cell.window());
    }

    /// @return agent with so many proposals more in this cell; no budget exceeds what a counter holds
    function _spendBudget(Account agent, Kind kind, uint8 criticality, Cell cell, uint256 count)
        internal
        view
        returns (Account)
    {
        (uint256 window, uint256 number) = (_window(cell), _cellNumber(kind, criticality));
        uint256 used = agent.used(window, number) + count;
        if (used > cell.budget()) revert IGate.GateRefused(Reason.BUDGET_SPENT);
        return agent.withUsed(window, number, used);
    }

    /// @dev The target's order counts from now.
    function _count(Kind kind, Look memory look) internal {
        if (look.target.has(COUNTED)) return;
        _cells[_cellNumber(kind, look.criticality)] = look.cell.withLive(look.cell.live() + 1);
        if (kind != Kind.ISOLATE) return;
        _zones[look.target.zone()] = look.zone.withIsolated(look.zone.isolated() + 1);
        uint8 pool = look.target.pool();
        if (pool != 0) ++_pools[pool].isolated;
    }

    /// @dev The target's order, which counts, does so no more.
    function _uncount(Kind kind, bytes32 key) internal {
        Look memory look = _look(kind, key);
        _targets[uint8(kind)][key] = look.target.without(COUNTED);
        _cells[_cellNumber(kind, look.criticality)] = look.cell.withLive(look.cell.live() - 1);
        if (kind != Kind.ISOLATE) return;
        _zones[look.target.zone()] = look.zone.withIsolated(look.zone.isolated() - 1);
        uint8 pool = look.target.pool();
        if (pool != 0) --_pools[pool].isolated;
    }

    // ============ Internals: parts ============

    function _targetRefusal(Kind kind, bytes32 key, Target target) internal view returns (Reason) {
        if (kind == Kind.BLOCK) {
            if (!Networks.isCanonical(key)) return Reason.MALFORMED_TARGET;
            return _isProtectedNetwork(key) ? Reason.PROTECTED_TARGET : Reason.NONE;
        }
        if (!target.has(KNOWN)) return Reason.UNKNOWN_TARGET;
        return target.has(PROTECTED) ? Reason.PROTECTED_TARGET : Reason.NONE;
    }

    /// @dev An order that follows one which still counts takes its place.
    function _limitRefusal(Kind kind, Look memory look) private view returns (Reason) {
        if (look.target.has(COUNTED)) return Reason.NONE;
        if (look.cell.live() >= look.cell.maxLive()) return Reason.LIVE_LIMIT;
        if (kind != Kind.ISOLATE) return Reason.NONE;
        if (_isOverShare(look.zone, look.zone.isolated() + 1)) return Reason.ZONE_SHARE;
        uint8 number = look.target.pool();
        if (number == 0) return Reason.NONE;
        Pool memory pool = _pools[number];
        return uint256(pool.isolated) + pool.keep >= pool.members ? Reason.POOL_MINIMUM : Reason.NONE;
    }
}
