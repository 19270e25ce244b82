// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IGate, Reason, Tier} from "./interfaces/IGate.sol";
import {Kind} from "./interfaces/IRegistry.sol";
import {Leases} from "./Leases.sol";
import {Networks} from "./Networks.sol";

/// @title What may be ordered, on what, for how long, how often, and by how many
/// @dev Mirrored by `policies/guardrails.py`; a differential test keeps the two equal.
abstract contract Guardrails is Leases {
    // ============ Storage ============

    struct Budget {
        uint64 window; // the one that `used` counts in
        uint32 used;
    }

    mapping(address agent => mapping(Kind kind => mapping(uint8 criticality => Budget))) private _budgets;

    // ============ Views ============

    /// @inheritdoc IGate
    function verdict(address agent, Kind kind, bytes32 target, uint32 ttl, bytes32 model)
        public
        view
        returns (Tier tier, Reason reason, uint8 approvals)
    {
        reason = _refusal(kind, target, ttl);
        if (reason != Reason.NONE) return (Tier.REFUSED, reason, 0);
        uint8 criticality = _criticalityOf(kind, target);
        Rule memory rule = ruleOf(kind, criticality);
        if (_used(agent, kind, criticality) >= rule.budget) return (Tier.REFUSED, Reason.BUDGET_SPENT, 0);
        if (rule.leasable && _leaseCovers(agent, kind, criticality, ttl, model)) return (Tier.LEASE, Reason.NONE, 0);
        return (Tier.QUORUM, Reason.NONE, rule.quorum);
    }

    // ============ Internals ============

    /// @dev What no budget changes, so it holds at proposal and at execution alike.
    function _refusal(Kind kind, bytes32 target, uint32 ttl) internal view returns (Reason reason) {
        reason = _targetRefusal(kind, target);
        if (reason != Reason.NONE) return reason;
        Rule memory rule = ruleOf(kind, _criticalityOf(kind, target));
        if (!rule.allowed) return Reason.RULE_REFUSES;
        return ttl == 0 || ttl > rule.maxTtl ? Reason.TTL_OUT_OF_RANGE : Reason.NONE;
    }

    function _spendBudget(address agent, Kind kind, bytes32 target) internal {
        uint8 criticality = _criticalityOf(kind, target);
        uint32 used = _used(agent, kind, criticality) + 1;
        _budgets[agent][kind][criticality] = Budget(_window(), used);
    }

    function _targetRefusal(Kind kind, bytes32 target) private view returns (Reason) {
        if (kind == Kind.BLOCK) {
            if (!Networks.isCanonical(target)) return Reason.MALFORMED_TARGET;
            return _overlapsProtected(target) ? Reason.PROTECTED_TARGET : Reason.NONE;
        }
        bool isAsset = kind == Kind.ISOLATE;
        bool known = isAsset ? assetOf(target).known : credentialOf(target).known;
        if (!known) return Reason.UNKNOWN_TARGET;
        bool isProtected = isAsset ? assetOf(target).isProtected : credentialOf(target).isProtected;
        return isProtected ? Reason.PROTECTED_TARGET : Reason.NONE;
    }

    function _used(address agent, Kind kind, uint8 criticality) private view returns (uint32) {
        Budget memory budget = _budgets[agent][kind][criticality];
        return budget.window == _window() ? budget.used : 0;
    }

    /// @dev No rule exists before the limits do, so no one divides by zero here.
    function _window() private view returns (uint64) {
        return uint64(block.timestamp / limits().window);
    }
}
