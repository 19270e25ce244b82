// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IGate, Reason, Status} from "./interfaces/IGate.sol";
import {Orders} from "./Orders.sol";
import {Shared} from "./Shared.sol";
import {State} from "./State.sol";

/// @title The gate: an agent proposes, people countersign, the network obeys
/// @dev The address of all, and the way of an order. What is not here is in the next parts (`Shared`).
contract Gate is Orders, Shared {
    // ============ Constructor ============

    /// @param manager OpenZeppelin `AccessManager` that governs the gate, for good.
    /// @param desk the next part
    constructor(address manager, address desk) State(manager) Shared(desk) {}

    // ============ Life-cycle ============

    /// @dev See `IGate`.
    function propose(IGate.Proposal calldata proposal) external returns (bytes32 id, Status status) {
        Look memory look = _enter(proposal);
        id = _idOf(proposal);
        if (_entries[id].mark == Mark.VETOED) revert IGate.GateWrongStatus(id, Status.VETOED);
        if (_leaseCovers(proposal.agent, proposal.kind, proposal.ttl, proposal.model, look)) {
            _spendLease(proposal.agent, proposal.kind);
            IGate.CompactSignature[] memory none;
            uint40 until = _order(id, proposal.kind, proposal.target, proposal.ttl, look);
            _tell(IGate.Ordered.selector, id, abi.encode(proposal, until, none));
            return (id, Status.LIVE);
        }
        _entries[id].mark = Mark.PROPOSED;
        _tell(IGate.Proposed.selector, id, abi.encode(proposal));
        return (id, Status.PENDING);
    }

    /// @dev See `IGate`.
    function proposeApproved(IGate.Proposal calldata proposal, IGate.CompactSignature[] calldata signatures)
        external
        returns (bytes32 id)
    {
        Look memory look = _enter(proposal);
        uint24 delay = _delay(look);
        if (delay != 0) revert IGate.GateTooEarly(uint64(block.timestamp) + delay);
        id = _idOf(proposal);
        _collectCompact(id, _digest(APPROVAL, id, proposal, look), signatures, look);
        uint40 until = _order(id, proposal.kind, proposal.target, proposal.ttl, look);
        _tell(IGate.Ordered.selector, id, abi.encode(proposal, until, signatures));
    }

    /// @dev See `IGate`.
    function approve(IGate.Proposal calldata proposal) external {
        bytes32 id = _requireOpen(proposal);
        _approve(id, _requireVote(id, msg.sender), msg.sender, "", _look(proposal.kind, proposal.target));
    }

    /// @dev See `IGate`.
    function approveBySig(IGate.Proposal calldata proposal, IGate.Signature[] calldata signatures) external {
        bytes32 id = _requireOpen(proposal);
        Look memory look = _look(proposal.kind, proposal.target);
        bytes32 digest = _digest(APPROVAL, id, proposal, look);
        for (uint256 i = 0; i < signatures.length; ++i) {
            uint64 seat = _requireVote(id, signatures[i].signer);
            _checkSignature(digest, signatures[i]);
            _approve(id, seat, signatures[i].signer, signatures[i].data, look);
        }
    }

    /// @dev See `IGate`.
    function execute(IGate.Proposal calldata proposal) external {
        bytes32 id = _requireOpen(proposal);
        if (_accounts[proposal.agent].roles != AGENT) revert IGate.GateMissingRole(proposal.agent, AGENT);
        if (!_models[proposal.model].active) revert IGate.GateModelNotActive(proposal.model);
        Look memory look = _look(proposal.kind, proposal.target);
        Reason reason = _refusal(proposal.kind, proposal.target, proposal.ttl, look);
        if (reason != Reason.NONE) revert IGate.GateRefused(reason);
        _checkApproved(_entries[id], look);
        delete _entries[id];
        uint40 until = _order(id, proposal.kind, proposal.target, proposal.ttl, look);
        _tell(IGate.Executed.selector, id, abi.encode(until));
    }

    // ============ Internals ============

    /// @dev Checks all but approvals and spends nonce and budget.
    function _enter(IGate.Proposal calldata proposal) private returns (Look memory look) {
        Account memory agent = _checkAgent(proposal.agent, proposal.model, proposal.nonce);
        look = _look(proposal.kind, proposal.target);
        _checkDeadline(proposal.deadline, look.cell.maxPending);
        Reason reason = _refusal(proposal.kind, proposal.target, proposal.ttl, look);
        if (reason != Reason.NONE) revert IGate.GateRefused(reason);
        _spendBudget(agent, proposal.kind, look.criticality, look.cell, 1);
        _accounts[proposal.agent] = agent;
    }

    function _approve(bytes32 id, uint64 seat, address operator, bytes memory signature, Look memory look) private {
        Entry memory entry = _entries[id];
        if (!_isApproved(entry, look)) entry.approvedAt = uint40(block.timestamp);
        entry.approvals |= seat;
        _entries[id] = entry;
        _tell(IGate.Approved.selector, id, abi.encode(operator, signature));
    }

    function _checkApproved(Entry memory entry, Look memory look) private view {
        uint256 got = _bits(entry.approvals & look.cell.operators);
        uint256 quorum = _quorum(look);
        if (got < quorum) revert IGate.GateQuorumNotMet(got, quorum);
        uint8 missing = _missingGroups(entry.approvals, look.cell);
        if (missing != 0) revert IGate.GateGroupMissing(missing);
        uint64 earliest = uint64(entry.approvedAt) + _delay(look);
        if (block.timestamp < earliest) revert IGate.GateTooEarly(earliest);
    }
}
