// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IGate, Reason, Status} from "./interfaces/IGate.sol";
import {IRegistry, Kind} from "./interfaces/IRegistry.sol";
import {Networks} from "./Networks.sol";
import {Orders} from "./Orders.sol";
import {Account, Cell, Target} from "./Words.sol";

/// @title Many orders under one signature that lists them
/// @dev Networks and credentials keep an order each, in their target's word. Assets of one zone and criticality share a page's
/// word, 32 of them, which was written when they were registered: that is why isolating a hundred costs little more than one.
abstract contract Batches is Orders {
    // ============ Constants ============

    string private constant FIELDS = "(bytes32 batch,string action,string[][] targets,string zone,uint8 criticality,uint32 ttl,"
        "bytes32 model,bytes32 evidence,address agent,uint64 deadline)";
    bytes32 private immutable BATCH_APPROVAL = keccak256(abi.encodePacked("BatchApproval", FIELDS));
    bytes32 private immutable BATCH_RELEASE = keccak256(abi.encodePacked("BatchRelease", FIELDS));

    uint256 private constant NUMBER = 32; // shift of the page's number in one of `Batch.targets`

    // ============ Externals ============

    /// @dev See `IGate`.
    function orderBatch(
        IGate.Batch calldata batch,
        bytes32[][] calldata names,
        IGate.CompactSignature[] calldata signatures
    ) external returns (bytes32 id) {
        Account agent = _checkAgent(batch.agent, batch.model, batch.nonce);
        Look memory look = _lookAtAll(batch);
        _checkDeadline(batch.deadline, look.cell.maxPending());
        Reason reason = _ruleRefusal(batch.ttl, look.cell);
        if (reason != Reason.NONE) revert IGate.GateRefused(reason);
        uint256 delay = _delay(look);
        if (delay != 0) revert IGate.GateTooEarly(uint64(block.timestamp + delay));
        _accounts[batch.agent] = _spendBudget(agent, batch.kind, batch.criticality, look.cell, _size(batch));
        id = batchIdOf(batch);
        _collectCompact(id, _batchDigest(BATCH_APPROVAL, id, batch, names), signatures, look);
        if (batch.kind == Kind.ISOLATE) {
            _entries[id].mark = Mark.ORDERED;
            _orderPages(batch, look, agent.number());
        } else {
            _orderEach(id, batch);
        }
        _tell(IGate.BatchOrdered.selector, id, abi.encode(batch, signatures));
    }

    /// @dev See `IGate`.
    function withdrawBatch(IGate.Batch calldata batch) external {
        bytes32 id = batchIdOf(batch);
        Account agent = _accounts[batch.agent];
        if (agent.isUsed(batch.nonce)) revert IGate.GateBadNonce(batch.nonce, agent.lastNonce());
        _checkDeadline(batch.deadline, _settings.maxPending);
        _withdraw(id);
    }

    /// @dev See `IGate`.
    function vetoBatch(IGate.Batch calldata batch) external {
        _veto(batchIdOf(batch), batch.agent, batch.nonce);
        _burn(batch.agent, batch.nonce);
    }

    /// @dev See `IGate`.
    function releaseBatch(
        IGate.Batch calldata batch,
        bytes32[][] calldata names,
        IGate.Signature[] calldata signatures
    ) external {
        bytes32 id = batchIdOf(batch);
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
            _uncountPage(page, number, criticality);
            _tell(IGate.PageSettled.selector, zone, abi.encode(criticality, pages[i]));
        }
    }

    /// @dev See `IRegistry`.
    function sealPage(bytes32 zone, uint8 criticality, uint16 page, bytes32[] calldata keys) external {
        uint16 number = _zoneNumbers[zone];
        if (keys.length == 0 || keys.length != _placesOf(number, criticality, page)) {
            revert IRegistry.RegistryBadPage(page);
        }
        bytes32 chain = 0;
        for (uint256 i = 0; i < keys.length; ++i) {
            chain = keccak256(bytes.concat(chain, keys[i]));
        }
        uint256 key = _pageKey(number, criticality, page);
        if (chain != _pageChains[key]) revert IRegistry.RegistryBadPage(page);
        _pages[key].names = _short(keccak256(abi.encodePacked(keys)));
        _tell(IRegistry.PageSealed.selector, zone, abi.encode(criticality, page));
    }

    // ============ Views ============

    /// @dev See `IGate`.
    function batchIdOf(IGate.Batch calldata batch) public view returns (bytes32) {
        return keccak256(abi.encode(block.chainid, address(this), batch));
    }

    /// @dev See `IGate`.
    function batchApprovalDigest(IGate.Batch calldata batch, bytes32[][] calldata names)
        external
        view
        returns (bytes32)
    {
        return _batchDigest(BATCH_APPROVAL, batchIdOf(batch), batch, names);
    }

    /// @dev See `IGate`.
    function batchReleaseDigest(IGate.Batch calldata batch, bytes32[][] calldata names)
        external
        view
        returns (bytes32)
    {
        return _batchDigest(BATCH_RELEASE, batchIdOf(batch), batch, names);
    }

    /// @dev See `IGate`.
    function pageOf(bytes32 zone, uint8 criticality, uint16 number)
        external
        view
        returns (uint32 members, uint32 ordered, uint64 until, bool sealedNames)
    {
        Page memory page = _pages[_pageKey(_zoneNumbers[zone], criticality, number)];
        return (page.members, page.ordered, page.until, page.names != 0);
    }

    // ============ Internals: orders ============

    /// @dev Without a target: what all of a batch are judged by.
    function _lookAtAll(IGate.Batch calldata batch) private view returns (Look memory look) {
        if (batch.criticality > MAX_CRITICALITY) revert IGate.GateBadBatch();
        look.criticality = batch.criticality;
        look.cell = _cells[uint8(batch.kind)][batch.criticality];
        uint16 zone = _zoneNumbers[batch.zone];
        if (batch.kind == Kind.ISOLATE ? zone == 0 : batch.zone != 0) revert IGate.GateBadBatch();
        (look.target, look.zone) = (look.target.withPlace(zone, 0, 0), _zones[zone]);
    }

    /// @return count of actions
    function _size(IGate.Batch calldata batch) private pure returns (uint256 count) {
        if (batch.targets.length == 0) revert IGate.GateBadBatch();
        bool pages = batch.kind == Kind.ISOLATE;
        uint256 shift = pages ? NUMBER : 0;
        for (uint256 i = 0; i < batch.targets.length; ++i) {
            if (i != 0 && batch.targets[i] >> shift <= batch.targets[i - 1] >> shift) revert IGate.GateBadBatch();
            count += pages ? _ones(uint32(batch.targets[i])) : 1;
        }
    }

    function _orderEach(bytes32 id, IGate.Batch calldata batch) private {
        for (uint256 i = 0; i < batch.targets.length; ++i) {
            bytes32 target = bytes32(batch.targets[i]);
            Look memory look = _look(batch.kind, target);
            Reason reason = _refusal(batch.kind, target, batch.ttl, look);
            if (reason != Reason.NONE) revert IGate.GateRefused(reason);
            if (look.criticality != batch.criticality) revert IGate.GateBadBatch();
            _order(id, batch.kind, target, batch.ttl, look);
        }
    }

    function _orderPages(IGate.Batch calldata batch, Look memory look, uint8 agent) private {
        uint40 until = uint40(block.timestamp) + batch.ttl;
        uint40 tag = _tag(agent, batch.nonce);
        uint256 before = 0;
        uint256 count = 0;
        for (uint256 i = 0; i < batch.targets.length; ++i) {
            uint32 bits = uint32(batch.targets[i]);
            Page storage stored = _page(batch, i);
            Page memory page = stored;
            if (bits == 0 || bits & ~page.members != 0) revert IGate.GateRefused(Reason.PROTECTED_TARGET);
            bool cuts = page.ordered & ~bits != 0 || until < page.until;
            if (cuts && block.timestamp < page.until) revert IGate.GatePageTaken(_number(batch, i));
            before += _ones(page.ordered);
            count += _ones(bits);
            (page.ordered, page.until, page.batch, page.flags) = (bits, until, tag, 0);
            _store(stored, page);
        }
        _countPages(batch, look, before, count);
    }

    /// @param before of the assets on these pages that counted already
    function _countPages(IGate.Batch calldata batch, Look memory look, uint256 before, uint256 count) private {
        uint256 live = look.cell.live() + count - before;
        uint256 isolated = look.zone.isolated() + count - before;
        if (count > before) {
            if (live > look.cell.maxLive()) revert IGate.GateRefused(Reason.LIVE_LIMIT);
            if (_isOverShare(look.zone, isolated)) revert IGate.GateRefused(Reason.ZONE_SHARE);
        }
        _cells[uint8(batch.kind)][batch.criticality] = look.cell.withLive(live);
        _zones[look.target.zone()] = look.zone.withIsolated(isolated);
    }

    /// @return whether the batch was live there
    function _releasePage(bytes32 id, IGate.Batch calldata batch, uint256 i) private returns (bool) {
        Page storage page = _page(batch, i);
        if (!_isLast(id, batch, page) || block.timestamp >= page.until) return false;
        _uncountPage(page, _zoneNumbers[batch.zone], batch.criticality);
        page.until = 0;
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

    function _uncountPage(Page storage page, uint16 zone, uint8 criticality) private {
        uint256 count = _ones(page.ordered);
        Cell cell = _cells[uint8(Kind.ISOLATE)][criticality];
        _cells[uint8(Kind.ISOLATE)][criticality] = cell.withLive(cell.live() - count);
        _zones[zone] = _zones[zone].withIsolated(_zones[zone].isolated() - count);
        page.ordered = 0;
    }

    // ============ Internals: names ============

    function _batchDigest(bytes32 typeHash, bytes32 id, IGate.Batch calldata batch, bytes32[][] calldata names)
        private
        view
        returns (bytes32)
    {
        return _hashTypedDataV4(
            keccak256(
                abi.encode(
                    typeHash,
                    id,
                    _action(batch.kind),
                    _targetsHash(batch, names),
                    batch.kind == Kind.ISOLATE ? batch.zone : keccak256(""),
                    batch.criticality,
                    batch.ttl,
                    batch.model,
                    batch.evidence,
                    batch.agent,
                    batch.deadline
                )
            )
        );
    }

    /// @return EIP-712 hash of the names in groups: a page each, or all in one
    function _targetsHash(IGate.Batch calldata batch, bytes32[][] calldata names) private view returns (bytes32) {
        bool pages = batch.kind == Kind.ISOLATE;
        if (names.length != (pages ? batch.targets.length : 0)) revert IGate.GateBadBatch();
        bytes32[] memory hashes = new bytes32[](batch.targets.length);
        for (uint256 i = 0; i < hashes.length; ++i) {
            bytes32 target = bytes32(batch.targets[i]);
            if (pages) hashes[i] = _pageHash(batch, i, names[i]);
            else hashes[i] = batch.kind == Kind.REVOKE ? target : keccak256(bytes(Networks.toText(target)));
        }
        bytes32 all = keccak256(abi.encodePacked(hashes));
        return pages ? all : keccak256(bytes.concat(all));
    }

    /// @return EIP-712 hash of the names of those assets of a page that the batch has
    function _pageHash(IGate.Batch calldata batch, uint256 i, bytes32[] calldata keys) private view returns (bytes32) {
        uint256 number = _number(batch, i);
        uint32 bits = uint32(batch.targets[i]);
        uint104 sealedNames = _page(batch, i).names;
        uint256 places = _placesOf(_zoneNumbers[batch.zone], batch.criticality, number);
        bool whole = bits == (uint256(1) << places) - 1;
        bytes32 hash = keccak256(abi.encodePacked(keys));
        if (whole && keys.length == 1 && _short(hash) != sealedNames) hash = keys[0];
        if (sealedNames == 0 || _short(hash) != sealedNames) revert IGate.GateBadNames(number);
        if (whole) return hash;
        bytes32[] memory chosen = new bytes32[](_ones(bits));
        uint256 next = 0;
        for (uint256 place = 0; place < keys.length; ++place) {
            if ((bits >> place) & 1 != 0) chosen[next++] = keys[place];
        }
        return keccak256(abi.encodePacked(chosen));
    }

    function _short(bytes32 hash) private pure returns (uint104) {
        return uint104(uint256(hash) >> 152);
    }

    // ============ Internals: parts ============

    function _page(IGate.Batch calldata batch, uint256 i) internal view returns (Page storage) {
        return _pages[_pageKey(_zoneNumbers[batch.zone], batch.criticality, _number(batch, i))];
    }

    /// @dev One beyond 16 bits would reach another zone's page.
    function _number(IGate.Batch calldata batch, uint256 i) private pure returns (uint256 number) {
        number = batch.targets[i] >> NUMBER;
        if (number > type(uint16).max) revert IGate.GateBadBatch();
    }

    /// @dev The page keeps agent and nonce of its batch; that it was this batch and no other of them, its mark tells.
    function _isLast(bytes32 id, IGate.Batch calldata batch, Page storage page) internal view returns (bool) {
        return _entries[id].mark == Mark.ORDERED && page.batch == _tag(_agentNumbers[batch.agent], batch.nonce);
    }

    function _tag(uint8 agent, uint256 nonce) private pure returns (uint40) {
        return (uint40(agent) << 32) | uint32(nonce);
    }

    function _store(Page storage stored, Page memory page) private {
        (stored.ordered, stored.until, stored.batch, stored.flags) = (page.ordered, page.until, page.batch, page.flags);
    }

    /// @return how many places of a page are taken
    function _placesOf(uint16 zone, uint8 criticality, uint256 page) private view returns (uint256) {
        uint256 all = _places[zone][criticality];
        uint256 first = page * PAGE;
        if (all <= first) return 0;
        return all - first < PAGE ? all - first : PAGE;
    }

    function _ones(uint32 word) private pure returns (uint256) {
        uint256 x = word;
        x = x - ((x >> 1) & 0x55555555);
        x = (x & 0x33333333) + ((x >> 2) & 0x33333333);
        x = (x + (x >> 4)) & 0x0f0f0f0f;
        return (x * 0x01010101) >> 24 & 0xff;
    }
}
