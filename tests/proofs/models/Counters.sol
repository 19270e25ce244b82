// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @notice Any one cell of the rules, with any number of proposals in it and any sequence of calls.
contract Counters {
    uint256 private limit;
    uint256 private counted;
    mapping(uint256 id => bool) private used;
    mapping(uint256 id => bool) private live;

    uint256 private immutable one; // any proposal there may be
    uint256 private executions; // of this one

    constructor(uint256 one_, uint256 limit_) {
        (one, limit) = (one_, limit_);
    }

    /// @dev A limit may be lowered to what is counted, not below: what is ordered stays ordered.
    function setLimit(uint256 limit_) external {
        require(limit_ >= counted);
        limit = limit_;
    }

    function order(uint256 id) external {
        require(!used[id] && counted < limit);
        used[id] = true;
        live[id] = true;
        counted += 1;
        if (id == one) executions += 1;
    }

    /// @dev Release, or settling what has expired.
    function end(uint256 id) external {
        require(live[id] && counted > 0);
        live[id] = false;
        counted -= 1;
    }

    function counted_never_exceeds_its_limit() external view {
        assert(counted <= limit);
    }

    function an_id_executes_at_most_once() external view {
        assert(executions <= 1);
    }

    function what_is_live_was_executed() external view {
        assert(!live[one] || executions == 1);
    }
}
