// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IGate, Reason, Status} from "./interfaces/IGate.sol";
import {Kind} from "./interfaces/IRegistry.sol";
import {Networks} from "./Networks.sol";
import {Signers} from "./Signers.sol";

/// @title What is proposed, what is ordered, and how it stands
/// @dev A proposal that waits has one word: who voted (by seat), and whether it was vetoed. Once executed it is the order in
/// its target's word. Everything else about its status follows from the agent's used nonces, from the votes of those who are
/// operators now and from the rules of now.
abstract contract Orders is Signers {
    // ============ Constants ============

    uint256 private constant NONCES = 32; // bits of `Account.recentNonces`
    uint48 internal constant ROW = 16; // bits of a lease's budget for each kind

    // ============ Internals: proposing ============

    /// @dev What holds of proposals and batches alike.
    /// @return agent account of the proposer with this nonce used, not stored yet
    function _checkAgent(address agent_, bytes32 model, uint256 nonce) internal view returns (Account memory agent) {
        agent = _accounts[msg.sender];
        if (agent.roles != AGENT) revert IGate.GateMissingRole(msg.sender, AGENT);
        if (msg.sender != agent_) revert IGate.GateNotProposer(msg.sender, agent_);
        if (!_models[model].active) revert IGate.GateModelNotActive(model);
        _useNonce(agent, nonce);
    }

    function _checkDeadline(uint64 deadline, uint24 maxPending) internal view {
        uint64 earliest = uint64(block.timestamp) + 1;
        uint64 latest = uint64(block.timestamp) + maxPending;
        if (deadline < earliest || deadline > latest) revert IGate.GateBadDeadline(deadline, earliest, latest);
    }

    /// @dev One that lies too far back counts as used.
    function _isUsed(Account memory agent, uint256 nonce) internal pure returns (bool) {
        if (nonce > agent.lastNonce) return false;
        uint256 behind = agent.lastNonce - nonce;
        return behind >= NONCES || (agent.recentNonces >> behind) & 1 != 0;
    }

    // ============ Internals: orders ============

    /// @dev An order never ends before the one it supersedes: else an agent with a lease could undo what people signed by
    /// ordering the same for a second. Ending an order early is what `release` is for.
    function _order(bytes32 id, Kind kind, bytes32 key, uint32 ttl, Look memory look) internal returns (uint40 until) {
        until = uint40(block.timestamp) + ttl;
        Target memory target = look.target;
        if (target.until > until) until = target.until;
        _count(kind, look);
        (target.until, target.order) = (until, bytes20(id));
        target.flags &= ~(RECEIPTED | MISSED);
        _targets[kind][key] = target;
        if (kind == Kind.BLOCK) _noteLength(key);
    }

    // ============ Internals: leases ============

    function _leaseCovers(address agent, Kind kind, uint32 ttl, bytes32 model, Look memory look)
        internal
        view
        returns (bool)
    {
        if (!look.cell.leasable || _isFrozen(look.zone)) return false;
        Terms memory terms = _leases[agent].terms;
        return _isLive(terms, look.cell.operators, look.cell.leaseQuorum) && terms.model == _models[model].number
            && look.criticality <= terms.maxCriticality && ttl <= terms.maxTtl && _row(terms.left, uint256(kind)) != 0;
    }

    function _spendLease(address agent, Kind kind) internal {
        _leases[agent].terms.left -= uint48(1) << (ROW * uint48(kind));
    }

    function _isLive(Terms memory terms, uint64 operators, uint8 quorum) internal view returns (bool) {
        return block.timestamp < terms.expires && _bits(terms.signers & operators) >= quorum;
    }

    function _row(uint48 budgets, uint256 kind) internal pure returns (uint16) {
        return uint16(budgets >> (ROW * kind));
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
        return _bits(entry.approvals & look.cell.operators) >= _quorum(look)
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

    function _veto(bytes32 id) internal {
        _entries[id].mark = Mark.VETOED;
        _tell(IGate.Vetoed.selector, id, abi.encode(msg.sender));
    }

    // ============ Internals: parts ============

    /// @dev Of what does not wait: never proposed, or executed.
    function _orderStatus(bytes32 id, IGate.Proposal calldata proposal) private view returns (Status) {
        if (!_isUsed(_accounts[proposal.agent], proposal.nonce)) return Status.NONE;
        Target memory target = _targets[proposal.kind][proposal.target];
        if (target.order != bytes20(id)) return Status.SUPERSEDED;
        if (target.until == 0) return Status.RELEASED;
        return block.timestamp < target.until ? Status.LIVE : Status.EXPIRED;
    }

    /// @dev Where the rule of now asks for no one because it refuses, one rejection is enough.
    function _isRejected(Entry memory entry, uint256 quorum) private view returns (bool) {
        uint256 against = _countCurrent(entry.rejections);
        return against != 0 && against >= quorum;
    }

    /// @dev Counts a nonce as used; the caller stores the account.
    function _useNonce(Account memory agent, uint256 nonce) private pure {
        if (nonce > type(uint32).max || _isUsed(agent, nonce)) revert IGate.GateBadNonce(nonce, agent.lastNonce);
        if (nonce <= agent.lastNonce) {
            agent.recentNonces |= uint32(1 << (agent.lastNonce - nonce));
            return;
        }
        uint256 ahead = nonce - agent.lastNonce; // a shift beyond the width leaves zero
        agent.recentNonces = uint32(uint256(agent.recentNonces) << ahead) | 1;
        agent.lastNonce = uint32(nonce);
    }

    function _noteLength(bytes32 network) private {
        uint256 prefix = Networks.prefixOf(network);
        if (prefix == Networks.width(network)) return;
        uint256 bit = uint256(1) << (Networks.isV4(network) ? prefix : V6_LENGTHS + prefix);
        if (_lengths & bit == 0) _lengths |= bit;
    }
}
