// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IGate} from "./interfaces/IGate.sol";
import {Orders} from "./Orders.sol";
import {Account, part, Terms} from "./Words.sol";

/// @title What operators sign in advance: an agent's autonomy, and the models that may use it
/// @dev An agent has one lease at most. It counts only while `leaseQuorum` of those who signed it are operators, so revoking a
/// signer takes it back; its id is the digest that they signed.
abstract contract Leases is Orders {
    // ============ Constants ============

    uint256 private constant ROW = 12; // bits of a budget for each kind, as in `Account.left`
    bytes32 private constant LEASE = keccak256(
        "Lease(address agent,bytes32 model,uint32 blocks,uint32 isolations,uint32 revocations,uint8 maxCriticality,"
        "uint32 maxTtl,uint64 expires,uint256 nonce)"
    );
    bytes32 private constant MODEL =
        keccak256("ModelActivation(bytes32 model,bytes32 card,uint32 revision,uint64 deadline)");

    // ============ Leases ============

    /// @dev See `IGate`.
    function grantLease(IGate.Lease calldata lease, IGate.Signature[] calldata signatures)
        external
        returns (bytes32 id)
    {
        id = leaseDigest(lease);
        _checkLease(lease);
        if (_granted[id]) revert IGate.GateLeaseUsed(id);
        Autonomy storage autonomy = _leases[lease.agent];
        if (_isLive(autonomy.terms)) revert IGate.GateLeaseLive(autonomy.id);
        uint64 signers = _collect(id, signatures, _settings.leaseQuorum);
        _granted[id] = true;
        _store(autonomy, lease, id, signers);
        _tell(IGate.LeaseGranted.selector, id, abi.encode(lease, signatures));
    }

    /// @dev See `IGate`. Also one that counts no more because its signers were revoked: it must not come back with them.
    function endLease(address agent) external {
        _require(GUARDIAN);
        bytes32 id = _leases[agent].id;
        if (block.timestamp >= _leases[agent].terms.expires()) revert IGate.GateNoLease(agent);
        delete _leases[agent];
        _tell(IGate.LeaseEnded.selector, id, abi.encode(msg.sender));
    }

    // ============ Models ============

    /// @dev See `IGate`.
    function activateModel(
        bytes32 model,
        bytes32 card,
        uint32 revision,
        uint64 deadline,
        IGate.Signature[] calldata signatures
    ) external {
        Model storage entry = _models[model];
        if (revision != entry.revision + 1) revert IGate.GateBadRevision(entry.revision);
        _checkDeadline(deadline, _settings.maxLease);
        _collect(modelDigest(model, card, revision, deadline), signatures, _settings.modelQuorum);
        delete entry.approvers;
        for (uint256 i = 0; i < signatures.length; ++i) {
            entry.approvers.push(signatures[i].signer);
        }
        if (entry.number == 0) entry.number = ++_settings.models;
        (entry.active, entry.revision, entry.card) = (true, revision, card);
        _tell(IGate.ModelActivated.selector, model, abi.encode(card, revision, deadline, signatures));
    }

    /// @dev See `IGate`.
    function deactivateModel(bytes32 model) external {
        _require(GUARDIAN);
        Model storage entry = _models[model];
        if (!entry.active) revert IGate.GateModelNotActive(model);
        entry.active = false;
        _tell(IGate.ModelDeactivated.selector, model, abi.encode(++entry.revision, msg.sender));
    }

    // ============ Views ============

    /// @dev See `IGate`.
    function leaseDigest(IGate.Lease calldata lease) public view returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(LEASE, lease)));
    }

    /// @dev See `IGate`.
    function modelDigest(bytes32 model, bytes32 card, uint32 revision, uint64 deadline) public view returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(MODEL, model, card, revision, deadline)));
    }

    /// @dev See `IGate`.
    function leaseOf(address agent)
        external
        view
        returns (bytes32 id, uint64 expires, uint32[3] memory budgets, uint32[3] memory spent)
    {
        Autonomy memory autonomy = _leases[agent];
        if (!_isLive(autonomy.terms)) return (id, expires, budgets, spent);
        Account account = _accounts[agent];
        for (uint256 row = 0; row < 3; ++row) {
            budgets[row] = uint32(part(autonomy.budgets, ROW * row, ROW));
            spent[row] = budgets[row] - uint32(account.left(row));
        }
        return (autonomy.id, uint64(autonomy.terms.expires()), budgets, spent);
    }

    /// @dev See `IGate`.
    function modelOf(bytes32 model)
        external
        view
        returns (bool active, bytes32 card, uint32 revision, address[] memory approvers)
    {
        Model storage entry = _models[model];
        return (entry.active, entry.card, entry.revision, entry.approvers);
    }

    // ============ Internals ============

    function _isLive(Terms terms) private view returns (bool) {
        return _isLive(terms, _settings.operators, _settings.leaseQuorum);
    }

    function _store(Autonomy storage autonomy, IGate.Lease calldata lease, bytes32 id, uint64 signers) private {
        uint256 budgets = lease.revocations;
        budgets = (budgets << ROW) | lease.isolations;
        budgets = (budgets << ROW) | lease.blocks;
        // `maxLease` bounds the end, so it fits.
        uint256 terms = uint256(lease.expires) | (uint256(lease.maxTtl) << 40) | (uint256(lease.maxCriticality) << 72);
        terms |= (uint256(_models[lease.model].number) << 80) | (uint256(signers) << 96);
        (autonomy.terms, autonomy.id, autonomy.budgets) = (Terms.wrap(terms), id, uint40(budgets));
        _accounts[lease.agent] = _accounts[lease.agent].withLeft(budgets);
    }

    function _checkLease(IGate.Lease calldata lease) private view {
        if (_accounts[lease.agent].roles() != AGENT) revert IGate.GateMissingRole(lease.agent, AGENT);
        if (!_models[lease.model].active) revert IGate.GateModelNotActive(lease.model);
        bool inTime = lease.expires > block.timestamp && lease.expires <= block.timestamp + _settings.maxLease;
        uint256 all = lease.blocks | lease.isolations | lease.revocations;
        bool fits = all != 0 && all < 1 << ROW;
        if (!inTime || !fits || lease.maxTtl == 0 || lease.maxCriticality > MAX_CRITICALITY) revert IGate.GateBadLease();
    }
}
