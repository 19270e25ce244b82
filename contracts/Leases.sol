// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IGate} from "./interfaces/IGate.sol";
import {Kind} from "./interfaces/IRegistry.sol";
import {Signers} from "./Signers.sol";

/// @title Autonomy that operators sign in advance
/// @dev An agent has one lease at most. It counts only while `leaseQuorum` of those who signed it are operators, so revoking a
/// signer takes it back; its id is the digest that they signed.
abstract contract Leases is Signers {
    // ============ Storage ============

    struct Grant {
        bytes32 id;
        bytes32 model;
        uint64 expires;
        uint32 maxTtl;
        uint8 maxCriticality;
        uint104 signers; // seats
        uint32[3] budgets; // by kind
        uint32[3] spent;
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
        if (_isLive(grant)) revert GateLeaseLive(grant.id);
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
        if (id == 0 || block.timestamp >= _grants[agent].expires) revert GateNoLease(agent);
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
        if (_isLive(grant)) return (grant.id, grant.expires, grant.budgets, grant.spent);
    }

    // ============ Internals ============

    function _leaseCovers(address agent, Kind kind, uint8 criticality, uint32 ttl, bytes32 model)
        internal
        view
        returns (bool)
    {
        Grant storage grant = _grants[agent];
        uint256 row = uint256(kind);
        return _isLive(grant) && grant.model == model && criticality <= grant.maxCriticality && ttl <= grant.maxTtl
            && grant.spent[row] < grant.budgets[row];
    }

    function _spendLease(address agent, Kind kind) internal returns (bytes32 id) {
        Grant storage grant = _grants[agent];
        ++grant.spent[uint256(kind)];
        return grant.id;
    }

    function _isLive(Grant storage grant) private view returns (bool) {
        return grant.id != 0 && block.timestamp < grant.expires && _countCurrent(grant.signers) >= limits().leaseQuorum;
    }

    function _store(Grant storage grant, Lease calldata lease, bytes32 id, uint104 signers) private {
        grant.id = id;
        grant.model = lease.model;
        grant.expires = lease.expires;
        grant.maxTtl = lease.maxTtl;
        grant.maxCriticality = lease.maxCriticality;
        grant.signers = signers;
        grant.budgets = [lease.blocks, lease.isolations, lease.revocations];
        delete grant.spent;
    }

    function _checkLease(Lease calldata lease) private view {
        if (rolesOf(lease.agent) != AGENT) revert GateMissingRole(lease.agent, AGENT);
        if (!isModelActive(lease.model)) revert GateModelNotActive(lease.model);
        bool inTime = lease.expires > block.timestamp && lease.expires <= block.timestamp + limits().maxLease;
        bool empty = lease.blocks == 0 && lease.isolations == 0 && lease.revocations == 0;
        if (!inTime || empty || lease.maxTtl == 0 || lease.maxCriticality > MAX_CRITICALITY) revert GateBadLease();
    }
}
