// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Batches} from "./Batches.sol";
import {IGate, Reason, Status} from "./interfaces/IGate.sol";
import {Shared} from "./Shared.sol";
import {State} from "./State.sol";
import {Account, ones} from "./Words.sol";

/// @title The gate: an agent proposes, people countersign, the network obeys
/// @dev The address of all, and the way of an order. What is not here is in the next parts (`Shared`).
contract Gate is Batches, Shared {
    // ============ Constructor ============

    /// @param manager OpenZeppelin `AccessManager` that governs the gate, for good.
    /// @param desk the next part
    constructor(address manager, address desk) State(manager) Shared(desk) {}

    // ============ Life-cycle ============

    /// @dev See `IGate`.
    function propose(IGate.Proposal calldata proposal) external returns (bytes32 id, Status status) {
        (Account agent, Look memory look) = _enter(proposal);
        id = _idOf(proposal);
        bool leased = _leaseCovers(msg.sender, agent, proposal.kind, proposal.ttl, proposal.model, look);
        _accounts[proposal.agent] = leased ? agent.spend(uint256(proposal.kind)) : agent;
        if (leased) {
            uint256 until = _order(id, proposal.kind, proposal.target, proposal.ttl, look);
            _tellOrdered(id, proposal, until, 0, msg.data[:0]);
            return (id, Status.LIVE);
        }
        _entries[id].mark = Mark.PROPOSED;
        _tell(IGate.Proposed.selector, id, _raw(proposal));
        return (id, Status.PENDING);
    }

    /// @dev See `IGate`.
    function proposeApproved(IGate.Proposal calldata proposal, IGate.CompactSignature[] calldata signatures)
        external
        returns (bytes32 id)
    {
        (Account agent, Look memory look) = _enter(proposal);
        _accounts[proposal.agent] = agent;
        uint256 delay = _delay(look);
        if (delay != 0) revert IGate.GateTooEarly(uint64(block.timestamp + delay));
        id = _idOf(proposal);
        _collectCompact(id, _digest(APPROVAL, id, proposal, look), signatures, look);
        uint256 until = _order(id, proposal.kind, proposal.target, proposal.ttl, look);
        bytes calldata raw = msg.data[:0];
        assembly ("memory-safe") {
            raw.offset := signatures.offset
            raw.length := mul(0x40, signatures.length)
        }
        _tellOrdered(id, proposal, until, signatures.length, raw);
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
        if (_accounts[proposal.agent].roles() != AGENT) revert IGate.GateMissingRole(proposal.agent, AGENT);
        if (!_models[proposal.model].active) revert IGate.GateModelNotActive(proposal.model);
        Look memory look = _look(proposal.kind, proposal.target);
        Reason reason = _refusal(proposal.kind, proposal.target, proposal.ttl, look);
        if (reason != Reason.NONE) revert IGate.GateRefused(reason);
        _checkApproved(_entries[id], look);
        delete _entries[id];
        uint256 until = _order(id, proposal.kind, proposal.target, proposal.ttl, look);
        _tell(IGate.Executed.selector, id, abi.encode(until));
    }

    /// @dev See `IGate`.
    function orderBatch(
        IGate.Batch calldata batch,
        bytes32[][] calldata names,
        IGate.CompactSignature[] calldata signatures
    ) external returns (bytes32) {
        return _orderBatch(batch, names, signatures);
    }

    // ============ Internals ============

    /// @dev Checks all but approvals.
    /// @return agent account of the proposer with nonce and budget spent, not stored yet
    function _enter(IGate.Proposal calldata proposal) private view returns (Account agent, Look memory look) {
        agent = _checkAgent(proposal.agent, proposal.model, proposal.nonce);
        look = _look(proposal.kind, proposal.target);
        _checkDeadline(proposal.deadline, look.cell.maxPending());
        Reason reason = _refusal(proposal.kind, proposal.target, proposal.ttl, look);
        if (reason != Reason.NONE) revert IGate.GateRefused(reason);
        agent = _spendBudget(agent, proposal.kind, look.criticality, look.cell, 1);
    }

    function _approve(bytes32 id, uint64 seat, address operator, bytes memory signature, Look memory look) private {
        Entry memory entry = _entries[id];
        if (!_isApproved(entry, look)) entry.approvedAt = uint40(block.timestamp);
        entry.approvals |= seat;
        _entries[id] = entry;
        _tell(IGate.Approved.selector, id, abi.encode(operator, signature));
    }

    function _checkApproved(Entry memory entry, Look memory look) private view {
        uint256 got = ones(entry.approvals & look.cell.operators());
        uint256 quorum = _quorum(look);
        if (got < quorum) revert IGate.GateQuorumNotMet(got, quorum);
        uint256 missing = _missingGroups(entry.approvals, look.cell);
        if (missing != 0) revert IGate.GateGroupMissing(uint8(missing));
        uint256 earliest = entry.approvedAt + _delay(look);
        if (block.timestamp < earliest) revert IGate.GateTooEarly(uint64(earliest));
    }
}
