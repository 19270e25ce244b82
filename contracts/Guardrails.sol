// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IGate, Reason} from "./interfaces/IGate.sol";
import {Kind} from "./interfaces/IRegistry.sol";
import {Networks} from "./Networks.sol";
import {State} from "./State.sol";

/// @title What may be ordered, on what, for how long, how often, how much at once, and by how many
/// @dev Mirrored by `policies/guardrails.py`; a differential test keeps the two equal.
abstract contract Guardrails is State {
    // ============ Constants ============

    uint256 private constant CELLS = 4; // of a kind, one for each criticality
    uint256 private constant COUNTER = 12; // bits of `Account.used` for each cell
    uint256 internal constant COUNTER_MASK = 0xfff;
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

    function _look(Kind kind, bytes32 key) internal view returns (Look memory look) {
        look.target = _targets[kind][key];
        look.criticality = kind == Kind.BLOCK ? Networks.criticality(key) : look.target.criticality;
        look.cell = _cells[kind][look.criticality];
        if (kind == Kind.ISOLATE) look.zone = _zones[look.target.zone];
    }

    function _isFrozen(Zone memory zone) internal view returns (bool) {
        return block.timestamp >= zone.frozenFrom && block.timestamp < zone.frozenUntil;
    }

    /// @return approvals needed without a lease; at most 255 by the checks of governance
    function _quorum(Look memory look) internal view returns (uint8) {
        return look.cell.quorum + (_isFrozen(look.zone) ? look.zone.extra : 0);
    }

    /// @return seconds between the last approval needed and execution
    function _delay(Look memory look) internal view returns (uint24) {
        uint256 sinceOpening = (block.timestamp % 1 weeks + 1 weeks - look.zone.opens) % 1 weeks;
        return sinceOpening < look.zone.length ? 0 : look.cell.delay;
    }

    /// @return bits of the approver groups that the rule asks for and none of these seats is of
    function _missingGroups(uint64 seats, Cell memory cell) internal pure returns (uint8) {
        uint256 missing = cell.groups;
        if (missing == 0) return 0;
        seats &= cell.operators;
        for (uint256 group = 0; group < GROUPS; ++group) {
            if ((seats >> (GROUP * group)) & GROUP_MASK != 0) missing &= ~(1 << group);
        }
        return uint8(missing);
    }

    /// @dev What no budget changes, so it holds at proposal and at execution alike.
    /// @param look at the target
    function _refusal(Kind kind, bytes32 key, uint32 ttl, Look memory look) internal view returns (Reason reason) {
        reason = _targetRefusal(kind, key, look.target.flags);
        if (reason != Reason.NONE) return reason;
        reason = _ruleRefusal(ttl, look.cell);
        return reason == Reason.NONE ? _limitRefusal(kind, look) : reason;
    }

    function _ruleRefusal(uint32 ttl, Cell memory cell) internal pure returns (Reason) {
        if (cell.paused) return Reason.PAUSED;
        if (!cell.allowed) return Reason.RULE_REFUSES;
        return ttl == 0 || ttl > cell.maxTtl ? Reason.TTL_OUT_OF_RANGE : Reason.NONE;
    }

    /// @dev One asset may always be isolated, or small zones could never be defended.
    function _isOverShare(Zone memory zone, uint256 isolated) internal pure returns (bool) {
        return isolated > 1 && isolated * 100 > uint256(zone.assets) * zone.share;
    }

    function _used(Account memory agent, Kind kind, uint8 criticality, uint24 window) internal view returns (uint256) {
        return agent.window == _window(window) ? (agent.used >> _shift(kind, criticality)) & COUNTER_MASK : 0;
    }

    // ============ Internals: what is counted ============

    /// @dev So many proposals more in this cell; the caller stores the account. A counter never overflows into the next, for
    /// no budget exceeds what it holds.
    function _spendBudget(Account memory agent, Kind kind, uint8 criticality, Cell memory cell, uint256 count)
        internal
        view
    {
        uint32 window = _window(cell.window);
        if (agent.window != window) (agent.window, agent.used) = (window, 0);
        uint256 shift = _shift(kind, criticality);
        if (((agent.used >> shift) & COUNTER_MASK) + count > cell.budget) {
            revert IGate.GateRefused(Reason.BUDGET_SPENT);
        }
        agent.used += uint144(count << shift);
    }

    /// @dev The target's order counts from now; the caller stores the target.
    function _count(Kind kind, Look memory look) internal {
        if (look.target.flags & COUNTED != 0) return;
        look.target.flags |= COUNTED;
        _cells[kind][look.criticality].live = look.cell.live + 1;
        if (kind != Kind.ISOLATE) return;
        _zones[look.target.zone].isolated = look.zone.isolated + 1;
        if (look.target.pool != 0) ++_pools[look.target.pool].isolated;
    }

    /// @dev The target's order counts no more.
    function _uncount(Kind kind, bytes32 key) internal {
        Target storage target = _targets[kind][key];
        if (target.flags & COUNTED == 0) return;
        target.flags &= ~COUNTED;
        uint8 criticality = kind == Kind.BLOCK ? Networks.criticality(key) : target.criticality;
        --_cells[kind][criticality].live;
        if (kind != Kind.ISOLATE) return;
        --_zones[target.zone].isolated;
        if (target.pool != 0) --_pools[target.pool].isolated;
    }

    // ============ Internals: parts ============

    function _targetRefusal(Kind kind, bytes32 key, uint8 flags) internal view returns (Reason) {
        if (kind == Kind.BLOCK) {
            if (!Networks.isCanonical(key)) return Reason.MALFORMED_TARGET;
            return _isProtectedNetwork(key) ? Reason.PROTECTED_TARGET : Reason.NONE;
        }
        if (flags & KNOWN == 0) return Reason.UNKNOWN_TARGET;
        return flags & PROTECTED != 0 ? Reason.PROTECTED_TARGET : Reason.NONE;
    }

    /// @dev An order that follows one which still counts takes its place.
    function _limitRefusal(Kind kind, Look memory look) private view returns (Reason) {
        if (look.target.flags & COUNTED != 0) return Reason.NONE;
        if (look.cell.live >= look.cell.maxLive) return Reason.LIVE_LIMIT;
        if (kind != Kind.ISOLATE) return Reason.NONE;
        if (_isOverShare(look.zone, uint256(look.zone.isolated) + 1)) return Reason.ZONE_SHARE;
        if (look.target.pool == 0) return Reason.NONE;
        Pool memory pool = _pools[look.target.pool];
        return uint256(pool.isolated) + pool.keep >= pool.members ? Reason.POOL_MINIMUM : Reason.NONE;
    }

    function _shift(Kind kind, uint8 criticality) private pure returns (uint256) {
        return COUNTER * (CELLS * uint256(kind) + criticality);
    }

    /// @dev No rule exists before the limits do, so no one divides by zero here. Fits in 32 bits until 2106.
    /// @param length of a window in seconds
    function _window(uint24 length) private view returns (uint32) {
        return uint32(block.timestamp / length);
    }
}
