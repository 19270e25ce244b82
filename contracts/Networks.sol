// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Networks packed in one word (see `IRegistry`)
library Networks {
    uint256 internal constant IPV4 = 4;
    uint256 internal constant IPV6 = 6;

    uint256 private constant V6_MAPPED = 0xffff; // ::ffff:0:0/96, IPv4 written as IPv6

    bytes16 private constant HEX = "0123456789abcdef";

    // ============ Parts ============

    function family(bytes32 network) internal pure returns (uint256) {
        return uint256(network) >> 136;
    }

    function prefixOf(bytes32 network) internal pure returns (uint256) {
        return uint8(uint256(network) >> 128);
    }

    /// @dev Bits of an address of this family.
    function width(bytes32 network) internal pure returns (uint256) {
        return family(network) == IPV4 ? 32 : 128;
    }

    // ============ Rules ============

    /// @notice One network has one key: host bits zero, and IPv4 never written as IPv4-mapped IPv6.
    function isCanonical(bytes32 network) internal pure returns (bool) {
        uint256 version = family(network);
        if (version != IPV4 && version != IPV6) return false;
        uint256 bits = width(network);
        uint256 prefix = prefixOf(network);
        uint256 host = uint128(uint256(network));
        if (prefix > bits || host >> bits != 0) return false;
        if (version == IPV6 && prefix >= 96 && host >> 32 == V6_MAPPED) return false;
        return host & ((uint256(1) << (bits - prefix)) - 1) == 0;
    }

    /// @notice The network of `prefix` bits that contains `network`; `prefix` is at most its own.
    function widen(bytes32 network, uint256 prefix) internal pure returns (bytes32) {
        uint256 bits = width(network);
        uint256 host = uint128(uint256(network));
        return bytes32((family(network) << 136) | (prefix << 128) | ((host >> (bits - prefix)) << (bits - prefix)));
    }

    /// @notice Whether two canonical networks share an address.
    function overlap(bytes32 one, bytes32 other) internal pure returns (bool) {
        if (family(one) != family(other)) return false;
        uint256 a = prefixOf(one);
        uint256 b = prefixOf(other);
        uint256 prefix = a < b ? a : b;
        return widen(one, prefix) == widen(other, prefix);
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

    // ============ Text ============

    /// @notice What a wallet shows: "203.0.113.9/32", or eight full groups for IPv6.
    function toText(bytes32 network) internal pure returns (string memory) {
        bytes memory prefix = _decimal(prefixOf(network));
        bytes memory host = family(network) == IPV4 ? _dotted(network) : _groups(network);
        return string(bytes.concat(host, "/", prefix));
    }

    function _dotted(bytes32 network) private pure returns (bytes memory) {
        uint256 host = uint256(network);
        return bytes.concat(
            _decimal(uint8(host >> 24)),
            ".",
            _decimal(uint8(host >> 16)),
            ".",
            _decimal(uint8(host >> 8)),
            ".",
            _decimal(uint8(host))
        );
    }

    function _groups(bytes32 network) private pure returns (bytes memory text) {
        uint256 host = uint128(uint256(network));
        text = new bytes(39);
        uint256 next = 0;
        for (uint256 nibble = 0; nibble < 32; ++nibble) {
            if (nibble != 0 && nibble % 4 == 0) text[next++] = ":";
            text[next++] = HEX[(host >> (124 - 4 * nibble)) & 0xf];
        }
    }

    /// @dev For values up to 255.
    function _decimal(uint256 value) private pure returns (bytes memory) {
        bytes1 units = bytes1(uint8(48 + (value % 10)));
        if (value < 10) return bytes.concat(units);
        bytes1 tens = bytes1(uint8(48 + ((value / 10) % 10)));
        if (value < 100) return bytes.concat(tens, units);
        return bytes.concat(bytes1(uint8(48 + (value / 100))), tens, units);
    }
}
