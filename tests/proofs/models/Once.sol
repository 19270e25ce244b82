// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @notice Any sequence of an agent's nonces, used in any order by proposals and by vetoes of what is not proposed yet: any one of
/// them is used once at most. Of the bits that the account keeps one is looked at.
contract Once {
    uint256 private constant KEPT = 24; // how many of the last nonces

    uint256 private immutable one;
    uint256 private last;
    bool private bit; // of `one`, while it is among those kept
    uint256 private uses; // of `one`

    constructor(uint256 one_) {
        one = one_;
    }

    function use(uint256 nonce) external {
        require(nonce > last || last - nonce < KEPT);
        if (nonce == one) {
            require(nonce > last || !bit);
            bit = true;
            uses += 1;
        } else if (nonce > last && one < nonce && nonce - one >= KEPT) {
            bit = false; // it is kept no more
        }
        if (nonce > last) last = nonce;
    }

    function a_nonce_is_used_once() external view {
        assert(uses <= 1);
    }
}
