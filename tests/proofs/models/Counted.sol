// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @notice Any number of orders under one limit, which end by themselves and are settled some time later, or never: what is live
/// stays within the highest limit that there ever was. Of the orders only their numbers matter.
contract Counted {
    uint256 private limit;
    uint256 private highest; // limit so far
    uint256 private counted; // ordered, and neither released nor settled
    uint256 private live;

    /// @dev Governance may set it below what is counted; what is ordered stays ordered.
    function setLimit(uint256 limit_) external {
        limit = limit_;
        if (limit > highest) highest = limit;
    }

    function order() external {
        require(counted < limit);
        counted += 1;
        live += 1;
    }

    /// @dev Of one that has ended and still counts; it takes its own place. Renewing one that lives changes no number.
    function renewEnded() external {
        require(live < counted);
        live += 1;
    }

    function end() external {
        require(live > 0);
        live -= 1;
    }

    function settle() external {
        require(live < counted);
        counted -= 1;
    }

    function release() external {
        require(live > 0);
        live -= 1;
        counted -= 1;
    }

    function what_is_live_is_counted() external view {
        assert(live <= counted);
    }

    function what_is_live_is_within_the_limit() external view {
        assert(live <= highest && counted <= highest);
    }
}
