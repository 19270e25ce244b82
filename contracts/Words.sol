// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

// What an order reads or writes together shares a word: a cold word costs more than all that is computed from it. And solc
// takes a packed struct apart field by field into memory, which costs as much again; so these are words with names for their
// parts. In each table: from which bit, and how many.

function part(uint256 word, uint256 from, uint256 bits) pure returns (uint256) {
    return (word >> from) & ((1 << bits) - 1);
}

/// @param value fits in `bits`
function put(uint256 word, uint256 from, uint256 bits, uint256 value) pure returns (uint256) {
    return (word & ~(((1 << bits) - 1) << from)) | (value << from);
}

/// @notice How many bits are set.
function ones(uint256 word) pure returns (uint256 count) {
    for (; word != 0; word &= word - 1) {
        ++count;
    }
}

/// @dev roles 0:8, number of an operator's seat (from 1) 8:8, window that `used` counts in 16:16, highest nonce
/// that this agent used 32:32, recent nonces 64:24 (bit i: the highest less i is used), left 88:36 (orders under the agent's
/// lease, 12 bits for each kind), used 124:132 (proposals by this agent, 11 bits for each of the twelve cells).
type Account is uint256;

/// @notice A rule, what counts against it, and the settings that every order is judged by too.
/// @dev allowed 0:1, leasable 1:1, paused 2:1, groups 4:4, quorum 8:8, delay 16:24, max TTL 40:24, budget 64:16, max live
/// 80:16, live 96:16, window 112:24, max pending 136:24, lease quorum 160:8, operators 168:64.
type Cell is uint256;

/// @notice What governance says of a target, and the last order on it. A network has the order alone.
/// @dev flags 0:8, criticality 8:8, zone 16:16 (number), pool 32:8 (number, zero: in none), place 40:16 (among the assets of its
/// zone and criticality), until 56:40 (end of the order; zero where there was none, and after a release), order 96:160 (the
/// start of the proposal's or batch's id).
type Target is uint256;

/// @dev assets 0:24, isolated 24:24 (counted), share 48:8 (percent), extra 56:8, frozen from 64:40, frozen until 104:40, opens
/// 144:24, length 168:24.
type Zone is uint256;

/// @notice What an order under the lease is judged by.
/// @dev expires 0:40, max TTL 40:32, max criticality 72:8, model 80:16 (its number), signers 96:64 (seats).
type Terms is uint256;

using Accounts for Account global;
using Cells for Cell global;
using Targets for Target global;
using Zones for Zone global;
using LeaseTerms for Terms global;

library Accounts {
    uint256 private constant NONCES = 24;
    uint256 private constant ROW = 12; // bits of `left` for a kind
    uint256 private constant COUNTER = 11; // bits of `used` for a cell

    function roles(Account a) internal pure returns (uint8) {
        return uint8(Account.unwrap(a));
    }

    function number(Account a) internal pure returns (uint8) {
        return uint8(Account.unwrap(a) >> 8);
    }

    function withRoles(Account a, uint8 roles_, uint8 number_) internal pure returns (Account) {
        return Account.wrap(put(put(Account.unwrap(a), 0, 8, roles_), 8, 8, number_));
    }

    function lastNonce(Account a) internal pure returns (uint256) {
        return part(Account.unwrap(a), 32, 32);
    }

    /// @dev One that lies too far back counts as used.
    function isUsed(Account a, uint256 nonce) internal pure returns (bool) {
        uint256 last = a.lastNonce();
        if (nonce > last) return false;
        uint256 behind = last - nonce;
        return behind >= NONCES || (Account.unwrap(a) >> (64 + behind)) & 1 != 0;
    }

    /// @param nonce not used, 32 bits
    function withNonce(Account a, uint256 nonce) internal pure returns (Account) {
        uint256 word = Account.unwrap(a);
        uint256 last = a.lastNonce();
        if (nonce <= last) return Account.wrap(word | (1 << (64 + last - nonce)));
        // A shift beyond the width leaves zero.
        uint256 recent = uint24(part(word, 64, NONCES) << (nonce - last)) | 1;
        return Account.wrap(put(put(word, 32, 32, nonce), 64, NONCES, recent));
    }

    function left(Account a, uint256 kind) internal pure returns (uint256) {
        return part(Account.unwrap(a), 88 + ROW * kind, ROW);
    }

    /// @param left_ of every kind, packed as it is here
    function withLeft(Account a, uint256 left_) internal pure returns (Account) {
        return Account.wrap(put(Account.unwrap(a), 88, 3 * ROW, left_));
    }

    /// @dev Something is left.
    function spend(Account a, uint256 kind) internal pure returns (Account) {
        unchecked {
            return Account.wrap(Account.unwrap(a) - (1 << (88 + ROW * kind)));
        }
    }

    /// @param cell 4 * kind + criticality
    function used(Account a, uint256 window, uint256 cell) internal pure returns (uint256) {
        if (part(Account.unwrap(a), 16, 16) != window) return 0;
        return part(Account.unwrap(a), 124 + COUNTER * cell, COUNTER);
    }

    /// @param count fits in a counter
    function withUsed(Account a, uint256 window, uint256 cell, uint256 count) internal pure returns (Account) {
        uint256 word = Account.unwrap(a);
        if (part(word, 16, 16) != window) word = put(part(word, 0, 124), 16, 16, window);
        return Account.wrap(put(word, 124 + COUNTER * cell, COUNTER, count));
    }
}

