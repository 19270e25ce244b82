// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IGate} from "contracts/interfaces/IGate.sol";
import {IRegistry, Kind} from "contracts/interfaces/IRegistry.sol";
import {Scene} from "./Scene.sol";
import {vm} from "./Vm.sol";

/// @notice The head of the chain after a call is that of before and of all that the event says, and nothing else.
contract AuditSpec is Scene {
    function check_an_order_is_chained(uint32 ttl, bytes32 evidence) external {
        vm.assume(ttl > 0 && ttl <= MAX_TTL);
        grantLease(1);
        IGate.Proposal memory proposal = isolation(ttl, 1);
        proposal.evidence = evidence;
        bytes memory data = abi.encode(proposal, NOW + ttl, new IGate.CompactSignature[](0));
        bytes32 head = next(IGate.Ordered.selector, gate.idOf(proposal), data);
        propose(proposal);
        assert(gate.auditHead() == head);
    }

    function check_an_approval_is_chained(address caller) external {
        IGate.Proposal memory proposal = isolation(60, 1);
        propose(proposal);
        bytes32 before = gate.auditHead();
        bytes32 head = next(IGate.Approved.selector, gate.idOf(proposal), abi.encode(caller, bytes("")));
        bool taken = takes(caller, abi.encodeCall(IGate.approve, (proposal)));
        assert(gate.auditHead() == (taken ? head : before));
    }

    function check_a_rule_is_chained(address caller, uint8 quorum, uint16 live) external {
        IRegistry.Rule memory rule_ = IRegistry.Rule(true, true, quorum, 0, 0, MAX_TTL, 50, live);
        bytes32 before = gate.auditHead();
        bytes32 head = next(IRegistry.RuleSet.selector, bytes32(uint256(Kind.REVOKE)), abi.encode(0, rule_));
        bool taken = takes(caller, abi.encodeCall(IRegistry.setRule, (Kind.REVOKE, 0, rule_)));
        assert(gate.auditHead() == (taken ? head : before));
    }

    function next(bytes32 selector, bytes32 subject, bytes memory data) private view returns (bytes32) {
        return keccak256(bytes.concat(gate.auditHead(), selector, subject, data));
    }
}
