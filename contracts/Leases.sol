// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IGate} from "./interfaces/IGate.sol";
import {Kind} from "./interfaces/IRegistry.sol";
import {Signers} from "./Signers.sol";

/// @title Autonomy that operators sign in advance
/// @dev An agent has one lease at most. It counts only while `leaseQuorum` of those who signed it are operators, so revoking a
/// signer takes it back; its id is the digest that they signed.
abstract contract Leases is Signers {
    // ============ Constants ============

    uint48 private constant ROW = 16; // bits of `Grant.left` for each kind

    // ============ Storage ============

    /// @dev What an order under the lease is judged by: one word.
    struct Terms {
        uint40 expires;
        uint32 maxTtl;
        uint8 maxCriticality;
        uint16 model; // its number
        uint104 signers; // seats
        uint48 left; // orders, 16 bits for each kind
    }

    struct Grant {
        Terms terms;
        bytes32 id;
        uint48 budgets; // what `left` was at first
    }

    mapping(address agent => Grant) private _grants;
    mapping(bytes32 id => bool) private _granted;

    // ============ Externals ============

    /// @inheritdoc IGate
    function grantLease(Lease calldata lease, Signature[] calldata signatures) external returns (bytes32 id) {
        id = leaseDigest(lease);
        _checkLease(lease);
        if (_granted[id]) revert GateLeaseUsed(id);
        Grant storage grant = _grants[lease.agent];
        if (_isLive(grant.terms)) revert GateLeaseLive(grant.id);
        uint104 signers = _collect(id, signatures);
        uint256 quorum = limits().leaseQuorum;
        if (signatures.length < quorum) revert GateQuorumNotMet(signatures.length, quorum);
        _granted[id] = true;
        _store(grant, lease, id, signers);
        _extend(abi.encode(_head, LeaseGranted.selector, id, lease, signatures));
        emit LeaseGranted(id, lease, signatures);
    }

    /// @inheritdoc IGate
    /// @dev Also one that counts no more because its signers were revoked: it must not come back with them.
    function endLease(address agent) external {
        if (rolesOf(msg.sender) & GUARDIAN == 0) revert GateMissingRole(msg.sender, GUARDIAN);
        bytes32 id = _grants[agent].id;
        if (id == 0 || block.timestamp >= _grants[agent].terms.expires) revert GateNoLease(agent);
        delete _grants[agent];
        _extend(abi.encode(_head, LeaseEnded.selector, id, msg.sender));
        emit LeaseEnded(id, msg.sender);
    }

    // ============ Views ============

    /// @inheritdoc IGate
    function leaseOf(address agent)
        external
        view
        returns (bytes32 id, uint64 expires, uint32[3] memory budgets, uint32[3] memory spent)
    {
        Grant storage grant = _grants[agent];
        if (!_isLive(grant.terms)) return (id, expires, budgets, spent);
        for (uint256 row = 0; row < 3; ++row) {
            budgets[row] = _row(grant.budgets, row);
            spent[row] = budgets[row] - _row(grant.terms.left, row);
        }
        return (grant.id, grant.terms.expires, budgets, spent);
    }

    // ============ Internals ============

    function _leaseCovers(address agent, Kind kind, uint8 criticality, uint32 ttl, bytes32 model, Cell memory cell)
        internal
        view
        returns (bool)
    {
        if (!cell.leasable) return false;
        Terms memory terms = _grants[agent].terms;
        return _isLive(terms, cell.operators, cell.leaseQuorum) && terms.model == _models[model].number && criticality <= terms.maxCriticality
            && ttl <= terms.maxTtl && _row(terms.left, uint256(kind)) != 0;
    }

    function _spendLease(address agent, Kind kind) internal {
        _grants[agent].terms.left -= uint48(1) << (ROW * uint48(kind));
    }

    function _isLive(Terms memory terms) private view returns (bool) {
        return _isLive(terms, _settings.operators, _settings.leaseQuorum);
    }

    function _isLive(Terms memory terms, uint104 operators, uint8 quorum) private view returns (bool) {
        return block.timestamp < terms.expires && _countShared(terms.signers, operators) >= quorum;
    }

    function _store(Grant storage grant, Lease calldata lease, bytes32 id, uint104 signers) private {
        uint48 budgets = uint48(lease.revocations);
        budgets = (budgets << ROW) | uint48(lease.isolations);
        budgets = (budgets << ROW) | uint48(lease.blocks);
        grant.terms = Terms({
            expires: uint40(lease.expires), // `maxLease` bounds it
            maxTtl: lease.maxTtl,
            maxCriticality: lease.maxCriticality,
            model: _models[lease.model].number,
            signers: signers,
            left: budgets
        });
        grant.id = id;
        grant.budgets = budgets;
    }

    function _row(uint48 budgets, uint256 kind) private pure returns (uint16) {
        return uint16(budgets >> (ROW * kind));
    }

    function _checkLease(Lease calldata lease) private view {
        if (rolesOf(lease.agent) != AGENT) revert GateMissingRole(lease.agent, AGENT);
        if (!isModelActive(lease.model)) revert GateModelNotActive(lease.model);
        bool inTime = lease.expires > block.timestamp && lease.expires <= block.timestamp + limits().maxLease;
        uint256 all = lease.blocks | lease.isolations | lease.revocations;
        bool fits = all != 0 && all <= type(uint16).max;
        if (!inTime || !fits || lease.maxTtl == 0 || lease.maxCriticality > MAX_CRITICALITY) revert GateBadLease();
    }
}
