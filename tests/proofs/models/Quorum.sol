// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @notice One proposal, any number of operators who come and go, and two of whom it is asked whether they alone agreed.
contract Quorum {
    address private immutable one;
    mapping(address => bool) private isOperator;
    mapping(address => bool) private voted;
    uint256 private approvals; // of current operators
    bool private executed;
    bool private oneApproved;
    uint256 private othersApproved;

    constructor(address one_) {
        one = one_;
    }

    function setOperator(address account, bool is_) external {
        require(isOperator[account] != is_);
        isOperator[account] = is_;
        if (!voted[account]) return;
        if (is_) count(account);
        else uncount(account);
    }

    function approve() external {
        require(!executed && isOperator[msg.sender] && !voted[msg.sender]);
        voted[msg.sender] = true;
        count(msg.sender);
    }

    function execute() external {
        require(!executed && approvals >= 2);
        executed = true;
        assert(othersApproved >= 1);
    }

    function count(address account) private {
        approvals += 1;
        if (account == one) oneApproved = true;
        else othersApproved += 1;
    }

    function uncount(address account) private {
        require(approvals > 0);
        approvals -= 1;
        if (account == one) oneApproved = false;
        else othersApproved -= 1;
    }

    function no_one_counts_twice() external view {
        assert(approvals == othersApproved + (oneApproved ? 1 : 0));
    }
}
