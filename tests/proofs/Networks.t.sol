// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Code} from "./Code.sol";
import {NetworksPort} from "./NetworksPort.sol";
import {vm} from "./Vm.sol";

/// @notice What the packing of networks must mean, for every word there is: a network is the interval of its addresses.
contract NetworksSpec is Code {
    NetworksPort private port;

    function setUp() external {
        port = NetworksPort(created("NetworksPort", ""));
    }

    // ============ The meaning ============

    function family(bytes32 network) private pure returns (uint256) {
        return uint256(network) >> 136;
    }

    function prefixOf(bytes32 network) private pure returns (uint256) {
        return uint8(uint256(network) >> 128);
    }

    function width(bytes32 network) private pure returns (uint256) {
        return family(network) == 4 ? 32 : 128;
    }

    function first(bytes32 network) private pure returns (uint256) {
        return uint128(uint256(network));
    }

    function last(bytes32 network) private pure returns (uint256) {
        return first(network) + (uint256(1) << (width(network) - prefixOf(network))) - 1;
    }

    function holds(bytes32 network, bytes32 other) private pure returns (bool) {
        return family(network) == family(other) && first(network) <= first(other) && last(other) <= last(network);
    }

    function assumeCanonical(bytes32 network) private view {
        vm.assume(port.isCanonical(network));
    }

    // ============ Keys ============

    function check_a_key_is_an_interval(bytes32 network) external view {
        bool proper = (family(network) == 4 || family(network) == 6) && prefixOf(network) <= width(network)
            && first(network) >> width(network) == 0;
        uint256 free = proper ? width(network) - prefixOf(network) : 0;
        bool aligned = proper && (first(network) >> free) << free == first(network);
        bool mapped = family(network) == 6 && prefixOf(network) >= 96 && first(network) >> 32 == 0xffff;
        assert(port.isCanonical(network) == (aligned && !mapped));
    }

    /// @notice One network, all addresses that begin as this one does, has one key.
    function check_two_keys_are_two_networks(bytes32 one, bytes32 other) external view {
        assumeCanonical(one);
        assumeCanonical(other);
        bool alike = family(one) == family(other) && prefixOf(one) == prefixOf(other);
        uint256 free = width(one) - prefixOf(one);
        bool same = alike && (first(one) ^ first(other)) >> free == 0;
        assert(same == (one == other));
    }

    /// @notice No IPv4 address has a second key in IPv6.
    function check_ipv4_is_written_as_ipv4(bytes32 network, uint32 host) external view {
        assumeCanonical(network);
        vm.assume(family(network) == 6 && prefixOf(network) >= 96);
        uint256 mapped = (uint256(0xffff) << 32) | host;
        assert(mapped < first(network) || mapped > last(network));
    }

    // ============ Overlap ============

    function check_overlap_is_to_share_an_address(bytes32 one, bytes32 other, uint128 address_) external view {
        assumeCanonical(one);
        assumeCanonical(other);
        vm.assume(family(one) == family(other));
        bool overlaps = port.overlap(one, other);
        assert(overlaps || !(covers(one, address_) && covers(other, address_)));
        uint256 shared = first(prefixOf(one) < prefixOf(other) ? other : one);
        assert(!overlaps || (covers(one, shared) && covers(other, shared)));
    }

    function covers(bytes32 network, uint256 address_) private pure returns (bool) {
        return (first(network) ^ address_) >> (width(network) - prefixOf(network)) == 0;
    }

    function check_overlap_of_the_shortened_is_the_same(bytes32 one, bytes32 other) external view {
        assumeCanonical(one);
        assumeCanonical(other);
        vm.assume(family(one) == 4 && family(other) == 4);
        assert(port.overlapShort(one, port.shorten(other)) == port.overlap(one, other));
    }

    // ============ Widening ============

    function check_a_wider_network_holds_the_narrower(bytes32 network, uint256 prefix) external view {
        assumeCanonical(network);
        vm.assume(prefix <= prefixOf(network));
        bytes32 wide = port.widen(network, prefix);
        assert(port.isCanonical(wide) && prefixOf(wide) == prefix && holds(wide, network));
        assert(prefix != prefixOf(network) || wide == network);
    }

    function check_a_wider_network_is_as_critical(bytes32 network, uint256 prefix) external view {
        assumeCanonical(network);
        vm.assume(prefix <= prefixOf(network));
        assert(port.criticality(port.widen(network, prefix)) >= port.criticality(network));
    }

    // ============ Storage ============

    function check_what_is_shortened_comes_back(bytes32 network) external view {
        assumeCanonical(network);
        vm.assume(family(network) == 4);
        assert(port.shorten(network) != 0);
        assert(port.lengthen(port.shorten(network)) == network);
    }

    function check_what_is_lengthened_goes_back(uint40 short) external view {
        vm.assume(short == 0 || short >> 32 != 0);
        bytes32 network = port.lengthen(short);
        assert(short == 0 ? network == 0 : port.shorten(network) == short);
    }
}
