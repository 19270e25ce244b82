// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Hashes} from "@openzeppelin/contracts/utils/cryptography/Hashes.sol";
import {IGate, Reason, Status} from "./interfaces/IGate.sol";
import {IRegistry, Kind} from "./interfaces/IRegistry.sol";
import {Networks} from "./Networks.sol";
import {Orders} from "./Orders.sol";
import {Account, Cell, Target} from "./Words.sol";

/// @title Many orders under one signature that lists them
/// @dev Networks and credentials keep an order each, in their target's word. Assets of one zone and criticality share a page,
/// 128 of them, whose word was written when they were registered: that is why isolating a hundred costs little more than one.
abstract contract Batches is Orders {
    // ============ Constants ============

    string private constant FIELDS = "(bytes32 batch,string action,string[][] targets,string zone,uint8 criticality,uint32 ttl,"
        "bytes32 model,bytes32 evidence,address agent,uint64 deadline)";
    bytes32 internal immutable BATCH_APPROVAL = keccak256(abi.encodePacked("BatchApproval", FIELDS));
    bytes32 internal immutable BATCH_RELEASE = keccak256(abi.encodePacked("BatchRelease", FIELDS));

    uint256 private constant NUMBER = 128; // shift of the page's number in one of `Batch.targets`
    uint256 private constant NAMES = 8; // places of a group

    // ============ Structs ============

    /// @dev Where a walk through names stands.
    struct Walk {
        uint256 page; // its number, for errors
        uint256 next; // word to take
        uint256 count; // of the hashes so far
        bytes32[] hashes; // EIP-712's, of each list of names; none where a page is sealed and every key is given
    }

    // ============ Internals: ordering ============

    /// @dev See `IGate.orderBatch`.
    function _orderBatch(
        IGate.Batch calldata batch,
        bytes32[][] calldata names,
        IGate.CompactSignature[] calldata signatures
    ) internal returns (bytes32 id) {
        Account agent = _checkAgent(batch.agent, batch.model, batch.nonce);
        Look memory look = _lookAtAll(batch);
        _checkDeadline(batch.deadline, look.cell.maxPending());
        Reason reason = _ruleRefusal(batch.ttl, look.cell);
        if (reason != Reason.NONE) revert IGate.GateRefused(reason);
        uint256 delay = _delay(look);
        if (delay != 0) revert IGate.GateTooEarly(uint64(block.timestamp + delay));
        _accounts[batch.agent] = _spendBudget(agent, batch.kind, batch.criticality, look.cell, _size(batch));
        id = _batchIdOf(batch);
        _collectCompact(id, _batchDigest(BATCH_APPROVAL, id, batch, names), signatures, look);
        if (batch.kind == Kind.ISOLATE) _orderPages(id, batch, look);
        else _orderEach(id, batch, look);
        _tell(IGate.BatchOrdered.selector, id, abi.encode(batch, signatures));
    }

    function _batchIdOf(IGate.Batch calldata batch) internal view returns (bytes32) {
        return keccak256(abi.encode(block.chainid, address(this), batch));
    }

    // ============ Internals: orders ============

    /// @dev Without a target: what all of a batch are judged by.
    function _lookAtAll(IGate.Batch calldata batch) private view returns (Look memory look) {
        if (batch.criticality > MAX_CRITICALITY) revert IGate.GateBadBatch();
        look.criticality = batch.criticality;
        look.cell = _cells[_cellNumber(batch.kind, batch.criticality)];
        uint16 zone = _zoneNumbers[batch.zone];
        if (batch.kind == Kind.ISOLATE ? zone == 0 : batch.zone != 0) revert IGate.GateBadBatch();
        (look.target, look.zone) = (look.target.withPlace(zone, 0, 0), _zones[zone]);
    }

    /// @return count of actions
    function _size(IGate.Batch calldata batch) private pure returns (uint256 count) {
        uint256[] calldata targets = batch.targets;
        if (targets.length == 0) revert IGate.GateBadBatch();
        bool pages = batch.kind == Kind.ISOLATE;
        uint256 shift = pages ? NUMBER : 0;
        uint256 last = 0;
        for (uint256 i = 0; i < targets.length; ++i) {
            uint256 target = targets[i];
            if (i != 0 && target >> shift <= last) revert IGate.GateBadBatch();
            last = target >> shift;
            count += pages ? _countBits(uint128(target)) : 1;
        }
    }

    function _orderEach(bytes32 id, IGate.Batch calldata batch, Look memory look) private {
        (Kind kind, uint256[] calldata targets) = (batch.kind, batch.targets);
        uint256 end = block.timestamp + batch.ttl;
        uint256 live = look.cell.live();
        uint8 criticality = batch.criticality;
        mapping(bytes32 => Target) storage orders = _targets[uint8(kind)];
        for (uint256 i = 0; i < targets.length; ++i) {
            bytes32 key = bytes32(targets[i]);
            Target target = orders[key];
            _requireOrderable(kind, key, target, criticality);
            unchecked {
                if (!target.has(COUNTED)) ++live;
            }
            uint256 until = target.until();
            if (until < end) until = end;
            orders[key] = target.without(RECEIPTED | MISSED).with(COUNTED).withOrder(until, id);
        }
        if (kind == Kind.BLOCK && criticality != 0) _noteLengths(targets);
        _countLive(batch, look, live);
    }

    function _requireOrderable(Kind kind, bytes32 key, Target target, uint8 criticality) private view {
        Reason reason = _targetRefusal(kind, key, target);
        if (reason != Reason.NONE) revert IGate.GateRefused(reason);
        if (_criticalityOf(kind, key, target) != criticality) revert IGate.GateBadBatch();
    }

    function _orderPages(bytes32 id, IGate.Batch calldata batch, Look memory look) private {
        uint256[] calldata targets = batch.targets;
        uint40 until = uint40(block.timestamp) + batch.ttl;
        uint256 before = 0;
        uint256 count = 0;
        for (uint256 i = 0; i < targets.length; ++i) {
            uint128 bits = uint128(targets[i]);
            Page storage page = _page(look.target.zone(), batch.criticality, targets[i]);
            if (bits == 0 || bits & ~page.members != 0) revert IGate.GateRefused(Reason.PROTECTED_TARGET);
            uint128 ordered = page.ordered;
            uint40 end = page.until;
            bool cuts = ordered & ~bits != 0 || until < end;
            if (cuts && block.timestamp < end) revert IGate.GatePageTaken(targets[i] >> NUMBER);
            before += _countBits(ordered);
            count += _countBits(bits);
            (page.ordered, page.until) = (bits, until);
            (page.flags, page.batch) = (USED, uint80(bytes10(id)));
        }
        _countPages(batch, look, before, count);
    }

    /// @param before of the assets on these pages that counted already
    function _countPages(IGate.Batch calldata batch, Look memory look, uint256 before, uint256 count) private {
        uint256 isolated = look.zone.isolated() + count - before;
        _countLive(batch, look, look.cell.live() + count - before);
        if (count > before && _isOverShare(look.zone, isolated)) revert IGate.GateRefused(Reason.ZONE_SHARE);
        _zones[look.target.zone()] = look.zone.withIsolated(isolated);
    }

    function _countLive(IGate.Batch calldata batch, Look memory look, uint256 live) private {
        if (live > look.cell.live() && live > look.cell.maxLive()) revert IGate.GateRefused(Reason.LIVE_LIMIT);
        _cells[_cellNumber(batch.kind, batch.criticality)] = look.cell.withLive(live);
    }

    /// @dev Single addresses, which are of no criticality, need no note.
    function _noteLengths(uint256[] calldata networks) private {
        for (uint256 i = 0; i < networks.length; ++i) {
            _noteLength(bytes32(networks[i]));
        }
    }

    // ============ Internals: names ============

    function _batchDigest(bytes32 typeHash, bytes32 id, IGate.Batch calldata batch, bytes32[][] calldata names)
        internal
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

    /// @return EIP-712 hash of the names in groups: of places, or all in one
    function _targetsHash(IGate.Batch calldata batch, bytes32[][] calldata names) private view returns (bytes32) {
        if (batch.kind == Kind.ISOLATE) return _pagesHash(batch, names);
        if (names.length != 0) revert IGate.GateBadBatch();
        uint256[] calldata targets = batch.targets;
        bool revokes = batch.kind == Kind.REVOKE;
        bytes32[] memory hashes = new bytes32[](targets.length);
        for (uint256 i = 0; i < hashes.length; ++i) {
            bytes32 target = bytes32(targets[i]);
            hashes[i] = revokes ? target : Networks.textHash(target);
        }
        return keccak256(bytes.concat(_hashWords(hashes, hashes.length)));
    }

    function _pagesHash(IGate.Batch calldata batch, bytes32[][] calldata names) private view returns (bytes32) {
        uint256[] calldata targets = batch.targets;
        if (names.length != targets.length) revert IGate.GateBadBatch();
        uint16 zone = _zoneNumbers[batch.zone];
        uint256 places = _places[zone][batch.criticality];
        Walk memory walk;
        walk.hashes = new bytes32[](targets.length * (PAGE / NAMES));
        for (uint256 i = 0; i < targets.length; ++i) {
            (uint256 target, bytes32[] calldata words) = (targets[i], names[i]);
            uint128 sealedNames = _page(zone, batch.criticality, target).names;
            walk.page = target >> NUMBER;
            if (words.length < 2) revert IGate.GateBadNames(walk.page);
            bytes32 root = words[1];
            if (uint128(target) == (1 << _placesOf(places, target >> NUMBER)) - 1) {
                if (words.length != 2) revert IGate.GateBadNames(walk.page);
                walk.hashes[walk.count++] = words[0];
            } else {
                walk.next = 1;
                root = _subtree(walk, words, 0, PAGE, _placesOf(places, target >> NUMBER), uint128(target));
                if (walk.next != words.length) revert IGate.GateBadNames(walk.page);
            }
            if (_seal(words[0], root) != sealedNames) revert IGate.GateBadNames(walk.page);
        }
        return _hashWords(walk.hashes, walk.count);
    }

    /// @notice Walks the part of a page's tree from place `from` to `to`, taking from `words` what the batch does not tell.
    /// @param places of the page that are taken
    /// @param bits of those that are chosen
    /// @return hash of the part; of each group with any chosen place the EIP-712 hash of their names is added to `walk.hashes`
    function _subtree(
        Walk memory walk,
        bytes32[] calldata words,
        uint256 from,
        uint256 to,
        uint256 places,
        uint256 bits
    ) internal pure returns (bytes32 hash) {
        // A page's places are far from overflow.
        unchecked {
            if (from >= places) return 0;
            if (walk.hashes.length != 0 && (bits >> from) & ((1 << (to - from)) - 1) == 0) return _take(walk, words);
            if (to - from == NAMES) return _group(walk, words, (places < to ? places : to) - from, bits >> from);
            uint256 middle = (from + to) / 2;
            bytes32 left = _subtree(walk, words, from, middle, places, bits);
            return Hashes.efficientKeccak256(left, _subtree(walk, words, middle, to, places, bits));
        }
    }

    /// @param size places of the group that are taken
    function _group(Walk memory walk, bytes32[] calldata words, uint256 size, uint256 bits)
        private
        pure
        returns (bytes32 hash)
    {
        unchecked {
            uint256 whole = (1 << size) - 1;
            bits &= whole;
            if (bits == whole) {
                hash = _take(walk, words);
                walk.hashes[walk.count++] = hash;
                return hash;
            }
            uint256 from = walk.next;
            walk.next = from + size;
            if (walk.next > words.length) revert IGate.GateBadNames(walk.page);
            if (bits != 0) walk.hashes[walk.count++] = _chosen(words, from, bits);
            return _hashRange(words, from, size);
        }
    }

    function _take(Walk memory walk, bytes32[] calldata words) private pure returns (bytes32 word) {
        if (walk.next >= words.length) revert IGate.GateBadNames(walk.page);
        return words[walk.next++];
    }

    function _seal(bytes32 flat, bytes32 root) internal pure returns (uint128) {
        return uint128(bytes16(Hashes.efficientKeccak256(flat, root)));
    }

    /// @dev The caller knows that so many words are there.
    function _hashRange(bytes32[] calldata words, uint256 from, uint256 count) internal pure returns (bytes32 hash) {
        assembly ("memory-safe") {
            let free := mload(0x40)
            calldatacopy(free, add(words.offset, mul(0x20, from)), mul(0x20, count))
            hash := keccak256(free, mul(0x20, count))
        }
    }

    /// @return hash EIP-712's, of some names of a group
    function _chosen(bytes32[] calldata keys, uint256 from, uint256 bits) private pure returns (bytes32 hash) {
        // Gathers in free memory, of which nothing is kept.
        assembly ("memory-safe") {
            let free := mload(0x40)
            let next := free
            let key := add(keys.offset, mul(0x20, from))
            for {} bits {} {
                if and(bits, 1) {
                    mstore(next, calldataload(key))
                    next := add(next, 0x20)
                }
                bits := shr(1, bits)
                key := add(key, 0x20)
            }
            hash := keccak256(free, sub(next, free))
        }
    }

    /// @return hash of the first so many words
    function _hashWords(bytes32[] memory words, uint256 count) private pure returns (bytes32 hash) {
        // The elements follow the length.
        assembly ("memory-safe") {
            hash := keccak256(add(words, 0x20), mul(0x20, count))
        }
    }

    // ============ Internals: parts ============

    /// @dev A number beyond 16 bits would reach another zone's page.
    function _page(uint16 zone, uint8 criticality, uint256 target) internal view returns (Page storage) {
        uint256 number = target >> NUMBER;
        if (number > type(uint16).max) revert IGate.GateBadBatch();
        return _pages[_pageKey(zone, criticality, number)];
    }

    /// @param all places of the zone and criticality that are taken
    /// @return how many of them are on this page
    function _placesOf(uint256 all, uint256 page) internal pure returns (uint256) {
        uint256 first = page * PAGE;
        if (all <= first) return 0;
        return all - first < PAGE ? all - first : PAGE;
    }

    /// @dev All at once, for a loop over the bits costs as much as the page.
    function _countBits(uint128 word) internal pure returns (uint256 x) {
        unchecked {
            x = word;
            x -= (x >> 1) & 0x55555555555555555555555555555555;
            x = (x & 0x33333333333333333333333333333333) + ((x >> 2) & 0x33333333333333333333333333333333);
            x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f;
            return ((x * 0x01010101010101010101010101010101) >> 120) & 0xff;
        }
    }
}
