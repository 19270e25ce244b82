// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Batches} from "./Batches.sol";
import {IGate, Status} from "./interfaces/IGate.sol";
import {IRegistry, Kind} from "./interfaces/IRegistry.sol";
import {Account, Cell, Target} from "./Words.sol";

/// @title What stops, ends and shows a batch
abstract contract BatchDecisions is Batches {
    // ============ Externals ============

    /// @dev See `IGate`.
    function withdrawBatch(IGate.Batch calldata batch) external {
        bytes32 id = _batchIdOf(batch);
        Account agent = _accounts[batch.agent];
        if (agent.isUsed(batch.nonce)) revert IGate.GateBadNonce(batch.nonce, agent.lastNonce());
        _checkDeadline(batch.deadline, _settings.maxPending);
        _withdraw(id);
    }

    /// @dev See `IGate`.
    function vetoBatch(IGate.Batch calldata batch) external {
        _veto(_batchIdOf(batch), batch.agent, batch.nonce);
        _burn(batch.agent, batch.nonce);
    }

    /// @dev See `IGate`.
    function releaseBatch(
        IGate.Batch calldata batch,
        bytes32[][] calldata names,
        IGate.Signature[] calldata signatures
    ) external {
        bytes32 id = _batchIdOf(batch);
        _collect(_batchDigest(BATCH_RELEASE, id, batch, names), signatures, _settings.releaseQuorum);
        uint256 released = 0;
        for (uint256 i = 0; i < batch.targets.length; ++i) {
            bool done = batch.kind == Kind.ISOLATE ? _releasePage(id, batch, i) : _releaseOne(id, batch, i);
            if (done) ++released;
        }
        if (released == 0) revert IGate.GateWrongStatus(id, Status.EXPIRED);
        _tell(IGate.BatchReleased.selector, id, abi.encode(signatures));
    }

    /// @dev See `IGate`.
    function settlePages(bytes32 zone, uint8 criticality, uint16[] calldata pages) external {
        uint16 number = _zoneNumbers[zone];
        for (uint256 i = 0; i < pages.length; ++i) {
            Page storage page = _pages[_pageKey(number, criticality, pages[i])];
            if (page.ordered == 0 || block.timestamp < page.until) {
                revert IGate.GateNotEnded(bytes32(uint256(pages[i])));
            }
            _uncountPage(page, number, criticality, page.ordered);
            _tell(IGate.PageSettled.selector, zone, abi.encode(criticality, pages[i]));
        }
    }

    /// @dev See `IRegistry`.
    function sealPage(bytes32 zone, uint8 criticality, uint16 page, bytes32[] calldata keys) external {
        bytes32 chain = 0;
        for (uint256 i = 0; i < keys.length; ++i) {
            chain = keccak256(bytes.concat(chain, keys[i]));
        }
        uint256 key = _pageKey(_zoneNumbers[zone], criticality, page);
        if (keys.length == 0 || chain != _pageChains[key]) revert IRegistry.RegistryBadPage(page);
        Walk memory walk;
        bytes32 root = _subtree(walk, keys, 0, PAGE, keys.length, 0);
        _pages[key].names = _seal(_hashRange(keys, 0, keys.length), root);
        _tell(IRegistry.PageSealed.selector, zone, abi.encode(criticality, page));
    }

    // ============ Views ============

    /// @dev See `IGate`.
    function batchIdOf(IGate.Batch calldata batch) external view returns (bytes32) {
        return _batchIdOf(batch);
    }

    /// @dev See `IGate`.
    function batchApprovalDigest(IGate.Batch calldata batch, bytes32[][] calldata names)
        external
        view
        returns (bytes32)
    {
        return _batchDigest(BATCH_APPROVAL, _batchIdOf(batch), batch, names);
    }

    /// @dev See `IGate`.
    function batchReleaseDigest(IGate.Batch calldata batch, bytes32[][] calldata names)
        external
        view
        returns (bytes32)
    {
        return _batchDigest(BATCH_RELEASE, _batchIdOf(batch), batch, names);
    }

    /// @dev See `IGate`.
    function pageOf(bytes32 zone, uint8 criticality, uint16 number)
        external
        view
        returns (uint128 members, uint128 ordered, uint64 until, bool sealedNames)
    {
        Page memory page = _pages[_pageKey(_zoneNumbers[zone], criticality, number)];
        return (page.members, page.ordered, page.until, page.names != 0);
    }

    // ============ Internals ============

    /// @return whether the batch was live there
    function _releasePage(bytes32 id, IGate.Batch calldata batch, uint256 i) private returns (bool) {
        uint16 zone = _zoneNumbers[batch.zone];
        Page storage page = _page(zone, batch.criticality, batch.targets[i]);
        if (page.batch != uint80(bytes10(id)) || block.timestamp >= page.until) return false;
        _uncountPage(page, zone, batch.criticality, uint128(batch.targets[i]));
        if (page.ordered == 0) page.until = 0;
        return true;
    }

    function _releaseOne(bytes32 id, IGate.Batch calldata batch, uint256 i) private returns (bool) {
        bytes32 key = bytes32(batch.targets[i]);
        Target target = _targets[uint8(batch.kind)][key];
        if (!target.isOf(id) || block.timestamp >= target.until()) return false;
        _targets[uint8(batch.kind)][key] = target.withUntil(0);
        _uncount(batch.kind, key);
        return true;
    }

    /// @param bits of those that count no more
    function _uncountPage(Page storage page, uint16 zone, uint8 criticality, uint128 bits) private {
        uint256 count = _countBits(page.ordered & bits);
        Cell cell = _cells[_cellNumber(Kind.ISOLATE, criticality)];
        _cells[_cellNumber(Kind.ISOLATE, criticality)] = cell.withLive(cell.live() - count);
        _zones[zone] = _zones[zone].withIsolated(_zones[zone].isolated() - count);
        page.ordered &= ~bits;
    }
}
