// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IGate, Reason, Tier} from "./interfaces/IGate.sol";
import {Kind} from "./interfaces/IRegistry.sol";
import {Leases} from "./Leases.sol";
import {Networks} from "./Networks.sol";

/// @title What may be ordered, on what, for how long, how often, and by how many
/// @dev Mirrored by `policies/guardrails.py`; a differential test keeps the two equal.
abstract contract Guardrails is Leases {
    // ============ Constants ============

    uint256 private constant CELLS = 4; // of a kind, one for each criticality
    uint256 private constant COUNTER = 12; // bits of `Account.used` for each cell
    uint256 private constant COUNTER_MASK = 0xfff;

    // ============ Views ============

    /// @inheritdoc IGate
    function verdict(address agent, Kind kind, bytes32 target, uint32 ttl, bytes32 model)
        external
        view
        returns (Tier tier, Reason reason, uint8 approvals)
    {
        uint8 criticality = _criticalityOf(kind, target);
        Cell memory cell = _cells[kind][criticality];
        reason = _refusal(kind, target, ttl, cell);
        if (reason == Reason.NONE && _used(_accounts[agent], kind, criticality, cell.window) >= cell.budget) {
            reason = Reason.BUDGET_SPENT;
        }
        if (reason != Reason.NONE) return (Tier.REFUSED, reason, 0);
        if (_leaseCovers(agent, kind, criticality, ttl, model, cell)) return (Tier.LEASE, Reason.NONE, 0);
        return (Tier.QUORUM, Reason.NONE, cell.quorum);
    }

    // ============ Internals ============

    /// @dev What no budget changes, so it holds at proposal and at execution alike.
    /// @param cell the target's
    function _refusal(Kind kind, bytes32 target, uint32 ttl, Cell memory cell) internal view returns (Reason reason) {
        reason = _targetRefusal(kind, target);
        if (reason != Reason.NONE) return reason;
        if (!cell.allowed) return Reason.RULE_REFUSES;
        return ttl == 0 || ttl > cell.maxTtl ? Reason.TTL_OUT_OF_RANGE : Reason.NONE;
    }

    /// @dev One proposal more in this cell; the caller stores the account. A counter never overflows into the next, for no
    /// budget exceeds what it holds.
    function _spendBudget(Account memory agent, Kind kind, uint8 criticality, Cell memory cell) internal view {
        uint32 window = _window(cell.window);
        if (agent.window != window) (agent.window, agent.used) = (window, 0);
        uint256 shift = _shift(kind, criticality);
        if ((agent.used >> shift) & COUNTER_MASK >= cell.budget) revert GateRefused(Reason.BUDGET_SPENT);
        agent.used += uint144(1 << shift);
    }

    function _targetRefusal(Kind kind, bytes32 target) private view returns (Reason) {
        if (kind == Kind.BLOCK) {
            if (!Networks.isCanonical(target)) return Reason.MALFORMED_TARGET;
            return _overlapsProtected(target) ? Reason.PROTECTED_TARGET : Reason.NONE;
        }
        Target storage registered = _targets[kind][target];
        if (!registered.known) return Reason.UNKNOWN_TARGET;
        return registered.isProtected ? Reason.PROTECTED_TARGET : Reason.NONE;
    }

    function _used(Account storage agent, Kind kind, uint8 criticality, uint32 window) private view returns (uint256) {
        return agent.window == _window(window) ? (agent.used >> _shift(kind, criticality)) & COUNTER_MASK : 0;
    }

    function _shift(Kind kind, uint8 criticality) private pure returns (uint256) {
        return COUNTER * (CELLS * uint256(kind) + criticality);
    }

    /// @dev No rule exists before the limits do, so no one divides by zero here. Fits in 32 bits until 2106.
    /// @param length of a window in seconds
    function _window(uint32 length) private view returns (uint32) {
        return uint32(block.timestamp / length);
    }
}
