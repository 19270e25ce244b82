// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IGate, Reason, Status} from "./interfaces/IGate.sol";
import {Kind} from "./interfaces/IRegistry.sol";
import {Networks} from "./Networks.sol";
import {Signers} from "./Signers.sol";
import {Account, ones, Target, Terms} from "./Words.sol";

/// @title What is proposed, what is ordered, and how it stands
/// @dev A proposal that waits has one word: who voted (by seat), and whether it was vetoed. Once executed it is the order in
/// its target's word. Everything else about its status follows from the agent's used nonces, from the votes of those who are
/// operators now and from the rules of now.
abstract contract Orders is Signers {
    // ============ Constants ============

    uint256 private constant NONCES = 24; // how far ahead of the last one a veto reaches
    uint256 private constant ORDERED_HEAD = 0x140; // bytes before the signatures in the data of `Ordered`

    // ============ Internals: proposing ============

    /// @dev What holds of proposals and batches alike.
    /// @return agent account of the proposer with this nonce used, not stored yet
    function _checkAgent(address proposer, bytes32 model, uint256 nonce) internal view returns (Account agent) {
        agent = _accounts[msg.sender];
        if (agent.roles() != AGENT) revert IGate.GateMissingRole(msg.sender, AGENT);
        if (msg.sender != proposer) revert IGate.GateNotProposer(msg.sender, proposer);
        if (!_models[model].active) revert IGate.GateModelNotActive(model);
        if (nonce > type(uint32).max || agent.isUsed(nonce)) revert IGate.GateBadNonce(nonce, agent.lastNonce());
        return agent.withNonce(nonce);
    }

    function _checkDeadline(uint64 deadline, uint256 maxPending) internal view {
        uint256 latest = block.timestamp + maxPending;
        if (deadline <= block.timestamp || deadline > latest) {
            revert IGate.GateBadDeadline(deadline, uint64(block.timestamp) + 1, uint64(latest));
        }
    }

    // ============ Internals: orders ============

    /// @dev An order never ends before the one it supersedes: else an agent with a lease could undo what people signed by
    /// ordering the same for a second. Ending an order early is what `release` is for.
    function _order(bytes32 id, Kind kind, bytes32 key, uint256 ttl, Look memory look)
        internal
        returns (uint256 until)
    {
        until = block.timestamp + ttl;
        if (look.target.until() > until) until = look.target.until();
        _count(kind, look);
        _targets[uint8(kind)][key] = look.target.without(RECEIPTED | MISSED).with(COUNTED).withOrder(until, id);
        if (kind == Kind.BLOCK) _noteLength(key);
    }

    /// @dev Proposed and executed in one transaction.
    /// @param signatures `abi.encode` of the elements alone
    function _tellOrdered(
        bytes32 id,
        IGate.Proposal calldata proposal,
        uint256 until,
        uint256 count,
        bytes calldata signatures
    ) internal {
        bytes memory rest = abi.encode(until, ORDERED_HEAD, count);
        _tell(IGate.Ordered.selector, id, bytes.concat(_raw(proposal), rest, signatures));
    }

    // ============ Internals: leases ============

    function _leaseCovers(address agent, Account account, Kind kind, uint256 ttl, bytes32 model, Look memory look)
        internal
        view
        returns (bool)
    {
        if (!look.cell.leasable() || account.left(uint256(kind)) == 0 || _isFrozen(look.zone)) return false;
        Terms terms = _leases[agent].terms;
        return _isLive(terms, look.cell.operators(), look.cell.leaseQuorum()) && terms.model() == _models[model].number
            && look.criticality <= terms.maxCriticality() && ttl <= terms.maxTtl();
    }

    function _isLive(Terms terms, uint256 operators, uint256 quorum) internal view returns (bool) {
        return block.timestamp < terms.expires() && ones(terms.signers() & operators) >= quorum;
    }

    // ============ Internals: status ============

    /// @dev Still undecided: votes, execution and veto are possible.
    function _requireOpen(IGate.Proposal calldata proposal) internal view returns (bytes32 id) {
        id = _idOf(proposal);
        Status status = _status(id, proposal);
        if (status != Status.PENDING) revert IGate.GateWrongStatus(id, status);
    }

    /// @dev PENDING stands for WAITING and READY too: telling them apart costs gas that only `stateOf` has to spend.
    function _status(bytes32 id, IGate.Proposal calldata proposal) internal view returns (Status) {
        Entry memory entry = _entries[id];
        if (entry.mark == Mark.VETOED) return Status.VETOED;
        if (entry.mark == Mark.NONE) return _orderStatus(id, proposal);
        if (_isRejected(entry, _quorum(_look(proposal.kind, proposal.target)))) return Status.REJECTED;
        return block.timestamp >= proposal.deadline ? Status.LAPSED : Status.PENDING;
    }

    /// @return seat of an operator who has not voted on this proposal
    function _requireVote(bytes32 id, address operator) internal view returns (uint64 seat) {
        seat = _requireSeat(operator);
        Entry memory entry = _entries[id];
        if ((entry.approvals | entry.rejections | entry.withdrawn) & seat != 0) {
            revert IGate.GateAlreadyVoted(id, operator);
        }
    }

    /// @dev Enough approvals of every sort that the rule of now asks for.
    function _isApproved(Entry memory entry, Look memory look) internal view returns (bool) {
        return ones(entry.approvals & look.cell.operators()) >= _quorum(look)
            && _missingGroups(entry.approvals, look.cell) == 0;
    }

    // ============ Internals: what stops ============

    function _withdraw(bytes32 id) internal {
        uint64 seat = _requireSeat(msg.sender);
        Entry storage entry = _entries[id];
        if (entry.withdrawn & seat != 0) revert IGate.GateAlreadyVoted(id, msg.sender);
        (entry.approvals, entry.rejections) = (entry.approvals & ~seat, entry.rejections & ~seat);
        entry.withdrawn |= seat;
        _tell(IGate.Withdrawn.selector, id, abi.encode(msg.sender));
    }

    function _veto(bytes32 id, address agent, uint256 nonce) internal {
        _require(GUARDIAN);
        _entries[id].mark = Mark.VETOED;
        _tell(IGate.Vetoed.selector, id, abi.encode(msg.sender, agent, nonce));
    }

    /// @dev Of what is vetoed before it is proposed. A guardian must not use up all that an agent has.
    function _burn(address proposer, uint256 nonce) internal {
        Account agent = _accounts[proposer];
        if (agent.roles() != AGENT) revert IGate.GateMissingRole(proposer, AGENT);
        bool near = nonce <= agent.lastNonce() + NONCES && nonce <= type(uint32).max;
        if (!near || agent.isUsed(nonce)) revert IGate.GateBadNonce(nonce, agent.lastNonce());
        _accounts[proposer] = agent.withNonce(nonce);
    }

    // ============ Internals: parts ============

    /// @dev Of what does not wait: never proposed, or executed.
    function _orderStatus(bytes32 id, IGate.Proposal calldata proposal) private view returns (Status) {
        if (!_accounts[proposal.agent].isUsed(proposal.nonce)) return Status.NONE;
        Target target = _targets[uint8(proposal.kind)][proposal.target];
        if (!target.isOf(id)) return Status.SUPERSEDED;
        if (target.until() == 0) return Status.RELEASED;
        return block.timestamp < target.until() ? Status.LIVE : Status.EXPIRED;
    }

    /// @dev Where the rule of now asks for no one because it refuses, one rejection is enough.
    function _isRejected(Entry memory entry, uint256 quorum) private view returns (bool) {
        uint256 against = _countCurrent(entry.rejections);
        return against != 0 && against >= quorum;
    }

    function _noteLength(bytes32 network) internal {
        uint256 prefix = Networks.prefixOf(network);
        if (prefix == Networks.width(network)) return;
        uint256 bit = uint256(1) << (Networks.isV4(network) ? prefix : V6_LENGTHS + prefix);
        if (_lengths & bit == 0) _lengths |= bit;
    }
}
