// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {BatchDecisions} from "./BatchDecisions.sol";
import {IGate, Outcome, Status} from "./interfaces/IGate.sol";
import {Kind} from "./interfaces/IRegistry.sol";
import {Target} from "./Words.sol";

/// @title What enforcers read back, and what they failed to
abstract contract Receipts is BatchDecisions {
    // ============ Externals ============

    /// @dev See `IGate`.
    function fileReceipt(Kind kind, bytes32 target, bytes20 order, Outcome outcome, bytes32 digest) external {
        _requireScope(msg.sender, kind, _targets[uint8(kind)][target].zone());
        _noteReceipt(kind, target, order);
        _tellFiled(IGate.Receipt(order, target, msg.sender, outcome, digest));
    }

    /// @dev See `IGate`.
    function filePageReceipt(IGate.Batch calldata batch, uint256 page, Outcome outcome, bytes32 digest) external {
        _requireScope(msg.sender, batch.kind, _zoneNumbers[batch.zone]);
        bytes32 key = bytes32(_targetAt(batch, page));
        _tellFiled(IGate.Receipt(_notePageReceipt(batch, page), key, msg.sender, outcome, digest));
    }

    /// @dev See `IGate`.
    function fileReceipts(bytes32 root, uint32 count) external {
        _require(ENFORCER);
        if (_roots[root] != address(0)) revert IGate.GateRootFiled(root);
        _roots[root] = msg.sender;
        _tell(IGate.ReceiptsFiled.selector, root, abi.encode(msg.sender, count));
    }

    /// @dev See `IGate`.
    function showReceipt(Kind kind, IGate.Receipt calldata receipt, bytes32 root, bytes32[] calldata proof) external {
        _requireScope(receipt.enforcer, kind, _targets[uint8(kind)][receipt.target].zone());
        _checkProof(receipt, root, proof);
        _noteReceipt(kind, receipt.target, receipt.order);
        _tell(IGate.ReceiptShown.selector, receipt.order, abi.encode(receipt, root));
    }

    /// @dev See `IGate`.
    function showPageReceipt(
        IGate.Batch calldata batch,
        IGate.Receipt calldata receipt,
        bytes32 root,
        bytes32[] calldata proof
    ) external {
        _requireScope(receipt.enforcer, batch.kind, _zoneNumbers[batch.zone]);
        _checkProof(receipt, root, proof);
        bytes20 order = _notePageReceipt(batch, _find(batch, receipt.target));
        if (receipt.order != order) revert IGate.GateBadProof(root);
        _tell(IGate.ReceiptShown.selector, order, abi.encode(receipt, root));
    }

    /// @dev See `IGate`.
    function reportMissing(IGate.Proposal calldata proposal) external {
        _reportMissing(_idOf(proposal), proposal.kind, proposal.target, proposal.ttl);
    }

    /// @dev See `IGate`.
    function reportMissingBatch(IGate.Batch calldata batch, uint256 target) external {
        bytes32 id = _batchIdOf(batch);
        bytes32 key = bytes32(_targetAt(batch, target));
        if (batch.kind != Kind.ISOLATE) return _reportMissing(id, batch.kind, key, batch.ttl);
        Page storage page = _requirePage(id, batch, target);
        _requireDue(id, page.flags, page.until, batch.ttl);
        page.flags |= MISSED;
        _tell(IGate.ReceiptMissed.selector, id, abi.encode(key, msg.sender));
    }

    // ============ Internals ============

    function _requireScope(address enforcer, Kind kind, uint16 zone) private view {
        if (_accounts[enforcer].roles() & ENFORCER == 0) revert IGate.GateMissingRole(enforcer, ENFORCER);
        Scope memory scope = _scopes[enforcer];
        bool covers = (scope.kinds >> uint8(kind)) & 1 != 0 && (scope.zone == 0 || scope.zone == zone);
        if (!covers) revert IGate.GateOutOfScope(enforcer);
    }

    function _tellFiled(IGate.Receipt memory receipt) private {
        _tell(IGate.ReceiptFiled.selector, receipt.order, abi.encode(receipt));
    }

    function _noteReceipt(Kind kind, bytes32 key, bytes20 order) private {
        Target target = _targets[uint8(kind)][key];
        if (order == 0 || !target.isOf(order)) revert IGate.GateNoOrder(order);
        _targets[uint8(kind)][key] = target.with(RECEIPTED);
    }

    function _notePageReceipt(IGate.Batch calldata batch, uint256 i) private returns (bytes20) {
        bytes32 id = _batchIdOf(batch);
        _requirePage(id, batch, i).flags |= RECEIPTED;
        return bytes20(id);
    }

    /// @return page on which the batch was the last
    function _requirePage(bytes32 id, IGate.Batch calldata batch, uint256 i) private view returns (Page storage page) {
        page = _page(_zoneNumbers[batch.zone], batch.criticality, batch.targets[i]);
        if (page.batch != uint80(bytes10(id))) revert IGate.GateWrongStatus(id, Status.SUPERSEDED);
    }

    function _checkProof(IGate.Receipt calldata receipt, bytes32 root, bytes32[] calldata proof) private view {
        bytes32 leaf = keccak256(bytes.concat(keccak256(abi.encode(receipt))));
        bool valid = _roots[root] == receipt.enforcer && MerkleProof.verifyCalldata(proof, root, leaf);
        if (!valid) revert IGate.GateBadProof(root);
    }

    function _targetAt(IGate.Batch calldata batch, uint256 i) private pure returns (uint256) {
        if (i >= batch.targets.length) revert IGate.GateBadBatch();
        return batch.targets[i];
    }

    function _find(IGate.Batch calldata batch, bytes32 target) private pure returns (uint256 i) {
        while (i < batch.targets.length && bytes32(batch.targets[i]) != target) ++i;
        if (i == batch.targets.length) revert IGate.GateBadBatch();
    }

    function _reportMissing(bytes32 id, Kind kind, bytes32 key, uint32 ttl) private {
        Target target = _targets[uint8(kind)][key];
        if (!target.isOf(id)) revert IGate.GateWrongStatus(id, Status.SUPERSEDED);
        _requireDue(id, target.flags(), target.until(), ttl);
        _targets[uint8(kind)][key] = target.with(MISSED);
        _tell(IGate.ReceiptMissed.selector, id, abi.encode(key, msg.sender));
    }

    /// @param until end of the order; one that was released is not reported
    function _requireDue(bytes32 id, uint256 flags, uint256 until, uint32 ttl) private view {
        if (until == 0) revert IGate.GateWrongStatus(id, Status.RELEASED);
        if (flags & (RECEIPTED | MISSED) != 0) revert IGate.GateReceiptKnown(id);
        uint256 due = until - ttl + _settings.receiptDue;
        if (block.timestamp < due) revert IGate.GateTooEarly(uint64(due));
    }
}