library Cells {
    function allowed(Cell c) internal pure returns (bool) {
        return Cell.unwrap(c) & 1 != 0;
    }

    function leasable(Cell c) internal pure returns (bool) {
        return Cell.unwrap(c) & 2 != 0;
    }

    function paused(Cell c) internal pure returns (bool) {
        return Cell.unwrap(c) & 4 != 0;
    }

    function groups(Cell c) internal pure returns (uint256) {
        return part(Cell.unwrap(c), 4, 4);
    }

    function quorum(Cell c) internal pure returns (uint256) {
        return part(Cell.unwrap(c), 8, 8);
    }

    function delay(Cell c) internal pure returns (uint256) {
        return part(Cell.unwrap(c), 16, 24);
    }

    function maxTtl(Cell c) internal pure returns (uint256) {
        return part(Cell.unwrap(c), 40, 24);
    }

    function budget(Cell c) internal pure returns (uint256) {
        return part(Cell.unwrap(c), 64, 16);
    }

    function maxLive(Cell c) internal pure returns (uint256) {
        return part(Cell.unwrap(c), 80, 16);
    }

    function live(Cell c) internal pure returns (uint256) {
        return part(Cell.unwrap(c), 96, 16);
    }

    function window(Cell c) internal pure returns (uint256) {
        return part(Cell.unwrap(c), 112, 24);
    }

    function maxPending(Cell c) internal pure returns (uint256) {
        return part(Cell.unwrap(c), 136, 24);
    }

    function leaseQuorum(Cell c) internal pure returns (uint256) {
        return part(Cell.unwrap(c), 160, 8);
    }

    function operators(Cell c) internal pure returns (uint256) {
        return part(Cell.unwrap(c), 168, 64);
    }

    function withLive(Cell c, uint256 live_) internal pure returns (Cell) {
        return Cell.wrap(put(Cell.unwrap(c), 96, 16, live_));
    }

    function withPaused(Cell c, bool paused_) internal pure returns (Cell) {
        return Cell.wrap(put(Cell.unwrap(c), 2, 1, paused_ ? 1 : 0));
    }

    /// @param rule packed as the first 96 bits are, without `paused`
    function withRule(Cell c, uint256 rule) internal pure returns (Cell) {
        return Cell.wrap((Cell.unwrap(c) & ~uint256((1 << 96) - 1 - 4)) | rule);
    }

    function withSettings(Cell c, uint256 window_, uint256 maxPending_, uint256 leaseQuorum_, uint256 operators_)
        internal
        pure
        returns (Cell)
    {
        uint256 settings = (window_ << 112) | (maxPending_ << 136) | (leaseQuorum_ << 160) | (operators_ << 168);
        return Cell.wrap(part(Cell.unwrap(c), 0, 112) | settings);
    }
}

