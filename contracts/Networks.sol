// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Networks packed in one word (see `IRegistry`)
library Networks {
    uint256 internal constant IPV4 = 4;
    uint256 internal constant IPV6 = 6;

    uint256 private constant V6_MAPPED = 0xffff; // ::ffff:0:0/96, IPv4 written as IPv6

    bytes16 private constant HEX = "0123456789abcdef";
    uint256 private constant ZERO = 0x30;
    uint256 private constant DOT = 0x2e;
    uint256 private constant SLASH = 0x2f;

    // ============ Parts ============

    function family(bytes32 network) internal pure returns (uint256) {
        return uint256(network) >> 136;
    }

    function prefixOf(bytes32 network) internal pure returns (uint256) {
        return uint8(uint256(network) >> 128);
    }

    function isV4(bytes32 network) internal pure returns (bool) {
        return family(network) == IPV4;
    }

    /// @dev Bits of an address of this family.
    function width(bytes32 network) internal pure returns (uint256) {
        return family(network) == IPV4 ? 32 : 128;
    }

    // ============ Rules ============

    /// @notice One network has one key: host bits zero, and IPv4 never written as IPv4-mapped IPv6.
    function isCanonical(bytes32 network) internal pure returns (bool) {
        if (isV4(network)) return _isCanonical(network, 32);
        bool mapped = prefixOf(network) >= 96 && uint128(uint256(network)) >> 32 == V6_MAPPED;
        return family(network) == IPV6 && !mapped && _isCanonical(network, 128);
    }

    /// @param bits of an address
    function _isCanonical(bytes32 network, uint256 bits) private pure returns (bool) {
        uint256 prefix = prefixOf(network);
        uint256 host = uint128(uint256(network));
        unchecked {
            return prefix <= bits && host >> bits == 0 && host & ((1 << (bits - prefix)) - 1) == 0;
        }
    }

    /// @notice The network of `prefix` bits that contains `network`; `prefix` is at most its own.
    function widen(bytes32 network, uint256 prefix) internal pure returns (bytes32) {
        uint256 bits = width(network);
        uint256 host = uint128(uint256(network));
        return bytes32((family(network) << 136) | (prefix << 128) | ((host >> (bits - prefix)) << (bits - prefix)));
    }

    /// @notice Whether two canonical networks of one family share an address.
    function overlap(bytes32 one, bytes32 other) internal pure returns (bool) {
        uint256 a = prefixOf(one);
        uint256 b = prefixOf(other);
        uint256 prefix = a < b ? a : b;
        return uint128(uint256(one ^ other)) >> (width(one) - prefix) == 0;
    }

    /// @notice The same of an IPv4 network and one that is shortened.
    function overlapShort(bytes32 one, uint256 short) internal pure returns (bool) {
        unchecked {
            // Without the host bits of either nothing is left: cheaper than to find the shorter prefix.
            uint256 difference = uint32(uint256(one) ^ short);
            return (difference >> (32 - prefixOf(one))) * (difference >> (33 - (short >> 32))) == 0;
        }
    }

    /// @notice How much a block of this width may hurt, in the four classes of criticality.
    function criticality(bytes32 network) internal pure returns (uint8) {
        uint256 prefix = prefixOf(network);
        bool v4 = family(network) == IPV4;
        if (prefix == (v4 ? 32 : 128)) return 0;
        if (prefix >= (v4 ? 24 : 64)) return 1;
        if (prefix >= (v4 ? 16 : 48)) return 2;
        return 3;
    }

    // ============ Storage ============

    /// @notice A canonical IPv4 network in 40 bits, never zero: `prefix length + 1 << 32 | address`.
    function shorten(bytes32 network) internal pure returns (uint40) {
        return uint40(((prefixOf(network) + 1) << 32) | uint32(uint256(network)));
    }

    /// @notice The network that `shorten` made this of; zero of zero.
    function lengthen(uint40 short) internal pure returns (bytes32) {
        if (short == 0) return 0;
        return bytes32((IPV4 << 136) | (((uint256(short) >> 32) - 1) << 128) | uint32(short));
    }

    // ============ Text ============

    /// @notice Hash of what a wallet shows, as EIP-712 encodes it: "203.0.113.9/32", or eight full groups for IPv6.
    function textHash(bytes32 network) internal pure returns (bytes32 hash) {
        if (isV4(network)) return _hashTail(_decimal((_dotted(network) << 8) | SLASH, prefixOf(network)));
        return keccak256(_full(network));
    }

    /// @return text in its low bytes, as of `_decimal`
    function _dotted(bytes32 network) private pure returns (uint256 text) {
        uint256 host = uint256(network);
        text = _decimal(0, uint8(host >> 24));
        text = _decimal((text << 8) | DOT, uint8(host >> 16));
        text = _decimal((text << 8) | DOT, uint8(host >> 8));
        return _decimal((text << 8) | DOT, uint8(host));
    }

    /// @dev Appends a value up to 255 to a text that stands in the low bytes of a word.
    function _decimal(uint256 text, uint256 value) private pure returns (uint256) {
        unchecked {
            if (value > 99) {
                text = (text << 16) | ((ZERO + value / 100) << 8) | (ZERO + (value / 10) % 10);
            } else if (value > 9) {
                text = (text << 8) | (ZERO + value / 10);
            }
            return (text << 8) | (ZERO + value % 10);
        }
    }

    /// @param text in its low bytes, 9 to 18 of them
    function _hashTail(uint256 text) private pure returns (bytes32 hash) {
        // In scratch space.
        assembly ("memory-safe") {
            mstore(0, text)
            let more := shr(72, text) // 0 to 9 bytes
            let bits := shl(6, gt(more, 0xffffffffffffffff))
            bits := or(bits, shl(5, gt(shr(bits, more), 0xffffffff)))
            bits := or(bits, shl(4, gt(shr(bits, more), 0xffff)))
            bits := or(bits, shl(3, gt(shr(bits, more), 0xff)))
            let length := add(9, add(shr(3, bits), gt(shr(bits, more), 0)))
            hash := keccak256(sub(32, length), length)
        }
    }

    function _full(bytes32 network) private pure returns (bytes memory text) {
        uint256 host = uint128(uint256(network));
        text = new bytes(39);
        uint256 next = 0;
        for (uint256 nibble = 0; nibble < 32; ++nibble) {
            if (nibble != 0 && nibble % 4 == 0) text[next++] = ":";
            text[next++] = HEX[(host >> (124 - 4 * nibble)) & 0xf];
        }
        uint256 prefix = prefixOf(network);
        bytes memory length = prefix > 99
            ? bytes.concat(bytes1(uint8(ZERO + prefix / 100)), bytes1(uint8(ZERO + (prefix / 10) % 10)))
            : prefix > 9 ? bytes.concat(bytes1(uint8(ZERO + prefix / 10))) : bytes("");
        return bytes.concat(text, "/", length, bytes1(uint8(ZERO + prefix % 10)));
    }
}
