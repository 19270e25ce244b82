// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @notice A zone of three assets and orders that end by themselves and are settled some time later, or never.
contract Share {
    uint256 private immutable limit;
    uint256 private time;
    uint256 private counted;
    bool private a;
    bool private b;
    bool private c;
    uint256 private untilA;
    uint256 private untilB;
    uint256 private untilC;

    constructor(uint256 limit_) {
        limit = limit_;
    }

    function wait_(uint256 seconds_) external {
        time += seconds_;
    }

    /// @dev An asset that is counted already is renewed, which takes no more of the share.
    function orderA(uint256 until) external {
        if (!a) {
            require(counted < limit);
            counted += 1;
            a = true;
        }
        untilA = until;
    }

    function orderB(uint256 until) external {
        if (!b) {
            require(counted < limit);
            counted += 1;
            b = true;
        }
        untilB = until;
    }

    function orderC(uint256 until) external {
        if (!c) {
            require(counted < limit);
            counted += 1;
            c = true;
        }
        untilC = until;
    }

    function end(uint256 asset, bool releasing) external {
        if (asset == 0) {
            require(a && (releasing || time >= untilA));
            (a, untilA) = (false, 0);
        } else if (asset == 1) {
            require(b && (releasing || time >= untilB));
            (b, untilB) = (false, 0);
        } else {
            require(c && (releasing || time >= untilC));
            (c, untilC) = (false, 0);
        }
        counted -= 1;
    }

    function what_is_live_never_exceeds_the_limit() external view {
        uint256 live;
        if (time < untilA) live += 1;
        if (time < untilB) live += 1;
        if (time < untilC) live += 1;
        assert(live <= limit);
    }
}
