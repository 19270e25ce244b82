// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Guardrails} from "./Guardrails.sol";
import {IGate, Outcome, Reason, Status, Tier} from "./interfaces/IGate.sol";
import {Kind} from "./interfaces/IRegistry.sol";
import {Networks} from "./Networks.sol";

/// @title The gate: an agent proposes, people countersign, the network obeys
/// @dev A proposal that waits has one word: who voted (by seat), and whether it was vetoed. Once executed it is the order in
/// its target's word. Everything else about its status follows from the agent's used nonces, from the votes of those who are
/// operators now and from the rules of now.
contract Gate is Guardrails {
    // ============ Storage ============

    enum Mark {
        NONE,
        PROPOSED,
        VETOED
    }

    struct Entry {
        Mark mark;
        uint104 approvals; // seats
        uint104 rejections; // seats
    }

    mapping(bytes32 id => Entry) private _entries; // gone once executed

    /// @dev Prefix lengths ever blocked but for single addresses, which are many: bit p for IPv4, bit 64 + p for IPv6.
    /// Spares `isBlocked` the lengths no one used.
    uint256 private _lengths;
    uint256 private constant V6_LENGTHS = 64;

    uint256 private constant NONCES = 32; // bits of `Account.recentNonces`

    // ============ Constructor ============

    /// @param manager OpenZeppelin `AccessManager` that governs the registry, for good.
    constructor(address manager) AccessManaged(manager) EIP712("Countersign", "1") {}

    // ============ Life-cycle ============

    /// @inheritdoc IGate
    function propose(Proposal calldata proposal) external returns (bytes32 id, Status status) {
        (Account memory agent, uint8 criticality, Cell memory cell) = _checkProposal(proposal);
        bool leased =
            _leaseCovers(proposal.agent, proposal.kind, criticality, proposal.ttl, proposal.model, cell);
        id = _enter(proposal, agent, leased ? 0 : cell.quorum);
        if (leased) {
            _spendLease(proposal.agent, proposal.kind);
            _order(id, proposal, true);
            return (id, Status.LIVE);
        }
        _entries[id].mark = Mark.PROPOSED;
        return (id, Status.PENDING);
    }

    /// @inheritdoc IGate
    function proposeApproved(Proposal calldata proposal, CompactSignature[] calldata signatures)
        external
        returns (bytes32 id)
    {
        (Account memory agent,, Cell memory cell) = _checkProposal(proposal);
        if (signatures.length < cell.quorum) revert GateQuorumNotMet(signatures.length, cell.quorum);
        id = _enter(proposal, agent, cell.quorum);
        bytes32 digest = _approvalDigest(id, proposal);
        uint104 seats;
        for (uint256 i = 0; i < signatures.length; ++i) {
            CompactSignature calldata signature = signatures[i];
            address operator = _recover(digest, signature);
            uint104 seat = _requireSeat(operator);
            if (seats & seat != 0) revert GateDuplicateSigner(operator);
            seats |= seat;
            _tellApproved(id, operator, bytes.concat(signature.r, signature.vs));
        }
        _order(id, proposal, false);
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
        Cell memory cell = _cellOf(proposal);
        Reason reason = _refusal(proposal.kind, proposal.target, proposal.ttl, cell);
        if (reason != Reason.NONE) revert GateRefused(reason);
        uint256 got = _countCurrent(_entries[id].approvals);
        if (got < cell.quorum) revert GateQuorumNotMet(got, cell.quorum);
        delete _entries[id];
        _order(id, proposal, false);
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
        uint256 quorum = _settings.releaseQuorum;
        if (signatures.length < quorum) revert GateQuorumNotMet(signatures.length, quorum);
        _targets[proposal.kind][proposal.target].until = 0;
        _extend(abi.encode(_head, Released.selector, id, signatures));
        emit Released(id, signatures);
    }

    /// @inheritdoc IGate
    function fileReceipt(Proposal calldata proposal, Outcome outcome, bytes32 digest) external {
        if (rolesOf(msg.sender) & ENFORCER == 0) revert GateMissingRole(msg.sender, ENFORCER);
        bytes32 id = idOf(proposal);
        if (_targets[proposal.kind][proposal.target].order != bytes24(id)) {
            revert GateWrongStatus(id, _status(id, proposal));
        }
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
        bool ordered = status == Status.LIVE || status == Status.EXPIRED;
        until = ordered ? _targets[proposal.kind][proposal.target].until : 0;
        return (status, _countCurrent(entry.approvals), _cellOf(proposal).quorum, until);
    }

    /// @inheritdoc IGate
    function orderedUntil(Kind kind, bytes32 target) public view returns (uint64) {
        uint40 until = _targets[kind][target].until;
        return block.timestamp < until ? until : 0;
    }

    /// @inheritdoc IGate
    /// @dev Takes any canonical network: is it inside a live block as a whole?
    function isBlocked(bytes32 network) external view returns (bool) {
        if (!Networks.isCanonical(network)) revert RegistryBadNetwork(network);
        uint256 lengths = Networks.isV4(network) ? _lengths : _lengths >> V6_LENGTHS;
        uint256 own = Networks.prefixOf(network);
        for (uint256 prefix = 0; prefix <= own; ++prefix) {
            if ((lengths >> prefix) & 1 == 0 && prefix != Networks.width(network)) continue;
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

    /// @param agent the account of the one who proposes, with budget and nonce spent
    function _enter(Proposal calldata proposal, Account memory agent, uint8 quorum) private returns (bytes32 id) {
        id = idOf(proposal);
        _accounts[proposal.agent] = agent;
        _tell(abi.encode(_head, Proposed.selector, id, proposal, quorum));
    }

    function _approve(bytes32 id, uint104 seat, address operator, bytes memory signature) private {
        _entries[id].approvals |= seat;
        _tellApproved(id, operator, signature);
    }

    function _tellApproved(bytes32 id, address operator, bytes memory signature) private {
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
    function _order(bytes32 id, Proposal calldata proposal, bool leased) private {
        Target storage target = _targets[proposal.kind][proposal.target];
        uint40 until = uint40(block.timestamp) + proposal.ttl;
        if (target.until > until) until = target.until;
        (target.until, target.order) = (until, bytes24(id));
        if (proposal.kind == Kind.BLOCK) _noteLength(proposal.target);
        _extend(abi.encode(_head, Executed.selector, id, proposal.kind, proposal.target, until, leased));
        emit Executed(id, proposal.kind, proposal.target, until, leased);
    }

    function _noteLength(bytes32 network) private {
        uint256 prefix = Networks.prefixOf(network);
        if (prefix == Networks.width(network)) return;
        uint256 bit = uint256(1) << (Networks.isV4(network) ? prefix : V6_LENGTHS + prefix);
        if (_lengths & bit == 0) _lengths |= bit;
    }

    // ============ Internals: checks ============

    /// @return agent account of the proposer with this proposal's nonce and budget spent, not stored yet
    /// @return criticality of the target
    /// @return cell the target's
    function _checkProposal(Proposal calldata proposal)
        private
        view
        returns (Account memory agent, uint8 criticality, Cell memory cell)
    {
        agent = _accounts[msg.sender];
        if (agent.roles != AGENT) revert GateMissingRole(msg.sender, AGENT);
        if (msg.sender != proposal.agent) revert GateNotProposer(msg.sender, proposal.agent);
        if (!isModelActive(proposal.model)) revert GateModelNotActive(proposal.model);
        Kind kind = proposal.kind;
        criticality = _criticalityOf(kind, proposal.target);
        cell = _cells[kind][criticality];
        _checkDeadline(proposal.deadline, cell.maxPending);
        _useNonce(agent, proposal.nonce);
        Reason reason = _refusal(kind, proposal.target, proposal.ttl, cell);
        if (reason != Reason.NONE) revert GateRefused(reason);
        _spendBudget(agent, kind, criticality, cell);
    }

    function _checkDeadline(uint64 deadline, uint32 maxPending) private view {
        uint64 earliest = uint64(block.timestamp) + 1;
        uint64 latest = uint64(block.timestamp) + maxPending;
        if (deadline < earliest || deadline > latest) revert GateBadDeadline(deadline, earliest, latest);
    }

    /// @dev Counts a nonce as used; the caller stores the account.
    function _useNonce(Account memory agent, uint256 nonce) private pure {
        if (nonce > type(uint32).max || _isUsed(agent, nonce)) revert GateBadNonce(nonce, agent.lastNonce);
        if (nonce <= agent.lastNonce) {
            agent.recentNonces |= uint32(1 << (agent.lastNonce - nonce));
            return;
        }
        uint256 ahead = nonce - agent.lastNonce; // a shift beyond the width leaves zero
        agent.recentNonces = uint32(uint256(agent.recentNonces) << ahead) | 1;
        agent.lastNonce = uint32(nonce);
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
        if (entry.mark == Mark.NONE) return _orderStatus(id, proposal);
        if (entry.mark == Mark.VETOED) return Status.VETOED;
        if (_isRejected(entry, _cellOf(proposal).quorum)) return Status.REJECTED;
        return block.timestamp >= proposal.deadline ? Status.LAPSED : Status.PENDING;
    }

    /// @dev Of what does not wait: never proposed, or executed.
    function _orderStatus(bytes32 id, Proposal calldata proposal) private view returns (Status) {
        if (!_isUsed(_accounts[proposal.agent], proposal.nonce)) return Status.NONE;
        Target memory target = _targets[proposal.kind][proposal.target];
        if (target.order != bytes24(id)) return Status.SUPERSEDED;
        if (target.until == 0) return Status.RELEASED;
        return block.timestamp < target.until ? Status.LIVE : Status.EXPIRED;
    }

    /// @dev One that lies too far back counts as used.
    function _isUsed(Account memory agent, uint256 nonce) private pure returns (bool) {
        if (nonce > agent.lastNonce) return false;
        uint256 behind = agent.lastNonce - nonce;
        return behind >= NONCES || (agent.recentNonces >> behind) & 1 != 0;
    }

    /// @dev Where the rule of now asks for no one because it refuses, one rejection is enough.
    function _isRejected(Entry memory entry, uint256 quorum) private view returns (bool) {
        uint256 against = _countCurrent(entry.rejections);
        return against != 0 && against >= quorum;
    }

    function _isReady(Entry memory entry, Proposal calldata proposal) private view returns (bool) {
        Cell memory cell = _cellOf(proposal);
        return _countCurrent(entry.approvals) >= cell.quorum && rolesOf(proposal.agent) == AGENT
            && isModelActive(proposal.model)
            && _refusal(proposal.kind, proposal.target, proposal.ttl, cell) == Reason.NONE;
    }

    /// @dev The rule of now.
    function _cellOf(Proposal calldata proposal) private view returns (Cell memory) {
        return _cells[proposal.kind][_criticalityOf(proposal.kind, proposal.target)];
    }
}
