// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @notice Any sequence of an agent's leases: what executed under them is within what people signed, and under each within what
/// its own signers did. A lease is granted only where none is live.
contract Lease {
    uint256 private time;
    uint256 private expires;
    uint256 private left;

    uint256 private budget; // of the last lease
    uint256 private executed; // under the last lease
    uint256 private signed; // of all leases together
    uint256 private executedInAll;

    function pass(uint256 seconds_) external {
        time += seconds_;
    }

    function grant(uint256 budget_, uint256 expires_) external {
        require(time >= expires && expires_ > time);
        (left, expires) = (budget_, expires_);
        (budget, executed) = (budget_, 0);
        signed += budget_;
    }

    function execute() external {
        require(time < expires && left != 0);
        left -= 1;
        executed += 1;
        executedInAll += 1;
    }

    function end() external {
        expires = 0;
    }

    function a_lease_is_within_its_budget() external view {
        assert(executed <= budget);
    }

    function leases_are_within_what_was_signed() external view {
        assert(executedInAll <= signed);
    }
}
