// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Networks} from "contracts/Networks.sol";
import {vm} from "./Vm.sol";

/// @notice What the packing of networks must mean, for every word there is: a network is the interval of its addresses.
contract NetworksSpec {
    // ============ The meaning ============

    function first(bytes32 network) private pure returns (uint256) {
        return uint128(uint256(network));
    }

    function last(bytes32 network) private pure returns (uint256) {
        return first(network) + (uint256(1) << (Networks.width(network) - Networks.prefixOf(network))) - 1;
    }

    function holds(bytes32 network, bytes32 other) private pure returns (bool) {
        return Networks.family(network) == Networks.family(other) && first(network) <= first(other)
            && last(other) <= last(network);
    }

    function assumeCanonical(bytes32 network) private pure {
        vm.assume(Networks.isCanonical(network));
    }

    // ============ Keys ============

    function check_a_key_is_an_interval(bytes32 network) external pure {
        uint256 version = Networks.family(network);
        uint256 prefix = Networks.prefixOf(network);
        uint256 width = version == 4 ? 32 : 128;
        bool proper = (version == 4 || version == 6) && prefix <= width && first(network) >> width == 0;
        bool aligned = proper && (first(network) >> (width - prefix)) << (width - prefix) == first(network);
        bool mapped = version == 6 && prefix >= 96 && first(network) >> 32 == 0xffff;
        assert(Networks.isCanonical(network) == (aligned && !mapped));
    }

    /// @notice One network has one key.
    function check_two_keys_are_two_networks(bytes32 one, bytes32 other) external pure {
        assumeCanonical(one);
        assumeCanonical(other);
        bool same = holds(one, other) && holds(other, one);
        assert(same == (one == other));
    }

    /// @notice No IPv4 address has a second key in IPv6.
    function check_ipv4_is_written_as_ipv4(bytes32 network, uint32 host) external pure {
        assumeCanonical(network);
        vm.assume(Networks.family(network) == 6 && Networks.prefixOf(network) >= 96);
        uint256 mapped = (uint256(0xffff) << 32) | host;
        assert(mapped < first(network) || mapped > last(network));
    }

    // ============ Overlap ============

    function check_overlap_is_of_intervals(bytes32 one, bytes32 other) external pure {
        assumeCanonical(one);
        assumeCanonical(other);
        bool shares = Networks.family(one) == Networks.family(other) && first(one) <= last(other)
            && first(other) <= last(one);
        assert(Networks.overlap(one, other) == shares);
    }

    function check_overlap_has_no_order(bytes32 one, bytes32 other) external pure {
        assumeCanonical(one);
        assumeCanonical(other);
        assert(Networks.overlap(one, other) == Networks.overlap(other, one));
    }

    // ============ Widening ============

    function check_a_wider_network_holds_the_narrower(bytes32 network, uint256 prefix) external pure {
        assumeCanonical(network);
        vm.assume(prefix <= Networks.prefixOf(network));
        bytes32 wide = Networks.widen(network, prefix);
        assert(Networks.prefixOf(wide) == prefix && holds(wide, network));
        assert(Networks.criticality(wide) >= Networks.criticality(network));
        assert(prefix != Networks.prefixOf(network) || wide == network);
    }

    function check_a_wider_network_is_a_key(bytes32 network, uint256 prefix) external pure {
        assumeCanonical(network);
        vm.assume(prefix <= Networks.prefixOf(network));
        assert(Networks.isCanonical(Networks.widen(network, prefix)));
    }

    // ============ Storage ============

    function check_what_is_shortened_comes_back(bytes32 network) external pure {
        assumeCanonical(network);
        vm.assume(Networks.isV4(network));
        assert(Networks.shorten(network) != 0);
        assert(Networks.lengthen(Networks.shorten(network)) == network);
    }

    function check_what_is_lengthened_goes_back(uint40 short) external pure {
        vm.assume(short == 0 || short >> 32 != 0);
        bytes32 network = Networks.lengthen(short);
        assert(short == 0 ? network == 0 : Networks.shorten(network) == short);
    }
}