library Targets {
    function flags(Target t) internal pure returns (uint256) {
        return part(Target.unwrap(t), 0, 8);
    }

    function has(Target t, uint256 flag) internal pure returns (bool) {
        return Target.unwrap(t) & flag != 0;
    }

    function criticality(Target t) internal pure returns (uint8) {
        return uint8(Target.unwrap(t) >> 8);
    }

    function zone(Target t) internal pure returns (uint16) {
        return uint16(Target.unwrap(t) >> 16);
    }

    function pool(Target t) internal pure returns (uint8) {
        return uint8(Target.unwrap(t) >> 32);
    }

    function place(Target t) internal pure returns (uint256) {
        return part(Target.unwrap(t), 40, 16);
    }

    function until(Target t) internal pure returns (uint256) {
        return part(Target.unwrap(t), 56, 40);
    }

    function isOf(Target t, bytes32 id) internal pure returns (bool) {
        return Target.unwrap(t) >> 96 == uint256(id) >> 96;
    }

    function with(Target t, uint256 flag) internal pure returns (Target) {
        return Target.wrap(Target.unwrap(t) | flag);
    }

    function without(Target t, uint256 flag) internal pure returns (Target) {
        return Target.wrap(Target.unwrap(t) & ~flag);
    }

    function withOrder(Target t, uint256 until_, bytes32 id) internal pure returns (Target) {
        return Target.wrap(part(Target.unwrap(t), 0, 56) | (until_ << 56) | ((uint256(id) >> 96) << 96));
    }

    function withUntil(Target t, uint256 until_) internal pure returns (Target) {
        return Target.wrap(put(Target.unwrap(t), 56, 40, until_));
    }

    function withCriticality(Target t, uint8 criticality_) internal pure returns (Target) {
        return Target.wrap(put(Target.unwrap(t), 8, 8, criticality_));
    }

    function withPlace(Target t, uint16 zone_, uint8 pool_, uint256 place_) internal pure returns (Target) {
        uint256 where = (uint256(zone_) << 16) | (uint256(pool_) << 32) | (place_ << 40);
        return Target.wrap((Target.unwrap(t) & ~uint256(0xffffffffff << 16)) | where);
    }
}

library Zones {
    function assets(Zone z) internal pure returns (uint256) {
        return part(Zone.unwrap(z), 0, 24);
    }

    function isolated(Zone z) internal pure returns (uint256) {
        return part(Zone.unwrap(z), 24, 24);
    }

    function share(Zone z) internal pure returns (uint256) {
        return part(Zone.unwrap(z), 48, 8);
    }

    function extra(Zone z) internal pure returns (uint256) {
        return part(Zone.unwrap(z), 56, 8);
    }

    function frozenFrom(Zone z) internal pure returns (uint256) {
        return part(Zone.unwrap(z), 64, 40);
    }

    function frozenUntil(Zone z) internal pure returns (uint256) {
        return part(Zone.unwrap(z), 104, 40);
    }

    function opens(Zone z) internal pure returns (uint256) {
        return part(Zone.unwrap(z), 144, 24);
    }

    function length(Zone z) internal pure returns (uint256) {
        return part(Zone.unwrap(z), 168, 24);
    }

    function withAssets(Zone z, uint256 assets_) internal pure returns (Zone) {
        return Zone.wrap(put(Zone.unwrap(z), 0, 24, assets_));
    }

    function withIsolated(Zone z, uint256 isolated_) internal pure returns (Zone) {
        return Zone.wrap(put(Zone.unwrap(z), 24, 24, isolated_));
    }

    /// @param rule packed as the bits from 48 are
    function withRule(Zone z, uint256 rule) internal pure returns (Zone) {
        return Zone.wrap(part(Zone.unwrap(z), 0, 48) | rule);
    }
}

library LeaseTerms {
    function expires(Terms t) internal pure returns (uint256) {
        return part(Terms.unwrap(t), 0, 40);
    }

    function maxTtl(Terms t) internal pure returns (uint256) {
        return part(Terms.unwrap(t), 40, 32);
    }

    function maxCriticality(Terms t) internal pure returns (uint256) {
        return part(Terms.unwrap(t), 72, 8);
    }

    function model(Terms t) internal pure returns (uint256) {
        return part(Terms.unwrap(t), 80, 16);
    }

    function signers(Terms t) internal pure returns (uint256) {
        return part(Terms.unwrap(t), 96, 64);
    }
}
