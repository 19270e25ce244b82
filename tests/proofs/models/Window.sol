// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @notice An agent's proposals of one kind at any times: in no window there are more than the highest budget it had. Windows may
/// be numbered anyhow, so modulo 65,536 too.
contract Window {
    uint256 private budget;
    uint256 private kept; // number of the window that `used` counts in
    uint256 private used;

    uint256 private number; // of the window of now
    uint256 private proposals; // in it
    uint256 private highest; // budget in it

    function setBudget(uint256 budget_) external {
        budget = budget_;
        if (budget > highest) highest = budget;
    }

    function pass(uint256 number_) external {
        number = number_;
        (proposals, highest) = (0, budget);
    }

    function propose() external {
        uint256 count = (kept == number ? used : 0) + 1;
        require(count <= budget);
        (kept, used) = (number, count);
        proposals += 1;
    }

    function a_window_is_within_its_budget() external view {
        assert(proposals <= highest);
    }
}
