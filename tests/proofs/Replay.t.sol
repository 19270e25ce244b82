// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";
import {Gate} from "contracts/Gate.sol";
import {Desk} from "contracts/Desk.sol";
import {Docket} from "contracts/Docket.sol";
import {Office} from "contracts/Office.sol";
import {vm} from "./Vm.sol";

/// @notice Does what the Python tests did, as recorder.py wrote it down, with the contracts that forge compiled: all has to come
/// out as it did with those that ship.
contract Replay {
    enum What {
        CREATE,
        CALL,
        ASK,
        STORE,
        FUND,
        SNAPSHOT,
        REVERT
    }

    struct Step {
        What what;
        uint256 time;
        uint256 chain;
        address sender;
        address to; // of a creation: where it comes to be; zero: nowhere
        uint256 number; // of the sender's transaction; wei; of the slot; of the snapshot
        string name; // of the contract created; its arguments are in `data`. Empty: all of its code is
        bytes data;
        bool succeeds;
        bytes answer;
    }

    error Differs(uint256 line, bool succeeded, bytes answer);

    /// @dev Keeps no snapshot longer than it is of use: each holds all that was done until then.
    function test_replay() external {
        string memory file = vm.envString("RECORDED");
        uint256 lines = vm.envUint("LINES");
        uint256[] memory snapshots = new uint256[](lines);
        uint256 start = vm.snapshotState();
        for (uint256 line = 1; line <= lines; ++line) {
            (bool ends, What what, uint256 number) = this.next(file, line);
            if (ends) {
                vm.revertToState(start);
                vm.deleteStateSnapshots();
                start = vm.snapshotState();
            } else if (what == What.SNAPSHOT) {
                snapshots[number] = vm.snapshotState();
            } else if (what == What.REVERT) {
                vm.revertToStateAndDelete(snapshots[number]);
            }
        }
    }

    /// @dev A call of its own, so that the memory it takes is free afterwards.
    function next(string calldata file, uint256 line) external returns (bool ends, What what, uint256 number) {
        string memory text = vm.readLine(file);
        if (bytes(text).length == 0) return (true, what, number);
        Step memory step = abi.decode(vm.parseBytes(text), (Step));
        (bool succeeded, bytes memory answer) = _do(step);
        bool same = succeeded == step.succeeds && keccak256(answer) == keccak256(step.answer);
        if (!same) revert Differs(line, succeeded, answer);
        return (false, step.what, step.number);
    }

    function _do(Step memory step) private returns (bool succeeded, bytes memory answer) {
        vm.warp(step.time);
        vm.chainId(step.chain);
        if (step.what == What.CREATE) return (_create(step) == step.to, "");
        if (step.what == What.FUND) vm.deal(step.to, step.number);
        if (step.what == What.STORE) vm.store(step.to, bytes32(step.number), bytes32(step.data));
        if (step.what != What.CALL && step.what != What.ASK) return (true, "");
        vm.prank(step.sender, step.sender);
        return step.what == What.ASK ? step.to.staticcall(step.data) : step.to.call{value: step.number}(step.data);
    }

    function _create(Step memory step) private returns (address made) {
        bytes memory code = step.data;
        if (bytes(step.name).length != 0) code = bytes.concat(vm.getCode(step.name), code);
        vm.setNonceUnsafe(step.sender, uint64(step.number));
        vm.prank(step.sender, step.sender);
        assembly {
            made := create(0, add(code, 0x20), mload(code))
        }
    }
}
