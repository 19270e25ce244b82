// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IGate, Status} from "contracts/interfaces/IGate.sol";
import {Kind} from "contracts/interfaces/IRegistry.sol";
import {Scene} from "./Scene.sol";
import {vm} from "./Vm.sol";

/// @notice No order without people's signatures, whoever calls and whatever is given.
contract PeopleSpec is Scene {
    IGate.Proposal private asked;

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

    function check_a_quorum_signs_what_it_orders(address caller, bytes32[4] memory words) external {
        IGate.Proposal memory proposal = isolation(60, 1);
        IGate.CompactSignature[] memory signatures = anyTwo(words);
        bool agreed = areOfTwo(gate.approvalDigest(proposal), signatures);
        bool taken = takes(caller, abi.encodeCall(IGate.proposeApproved, (proposal, signatures)));
        assert(!taken || agreed);
        assert(gate.isIsolated(WEB) == taken);
    }

    function check_a_quorum_signs_what_a_batch_orders(address caller, bytes32[4] memory words) external {
        uint256[] memory targets = new uint256[](1);
        targets[0] = uint256(KEY);
        IGate.Batch memory batch = batchOf(Kind.REVOKE, 0, targets);
        IGate.CompactSignature[] memory signatures = anyTwo(words);
        bytes32[][] memory names = new bytes32[][](0);
        bool agreed = areOfTwo(gate.batchApprovalDigest(batch, names), signatures);
        bool taken = takes(caller, abi.encodeCall(IGate.orderBatch, (batch, names, signatures)));
        assert(!taken || agreed);
        assert(gate.isRevoked(KEY) == taken);
    }

    function check_one_signature_is_one_approval(address caller, bytes32 r, bytes32 vs) external {
        IGate.CompactSignature[] memory signatures = anyTwo([r, vs, r, vs]);
        assert(!takes(caller, abi.encodeCall(IGate.proposeApproved, (isolation(60, 1), signatures))));
    }

    /// @notice What was signed for one decision on one proposal and one chain counts for no other.
    function check_what_is_signed_means_one_thing(
        uint64[2] memory chains,
        uint64[2] memory nonces,
        uint8[2] memory decisions
    ) external {
        vm.assume(decisions[0] < 4 && decisions[1] < 4);
        bytes32 id = idOn(chains[0], nonces[0]);
        bytes32 digest = signed(decisions[0]);
        bool same = chains[0] == chains[1] && nonces[0] == nonces[1];
        assert((idOn(chains[1], nonces[1]) == id) == same);
        bool equal = signed(decisions[1]) == digest;
        if (decisions[0] != 3) assert(equal == (same && decisions[0] == decisions[1]));
        else assert(equal == (chains[0] == chains[1] && decisions[1] == 3)); // to resume is about no proposal
    }

    function idOn(uint64 chain, uint64 nonce) private returns (bytes32) {
        vm.chainId(chain);
        asked = isolation(60, 1);
        asked.nonce = nonce;
        return gate.idOf(asked);
    }

    function signed(uint8 decision) private view returns (bytes32) {
        if (decision == 0) return gate.approvalDigest(asked);
        if (decision == 1) return gate.rejectionDigest(asked);
        if (decision == 2) return gate.releaseDigest(asked);
        return gate.resumeDigest();
    }

    // ============ Leases ============

    function check_a_lease_needs_a_quorum(address one, address other, IGate.Lease memory lease) external {
        bool taken = takes(guardian, abi.encodeCall(IGate.grantLease, (lease, signedBy(one, other))));
        assert(!taken || (isOperator(one) && isOperator(other) && one != other));
        assert(!taken || lease.agent == agent);
    }

    function check_a_lease_is_granted_once(uint256 time) external {
        IGate.Lease memory lease =
            IGate.Lease(agent, MODEL, 9, 9, 9, 3, MAX_TTL, uint64(NOW + 3600), 1);
        IGate.Signature[] memory signatures = signedBy(operators[0], operators[1]);
        gate.grantLease(lease, signatures);
        vm.prank(guardian);
        gate.endLease(agent);
        later(time);
        assert(!takes(agent, abi.encodeCall(IGate.grantLease, (lease, signatures))));
    }

    function check_a_lease_covers_what_it_says(uint32 maxTtl, uint32 ttl, uint64 expires, uint256 time) external {
        vm.assume(ttl > 0 && ttl <= MAX_TTL && maxTtl > 0 && expires > NOW && expires <= NOW + 1 days);
        IGate.Lease memory lease = IGate.Lease(agent, MODEL, 0, 1, 0, 0, maxTtl, expires, 1);
        gate.grantLease(lease, signedBy(operators[0], operators[1]));
        later(time);
        propose(isolation(ttl, 1));
        assert(gate.isIsolated(WEB) == (time < expires && ttl <= maxTtl));
        propose(proposalOf(Kind.REVOKE, KEY, ttl, 2));
        assert(!gate.isRevoked(KEY));
    }

    function check_a_lease_is_spent_once(uint32 budget, uint32 ttl) external {
        vm.assume(budget > 0 && budget <= 4095 && ttl > 0 && ttl <= MAX_TTL);
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
