// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @notice One proposal and any number of operators who come and go, vote and withdraw: what executes has the votes of as many
/// different operators of now as the rule of now asks for. One operator is looked at, the others are numbers.
contract Quorum {
    uint256 private quorum = 1;
    uint256 private votes; // what the gate counts: seats that are in both sets
    bool private executed;

    bool private oneIsOperator;
    bool private oneVoted;
    bool private oneWithdrew;
    uint256 private othersWithVote; // operators now
    uint256 private othersGone; // with a vote, no operators now

    function setQuorum(uint256 quorum_) external {
        require(quorum_ != 0);
        quorum = quorum_;
    }

    function setOne(bool isOperator) external {
        require(isOperator != oneIsOperator);
        oneIsOperator = isOperator;
        if (!oneVoted) return;
        if (isOperator) votes += 1;
        else votes -= 1;
    }

    function approveAsOne() external {
        require(!executed && oneIsOperator && !oneVoted && !oneWithdrew);
        oneVoted = true;
        votes += 1;
    }

    function withdrawAsOne() external {
        require(!executed && oneIsOperator && !oneWithdrew);
        if (oneVoted) votes -= 1;
        (oneVoted, oneWithdrew) = (false, true);
    }

    function approveAsAnother() external {
        require(!executed);
        othersWithVote += 1;
        votes += 1;
    }

    function withdrawAsAnother() external {
        require(!executed && othersWithVote > 0);
        othersWithVote -= 1;
        votes -= 1;
    }

    function revokeAnother() external {
        require(othersWithVote > 0);
        othersWithVote -= 1;
        othersGone += 1;
        votes -= 1;
    }

    function restoreAnother() external {
        require(othersGone > 0);
        othersGone -= 1;
        othersWithVote += 1;
        votes += 1;
    }

    function execute() external {
        require(!executed && votes >= quorum);
        executed = true;
        // So no one is enough alone where two are asked for.
        assert(othersWithVote + (oneIsOperator && oneVoted ? 1 : 0) >= quorum);
    }
}
