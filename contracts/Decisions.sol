// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IGate, Reason, Status, Tier} from "./interfaces/IGate.sol";
import {Kind} from "./interfaces/IRegistry.sol";
import {Orders} from "./Orders.sol";
import {Account, Target} from "./Words.sol";

/// @title What stops, ends and shows an order
abstract contract Decisions is Orders {
    // ============ Constants ============

    bytes32 private constant RESUME = keccak256("Resume(uint32 pause)");

    // ============ Proposals ============

    /// @dev See `IGate`.
    function reject(IGate.Proposal calldata proposal) external {
        bytes32 id = _requireOpen(proposal);
        _reject(id, _requireVote(id, msg.sender), msg.sender, "");
    }

    /// @dev See `IGate`.
    function rejectBySig(IGate.Proposal calldata proposal, IGate.Signature[] calldata signatures) external {
        bytes32 id = _requireOpen(proposal);
        bytes32 digest = rejectionDigest(proposal);
        for (uint256 i = 0; i < signatures.length; ++i) {
            uint64 seat = _requireVote(id, signatures[i].signer);
            _checkSignature(digest, signatures[i]);
            _reject(id, seat, signatures[i].signer, signatures[i].data);
        }
    }

    /// @dev See `IGate`.
    function withdraw(IGate.Proposal calldata proposal) external {
        (bytes32 id, Status status) = _requireUndecided(proposal);
        if (status == Status.NONE) {
            _checkDeadline(proposal.deadline, _look(proposal.kind, proposal.target).cell.maxPending());
        }
        _withdraw(id);
    }

    /// @dev See `IGate`.
    function veto(IGate.Proposal calldata proposal) external {
        (bytes32 id, Status status) = _requireUndecided(proposal);
        _veto(id, proposal.agent, proposal.nonce);
        if (status == Status.NONE) _burn(proposal.agent, proposal.nonce);
    }

    /// @dev See `IGate`.
    function release(IGate.Proposal calldata proposal, IGate.Signature[] calldata signatures) external {
        bytes32 id = _idOf(proposal);
        Status status = _status(id, proposal);
        if (status != Status.LIVE) revert IGate.GateWrongStatus(id, status);
        _collect(releaseDigest(proposal), signatures, _settings.releaseQuorum);
        _targets[uint8(proposal.kind)][proposal.target] = _targets[uint8(proposal.kind)][proposal.target].withUntil(0);
        _uncount(proposal.kind, proposal.target);
        _tell(IGate.Released.selector, id, abi.encode(signatures));
    }

    // ============ Limits on what is live ============

    /// @dev See `IGate`.
    function settle(Kind kind, bytes32[] calldata targets) external {
        for (uint256 i = 0; i < targets.length; ++i) {
            Target target = _targets[uint8(kind)][targets[i]];
            if (!target.has(COUNTED) || block.timestamp < target.until()) revert IGate.GateNotEnded(targets[i]);
            _uncount(kind, targets[i]);
            _tell(IGate.Settled.selector, targets[i], abi.encode(kind));
        }
    }

    // ============ Stopping ============

    /// @dev See `IGate`.
    function pause() external {
        _require(GUARDIAN);
        if (_settings.paused) revert IGate.GateRefused(Reason.PAUSED);
        uint16 number = ++_settings.pauses;
        _setPaused(true);
        _tell(IGate.Paused.selector, bytes32(uint256(uint160(msg.sender))), abi.encode(number));
    }

    /// @dev See `IGate`.
    function resume(IGate.Signature[] calldata signatures) external {
        if (!_settings.paused) revert IGate.GateNotPaused();
        _collect(resumeDigest(), signatures, _settings.releaseQuorum);
        _setPaused(false);
        _tell(IGate.Resumed.selector, bytes32(uint256(_settings.pauses)), abi.encode(signatures));
    }

    // ============ Views ============

    /// @dev See `IGate`.
    function idOf(IGate.Proposal calldata proposal) external view returns (bytes32) {
        return _idOf(proposal);
    }

    /// @dev See `IGate`.
    function approvalDigest(IGate.Proposal calldata proposal) external view returns (bytes32) {
        return _decisionDigest(APPROVAL, proposal);
    }

    /// @dev See `IGate`.
    function rejectionDigest(IGate.Proposal calldata proposal) public view returns (bytes32) {
        return _decisionDigest(REJECTION, proposal);
    }

    /// @dev See `IGate`.
    function releaseDigest(IGate.Proposal calldata proposal) public view returns (bytes32) {
        return _decisionDigest(RELEASE, proposal);
    }

    /// @dev See `IGate`.
    function resumeDigest() public view returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(RESUME, _settings.pauses)));
    }

    /// @dev See `IGate`.
    function pausedNow() external view returns (uint32) {
        return _settings.paused ? _settings.pauses : 0;
    }

    /// @dev See `IGate`.
    function verdict(address agent, Kind kind, bytes32 target, uint32 ttl, bytes32 model)
        external
        view
        returns (Tier tier, Reason reason, uint8 approvals, uint24 delay)
    {
        Look memory look = _look(kind, target);
        reason = _refusal(kind, target, ttl, look);
        if (reason == Reason.NONE && _isSpent(_accounts[agent], kind, look)) reason = Reason.BUDGET_SPENT;
        if (reason != Reason.NONE) return (Tier.REFUSED, reason, 0, 0);
        if (_leaseCovers(agent, _accounts[agent], kind, ttl, model, look)) return (Tier.LEASE, Reason.NONE, 0, 0);
        delay = uint24(_delay(look));
        return (delay == 0 ? Tier.QUORUM : Tier.DELAYED, Reason.NONE, uint8(_quorum(look)), delay);
    }

    /// @dev See `IGate`.
    function stateOf(IGate.Proposal calldata proposal)
        external
        view
        returns (Status status, uint256 approvals, uint256 needed, uint64 until)
    {
        bytes32 id = _idOf(proposal);
        Entry memory entry = _entries[id];
        Look memory look = _look(proposal.kind, proposal.target);
        status = _status(id, proposal);
        if (status == Status.PENDING && _mayExecute(entry, proposal, look)) {
            uint64 earliest = uint64(entry.approvedAt + _delay(look));
            status = block.timestamp < earliest ? Status.WAITING : Status.READY;
            if (status == Status.WAITING) until = earliest;
        }
        if (status == Status.LIVE || status == Status.EXPIRED) until = uint64(look.target.until());
        return (status, _countCurrent(entry.approvals), _quorum(look), until);
    }

    // ============ Internals ============

    function _reject(bytes32 id, uint64 seat, address operator, bytes memory signature) private {
        _entries[id].rejections |= seat;
        _tell(IGate.Rejected.selector, id, abi.encode(operator, signature));
    }

    /// @dev Not executed, vetoed, rejected or lapsed; perhaps not yet proposed.
    function _requireUndecided(IGate.Proposal calldata proposal) private view returns (bytes32 id, Status status) {
        id = _idOf(proposal);
        status = _status(id, proposal);
        if (status != Status.PENDING && status != Status.NONE) revert IGate.GateWrongStatus(id, status);
    }

    function _decisionDigest(bytes32 typeHash, IGate.Proposal calldata proposal) private view returns (bytes32) {
        return _digest(typeHash, _idOf(proposal), proposal, _look(proposal.kind, proposal.target));
    }

    function _mayExecute(Entry memory entry, IGate.Proposal calldata proposal, Look memory look)
        private
        view
        returns (bool)
    {
        return _isApproved(entry, look) && _accounts[proposal.agent].roles() == AGENT && _models[proposal.model].active
            && _refusal(proposal.kind, proposal.target, proposal.ttl, look) == Reason.NONE;
    }

    function _isSpent(Account agent, Kind kind, Look memory look) private view returns (bool) {
        return agent.used(_window(look.cell), _cellNumber(kind, look.criticality)) >= look.cell.budget();
    }

    function _setPaused(bool paused) private {
        _settings.paused = paused;
        for (uint256 i = 0; i < CELLS; ++i) {
            _cells[i] = _cells[i].withPaused(paused);
        }
    }
}
