// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IGate, Status} from "contracts/interfaces/IGate.sol";
import {Scene} from "./Scene.sol";
import {vm} from "./Vm.sol";

/// @notice No order without people's signatures, whoever calls and whatever is given.
contract PeopleSpec is Scene {
    // ============ Approvals ============

    function check_no_order_without_a_quorum(address caller, bool[3] memory votes, bool[3] memory revoked) external {
        IGate.Proposal memory proposal = isolation(60, 1);
        propose(proposal);
        uint256 counted;
        for (uint256 i = 0; i < 3; ++i) {
            if (votes[i]) approve(proposal, operators[i]);
            if (revoked[i]) gate.setRoles(operators[i], 0, 0);
            if (votes[i] && !revoked[i]) ++counted;
        }
        bool taken = takes(caller, abi.encodeCall(IGate.execute, (proposal)));
        assert(taken == (counted >= QUORUM));
        assert(gate.isIsolated(WEB) == taken);
    }

    /// @notice So what was approved for one proposal counts for no other.
    function check_an_id_is_one_proposal(IGate.Proposal memory one, IGate.Proposal memory other) external view {
        bool same = one.kind == other.kind && one.target == other.target && one.ttl == other.ttl
            && one.model == other.model && one.evidence == other.evidence && one.deadline == other.deadline
            && one.agent == other.agent && one.nonce == other.nonce;
        assert(same == (gate.idOf(one) == gate.idOf(other)));
    }

    function check_one_operator_is_one_vote(bytes memory data) external {
        IGate.Proposal memory proposal = isolation(60, 1);
        propose(proposal);
        approve(proposal, operators[0]);
        IGate.Signature[] memory signatures = new IGate.Signature[](1);
        signatures[0] = IGate.Signature(operators[0], data);
        assert(!takes(guardian, abi.encodeCall(IGate.approveBySig, (proposal, signatures))));
        assert(!takes(guardian, abi.encodeCall(IGate.execute, (proposal))));
    }

    function check_one_signature_is_one_approval(address caller, bytes32 r, bytes32 vs, bool twice) external {
        IGate.CompactSignature[] memory signatures = new IGate.CompactSignature[](twice ? 2 : 1);
        for (uint256 i = 0; i < signatures.length; ++i) {
            signatures[i] = IGate.CompactSignature(r, vs);
        }
        assert(!takes(caller, abi.encodeCall(IGate.proposeApproved, (isolation(60, 1), signatures))));
    }

    // ============ Leases ============

    function check_a_lease_needs_a_quorum(address one, address other, IGate.Lease memory lease) external {
        bool taken = takes(guardian, abi.encodeCall(IGate.grantLease, (lease, signedBy(one, other))));
        assert(!taken || (isOperator(one) && isOperator(other) && one != other));
        assert(!taken || lease.agent == agent);
    }

    function check_a_lease_is_spent_once(uint32 budget, uint32 ttl) external {
        vm.assume(budget > 0 && budget <= type(uint16).max && ttl > 0 && ttl <= MAX_TTL);
        grantLease(budget);
        for (uint256 i = 1; i <= 3; ++i) {
            IGate.Proposal memory proposal = isolation(ttl, i);
            propose(proposal);
            (Status status,,,) = gate.stateOf(proposal);
            assert((status == Status.LIVE) == (i <= budget));
        }
    }

    function check_an_ended_lease_orders_nothing(uint32 ttl, bool revoking) external {
        vm.assume(ttl > 0 && ttl <= MAX_TTL);
        grantLease(5);
        if (revoking) {
            gate.setRoles(operators[1], 0, 0);
        } else {
            vm.prank(guardian);
            gate.endLease(agent);
        }
        propose(isolation(ttl, 1));
        assert(!gate.isIsolated(WEB));
    }
}
