// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {AuditLog} from "./AuditLog.sol";
import {IGate} from "./interfaces/IGate.sol";
import {IRegistry, Kind} from "./interfaces/IRegistry.sol";
import {Networks} from "./Networks.sol";
import {Account, Cell, ones, Target, Terms, Zone} from "./Words.sol";

/// @title All that the gate keeps
/// @dev Every part of the gate inherits this first and declares no storage of its own, so all see the same slots.
///
/// Every operator has a seat, a bit of his own. A set of signers is then one word, and how many of them are operators now is
/// the number of bits it shares with `_settings.operators`. A seat's number tells the approver group.
abstract contract State is AuditLog, AccessManaged, EIP712 {
    // ============ Constants ============

    uint8 internal constant AGENT = 1;
    uint8 internal constant OPERATOR = 2;
    uint8 internal constant GUARDIAN = 4;
    uint8 internal constant ENFORCER = 8;

    uint8 internal constant MAX_CRITICALITY = 3;
    uint256 internal constant CELLS = 12; // one for each criticality of each kind
    uint256 internal constant MAX_NETWORKS = 64; // of each family
    uint256 internal constant SHORT = 40; // bits of a shortened network
    uint256 internal constant SIX = 6; // of them in a word
    uint256 internal constant SEATS = 64;
    uint256 internal constant GROUP = 16; // seats of an approver group

    // Flags of a target
    uint256 internal constant KNOWN = 1;
    uint256 internal constant PROTECTED = 2;
    uint256 internal constant COUNTED = 4; // its order counts against the limits
    // Flags of a target and of a page
    uint8 internal constant RECEIPTED = 8; // its order has a receipt
    uint8 internal constant MISSED = 16; // a missing receipt was reported
    uint8 internal constant USED = 32; // of a page that has places: its word is not zero

    uint256 internal constant PAGE = 128; // places of a page

    // ============ Structs ============

    struct Seat {
        address holder;
        uint40 rests; // until then no one else may take it
    }

    struct Scope {
        uint8 kinds; // bits
        uint16 zone; // number; zero for all
    }

    /// @notice The assets of 128 places, and the last batch order on them. What an order writes is in the first word, which is
    /// never zero once there is an asset; what it reads in the second.
    struct Page {
        uint128 ordered; // bits of those that the batch isolates; they count until they are settled
        uint40 until;
        uint8 flags;
        uint80 batch; // the start of its id
        uint128 members; // bits of those that a batch may isolate
        uint128 names; // the start of the hash over all groups of keys; zero while the page is not sealed
    }

    struct Pool {
        uint16 members;
        uint16 isolated; // counted
        uint16 keep;
    }

    struct Model {
        bool active;
        uint16 number; // from 1, in the order of first activation; short for its hash
        uint32 revision;
        bytes32 card;
        address[] approvers; // of the last activation
    }

    struct Settings {
        uint24 window;
        uint24 maxPending;
        uint24 maxLease;
        uint24 receiptDue;
        uint8 leaseQuorum;
        uint8 releaseQuorum;
        uint8 modelQuorum;
        uint64 operators; // seats of current operators
        uint16 zones; // how many there are
        uint16 models;
        uint8 pools;
        bool paused;
        uint16 pauses;
    }

    enum Mark {
        NONE,
        PROPOSED,
        VETOED
    }

    /// @dev Seats, and since when enough approvals are there: the time of the last one that was needed.
    struct Entry {
        Mark mark;
        uint64 approvals;
        uint64 rejections;
        uint64 withdrawn; // voted, or would have, and counts no more
        uint40 approvedAt;
    }

    struct Autonomy {
        Terms terms;
        bytes32 id;
        uint40 budgets; // what the account's `left` was at first
    }

    // ============ Storage ============

    Settings internal _settings;

    mapping(address account => Account) internal _accounts;
    // By kind; arrays where numbers are dense, for a mapping costs a hash.
    mapping(bytes32 key => Target)[3] internal _targets;
    Cell[CELLS] internal _cells; // by `_cellNumber`
    Zone[1 << 16] internal _zones; // by number
    mapping(bytes32 model => Model) internal _models;
    mapping(bytes32 id => Entry) internal _entries; // of what waits; gone once executed
    mapping(address agent => Autonomy) internal _leases;
    mapping(bytes32 id => bool) internal _granted; // leases

    /// @dev By `_pageKey`; and how many places there are by zone and criticality.
    mapping(uint256 key => Page) internal _pages;
    mapping(uint256 key => bytes32) internal _pageChains; // `keccak256(previous ++ key of the next place)`, from zero
    mapping(uint16 zone => mapping(uint8 criticality => uint24)) internal _places;

    mapping(bytes32 name => uint16 number) internal _zoneNumbers; // from 1
    mapping(uint16 number => bytes32 name) internal _zoneNames;
    mapping(bytes32 name => uint8 number) internal _poolNumbers; // from 1
    mapping(uint8 number => Pool) internal _pools;
    mapping(address enforcer => Scope) internal _scopes;
    mapping(address operator => uint8 number) internal _seatNumbers; // from 1; of the last seat he had
    mapping(bytes32 credential => bytes32 principal) internal _principals;
    mapping(bytes32 resource => bytes32 asset) internal _resources;
    mapping(bytes32 principal => mapping(bytes32 resource => uint40 until)) internal _grants;
    mapping(bytes32 root => address enforcer) internal _roots;
    Seat[SEATS] internal _seats;

    // The first empty place ends the list.
    uint256[11] internal _protectedV4; // six to a word, each as `Networks.shorten` makes it
    bytes32[MAX_NETWORKS] internal _protectedV6;

    /// @dev Prefix lengths ever blocked but for single addresses, which are many: bit p for IPv4, bit 64 + p for IPv6.
    /// Spares `isBlocked` the lengths no one used.
    uint256 internal _lengths;
    uint256 internal constant V6_LENGTHS = 64;

    // ============ Constructor ============

    /// @param manager OpenZeppelin `AccessManager` that governs the gate, for good.
    constructor(address manager) AccessManaged(manager) EIP712("Countersign", "1") {}

    /// @notice Always refused.
    function setAuthority(address) public pure override {
        revert IRegistry.RegistryAuthorityFixed();
    }

    // ============ Internals ============

    function _require(uint8 role) internal view {
        if (_accounts[msg.sender].roles() & role == 0) revert IGate.GateMissingRole(msg.sender, role);
    }

    /// @dev The bit of an operator's seat; zero for whoever is no operator now.
    function _seatOf(address operator) internal view returns (uint64) {
        Account account = _accounts[operator];
        return account.roles() & OPERATOR == 0 ? 0 : uint64(1) << (account.number() - 1);
    }

    /// @dev How many of these seats belong to current operators.
    function _countCurrent(uint64 seats) internal view returns (uint256) {
        return ones(seats & _settings.operators);
    }

    function _cellNumber(Kind kind, uint8 criticality) internal pure returns (uint256) {
        unchecked {
            return CELLS / 3 * uint256(kind) + criticality;
        }
    }

    function _pageKey(uint16 zone, uint8 criticality, uint256 page) internal pure returns (uint256) {
        return (uint256(zone) << 24) | (uint256(criticality) << 16) | page;
    }

    function _pageOf(Target asset) internal view returns (Page storage) {
        return _pages[_pageKey(asset.zone(), asset.criticality(), asset.place() / PAGE)];
    }

    /// @dev The place of an asset within its page.
    function _bitOf(Target asset) internal pure returns (uint128) {
        return uint128(1 << (asset.place() % PAGE));
    }

    /// @dev End of the live order; zero without one.
    function _liveUntil(Kind kind, bytes32 key) internal view returns (uint64 until) {
        Target target = _targets[uint8(kind)][key];
        if (block.timestamp < target.until()) until = uint64(target.until());
        if (kind != Kind.ISOLATE || !target.has(KNOWN)) return until;
        Page storage page = _pageOf(target);
        bool batched = page.ordered & _bitOf(target) != 0 && block.timestamp < page.until;
        return batched && page.until > until ? page.until : until;
    }

    function _isProtectedNetwork(bytes32 network) internal view returns (bool) {
        if (Networks.isV4(network)) return _isProtectedV4(network);
        for (uint256 i = 0; i < MAX_NETWORKS; ++i) {
            bytes32 other = _protectedV6[i];
            if (other == 0) return false;
            if (Networks.overlap(network, other)) return true;
        }
        return false;
    }

    function _isProtectedV4(bytes32 network) private view returns (bool) {
        for (uint256 i = 0;; ++i) {
            uint256 word = _protectedV4[i];
            for (uint256 rest = word; rest != 0; rest >>= SHORT) {
                if (Networks.overlapShort(network, uint40(rest))) return true;
            }
            // The list ends within the last word: it holds 64 of 66.
            if (word >> (SHORT * (SIX - 1)) == 0) return false;
        }
    }
}
