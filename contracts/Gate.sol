// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Guardrails} from "./Guardrails.sol";
import {IGate, Outcome, Reason, Status, Tier} from "./interfaces/IGate.sol";
import {Kind} from "./interfaces/IRegistry.sol";
import {Networks} from "./Networks.sol";

/// @title The gate: an agent proposes, people countersign, the network obeys
/// @dev One word of storage per proposal: what was done to it, until when it is ordered, and who voted (by seat). Everything
/// else about its status follows from the votes of those who are operators now and from the rules of now.
contract Gate is Guardrails {
    // ============ Storage ============

    enum Mark {
        NONE,
        PROPOSED,
        VETOED,
        EXECUTED,
        RELEASED,
        SUPERSEDED
    }

    struct Entry {
        Mark mark;
        uint40 until; // end of the order, zero before execution
        uint104 approvals; // seats
        uint104 rejections; // seats
    }

    mapping(bytes32 id => Entry) private _entries;
    mapping(Kind kind => mapping(bytes32 target => bytes32 id)) private _orders; // the last one executed

    /// @dev Prefix lengths ever blocked: bit p for IPv4, bit 64 + p for IPv6. Spares `isBlocked` the lengths no one used.
    uint256 private _lengths;
    uint256 private constant V6_LENGTHS = 64;

    // ============ Constructor ============

    /// @param manager OpenZeppelin `AccessManager` that governs the registry, for good.
    constructor(address manager) AccessManaged(manager) EIP712("Countersign", "1") {}

    // ============ Life-cycle ============

    /// @inheritdoc IGate
    function propose(Proposal calldata proposal) external returns (bytes32 id, Status status) {
        id = idOf(proposal);
        _checkProposal(id, proposal);
        (Tier tier, Reason reason, uint8 quorum) =
            verdict(proposal.agent, proposal.kind, proposal.target, proposal.ttl, proposal.model);
        if (tier == Tier.REFUSED) revert GateRefused(reason);
        _spendBudget(proposal.agent, proposal.kind, proposal.target);
        _entries[id].mark = Mark.PROPOSED;
        _extend(abi.encode(_head, Proposed.selector, id, proposal, quorum));
        emit Proposed(id, proposal, quorum);
        if (tier == Tier.QUORUM) return (id, Status.PENDING);
        _order(id, proposal, _spendLease(proposal.agent, proposal.kind));
        return (id, Status.LIVE);
    }

    /// @inheritdoc IGate
    function approve(Proposal calldata proposal) external {
        bytes32 id = _requireOpen(proposal);
        _approve(id, _requireVote(id, msg.sender), msg.sender, "");
    }

    /// @inheritdoc IGate
    function approveBySig(Proposal calldata proposal, Signature[] calldata signatures) external {
        bytes32 id = _requireOpen(proposal);
        bytes32 digest = approvalDigest(proposal);
        for (uint256 i = 0; i < signatures.length; ++i) {
            uint104 seat = _requireVote(id, signatures[i].signer);
            _checkSignature(digest, signatures[i]);
            _approve(id, seat, signatures[i].signer, signatures[i].data);
        }
    }

    /// @inheritdoc IGate
    function reject(Proposal calldata proposal) external {
        bytes32 id = _requireOpen(proposal);
        _reject(id, _requireVote(id, msg.sender), msg.sender, "");
    }

    /// @inheritdoc IGate
    function rejectBySig(Proposal calldata proposal, Signature[] calldata signatures) external {
        bytes32 id = _requireOpen(proposal);
        bytes32 digest = rejectionDigest(proposal);
        for (uint256 i = 0; i < signatures.length; ++i) {
            uint104 seat = _requireVote(id, signatures[i].signer);
            _checkSignature(digest, signatures[i]);
            _reject(id, seat, signatures[i].signer, signatures[i].data);
        }
    }

    /// @inheritdoc IGate
    function execute(Proposal calldata proposal) external {
        bytes32 id = _requireOpen(proposal);
        if (rolesOf(proposal.agent) != AGENT) revert GateMissingRole(proposal.agent, AGENT);
        if (!isModelActive(proposal.model)) revert GateModelNotActive(proposal.model);
        Reason reason = _refusal(proposal.kind, proposal.target, proposal.ttl);
        if (reason != Reason.NONE) revert GateRefused(reason);
        uint256 got = _countCurrent(_entries[id].approvals);
        uint256 needed = _quorumOf(proposal);
        if (got < needed) revert GateQuorumNotMet(got, needed);
        _order(id, proposal, 0);
    }

    /// @inheritdoc IGate
    function veto(Proposal calldata proposal) external {
        if (rolesOf(msg.sender) & GUARDIAN == 0) revert GateMissingRole(msg.sender, GUARDIAN);
        bytes32 id = _requireOpen(proposal);
        _entries[id].mark = Mark.VETOED;
        _extend(abi.encode(_head, Vetoed.selector, id, msg.sender));
        emit Vetoed(id, msg.sender);
    }

    /// @inheritdoc IGate
    function release(Proposal calldata proposal, Signature[] calldata signatures) external {
        bytes32 id = idOf(proposal);
        Status status = _status(id, proposal);
        if (status != Status.LIVE) revert GateWrongStatus(id, status);
        _collect(releaseDigest(proposal), signatures);
        uint256 quorum = limits().releaseQuorum;
        if (signatures.length < quorum) revert GateQuorumNotMet(signatures.length, quorum);
        _entries[id].mark = Mark.RELEASED;
        _extend(abi.encode(_head, Released.selector, id, signatures));
        emit Released(id, signatures);
    }

    /// @inheritdoc IGate
    function fileReceipt(bytes32 id, Outcome outcome, bytes32 digest) external {
        if (rolesOf(msg.sender) & ENFORCER == 0) revert GateMissingRole(msg.sender, ENFORCER);
        Mark mark = _entries[id].mark;
        if (mark == Mark.NONE) revert GateWrongStatus(id, Status.NONE);
        if (mark == Mark.PROPOSED) revert GateWrongStatus(id, Status.PENDING);
        if (mark == Mark.VETOED) revert GateWrongStatus(id, Status.VETOED);
        _extend(abi.encode(_head, ReceiptFiled.selector, id, msg.sender, outcome, digest));
        emit ReceiptFiled(id, msg.sender, outcome, digest);
    }

    // ============ Views ============

    /// @inheritdoc IGate
    function stateOf(Proposal calldata proposal)
        external
        view
        returns (Status status, uint256 approvals, uint256 needed, uint64 until)
    {
        bytes32 id = idOf(proposal);
        Entry memory entry = _entries[id];
        status = _status(id, proposal);
        if (status == Status.PENDING && _isReady(entry, proposal)) status = Status.READY;
        return (status, _countCurrent(entry.approvals), _quorumOf(proposal), entry.until);
    }

    /// @inheritdoc IGate
    function orderedUntil(Kind kind, bytes32 target) public view returns (uint64) {
        Entry memory entry = _entries[_orders[kind][target]];
        return _isLive(entry) ? entry.until : 0;
    }

    /// @inheritdoc IGate
    /// @dev Takes any canonical network: is it inside a live block as a whole?
    function isBlocked(bytes32 network) external view returns (bool) {
        if (!Networks.isCanonical(network)) revert RegistryBadNetwork(network);
        uint256 lengths = Networks.family(network) == Networks.IPV4 ? _lengths : _lengths >> V6_LENGTHS;
        uint256 own = Networks.prefixOf(network);
        for (uint256 prefix = 0; prefix <= own; ++prefix) {
            if ((lengths >> prefix) & 1 == 0) continue;
            if (orderedUntil(Kind.BLOCK, Networks.widen(network, prefix)) != 0) return true;
        }
        return false;
    }

    /// @inheritdoc IGate
    function isIsolated(bytes32 asset) external view returns (bool) {
        return orderedUntil(Kind.ISOLATE, asset) != 0;
    }

    /// @inheritdoc IGate
    function isRevoked(bytes32 credential) external view returns (bool) {
        return orderedUntil(Kind.REVOKE, credential) != 0;
    }

    // ============ Internals: effects ============

    function _approve(bytes32 id, uint104 seat, address operator, bytes memory signature) private {
        _entries[id].approvals |= seat;
        _extend(abi.encode(_head, Approved.selector, id, operator, signature));
        emit Approved(id, operator, signature);
    }

    function _reject(bytes32 id, uint104 seat, address operator, bytes memory signature) private {
        _entries[id].rejections |= seat;
        _extend(abi.encode(_head, Rejected.selector, id, operator, signature));
        emit Rejected(id, operator, signature);
    }

    /// @dev An order never ends before the one it supersedes: else an agent with a lease could undo what people signed by
    /// ordering the same for a second. Ending an order early is what `release` is for.
    function _order(bytes32 id, Proposal calldata proposal, bytes32 lease) private {
        uint40 until = uint40(block.timestamp) + proposal.ttl;
        Entry storage previous = _entries[_orders[proposal.kind][proposal.target]];
        if (_isLive(previous)) {
            previous.mark = Mark.SUPERSEDED;
            if (previous.until > until) until = previous.until;
        }
        _entries[id].mark = Mark.EXECUTED;
        _entries[id].until = until;
        _orders[proposal.kind][proposal.target] = id;
        if (proposal.kind == Kind.BLOCK) _noteLength(proposal.target);
        _extend(abi.encode(_head, Executed.selector, id, proposal.kind, proposal.target, until, lease));
        emit Executed(id, proposal.kind, proposal.target, until, lease);
    }

    function _noteLength(bytes32 network) private {
        uint256 offset = Networks.family(network) == Networks.IPV4 ? 0 : V6_LENGTHS;
        uint256 bit = uint256(1) << (offset + Networks.prefixOf(network));
        if (_lengths & bit == 0) _lengths |= bit;
    }

    // ============ Internals: checks ============

    function _checkProposal(bytes32 id, Proposal calldata proposal) private view {
        if (rolesOf(msg.sender) != AGENT) revert GateMissingRole(msg.sender, AGENT);
        if (msg.sender != proposal.agent) revert GateNotProposer(msg.sender, proposal.agent);
        if (!isModelActive(proposal.model)) revert GateModelNotActive(proposal.model);
        uint64 earliest = uint64(block.timestamp) + 1;
        uint64 latest = uint64(block.timestamp) + limits().maxPending;
        if (proposal.deadline < earliest || proposal.deadline > latest) {
            revert GateBadDeadline(proposal.deadline, earliest, latest);
        }
        if (_entries[id].mark != Mark.NONE) revert GateWrongStatus(id, _status(id, proposal));
    }

    /// @dev Still undecided: votes, execution and veto are possible.
    function _requireOpen(Proposal calldata proposal) private view returns (bytes32 id) {
        id = idOf(proposal);
        Status status = _status(id, proposal);
        if (status != Status.PENDING) revert GateWrongStatus(id, status);
    }

    /// @return seat of an operator who has not voted on this proposal
    function _requireVote(bytes32 id, address operator) private view returns (uint104 seat) {
        seat = _requireSeat(operator);
        Entry memory entry = _entries[id];
        if ((entry.approvals | entry.rejections) & seat != 0) revert GateAlreadyVoted(id, operator);
    }

    /// @dev PENDING stands for READY too: telling them apart costs gas that only `stateOf` has to spend.
    function _status(bytes32 id, Proposal calldata proposal) private view returns (Status) {
        Entry memory entry = _entries[id];
        if (entry.mark == Mark.NONE) return Status.NONE;
        if (entry.mark == Mark.VETOED) return Status.VETOED;
        if (entry.mark == Mark.RELEASED) return Status.RELEASED;
        if (entry.mark == Mark.SUPERSEDED) return Status.SUPERSEDED;
        if (entry.mark == Mark.EXECUTED) return _isLive(entry) ? Status.LIVE : Status.EXPIRED;
        if (_isRejected(entry, _quorumOf(proposal))) return Status.REJECTED;
        return block.timestamp >= proposal.deadline ? Status.LAPSED : Status.PENDING;
    }

    /// @dev Where the rule of now asks for no one because it refuses, one rejection is enough.
    function _isRejected(Entry memory entry, uint256 quorum) private view returns (bool) {
        uint256 against = _countCurrent(entry.rejections);
        return against != 0 && against >= quorum;
    }

    function _isReady(Entry memory entry, Proposal calldata proposal) private view returns (bool) {
        return _countCurrent(entry.approvals) >= _quorumOf(proposal) && rolesOf(proposal.agent) == AGENT
            && isModelActive(proposal.model)
            && _refusal(proposal.kind, proposal.target, proposal.ttl) == Reason.NONE;
    }

    function _isLive(Entry memory entry) private view returns (bool) {
        return entry.mark == Mark.EXECUTED && block.timestamp < entry.until;
    }

    /// @dev Approvals that the rule of now asks for.
    function _quorumOf(Proposal calldata proposal) private view returns (uint256) {
        return ruleOf(proposal.kind, _criticalityOf(proposal.kind, proposal.target)).quorum;
    }
}
