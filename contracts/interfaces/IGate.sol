// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IRegistry, Kind} from "./IRegistry.sol";

/// @notice What the guardrails make of an action.
enum Tier {
    REFUSED,
    LEASE, // a live lease covers it: executes at once
    QUORUM, // needs M of N operators
    DELAYED // needs M of N operators, and then a delay
}

/// @notice Why the guardrails refuse; the first that holds, in this order.
enum Reason {
    NONE,
    MALFORMED_TARGET, // BLOCK: not a canonical network
    UNKNOWN_TARGET, // ISOLATE, REVOKE: not registered
    PROTECTED_TARGET,
    PAUSED,
    RULE_REFUSES,
    TTL_OUT_OF_RANGE, // zero or above the rule's maximum
    LIVE_LIMIT, // as many orders of this kind and criticality as may be live at once
    ZONE_SHARE, // as many assets of the zone as may be isolated at once
    POOL_MINIMUM, // as few assets of the pool as must stay reachable
    BUDGET_SPENT
}

/// @notice Derived from storage, never stored.
enum Status {
    NONE,
    PENDING, // waits for approvals
    WAITING, // approved, its delay runs
    READY, // anyone may execute it
    LIVE, // an order: the network must obey
    EXPIRED, // the order reached its time to live
    RELEASED,
    SUPERSEDED, // a later order took its place on the target, however it had ended; or other proposals its nonce
    REJECTED,
    VETOED,
    LAPSED // deadline passed unexecuted
}

enum Outcome {
    APPLIED,
    FAILED,
    DRIFTED,
    REVERTED
}

/// @title The gate: proposals, approvals, batches, leases, models, orders, receipts
/// @notice A proposal is passed in full to every call; the gate keeps only what it must. Its id is
/// `keccak256(abi.encode(block.chainid, address(this), proposal))`; so is a batch's.
///
/// An order counts against the limits on what is live from its execution until it is released, or settled after its end.
interface IGate is IRegistry {
    // ============ Structs ============

    struct Proposal {
        Kind kind;
        bytes32 target; // key of an asset or credential, or a packed network
        uint32 ttl; // seconds the order lasts from execution
        bytes32 model; // hash of the model that chose it
        bytes32 evidence; // SHA-256 of the canonical evidence bundle
        uint64 deadline; // Unix seconds; approvals and execution end here
        address agent;
        uint256 nonce; // used once by this agent; in any order, while fewer than 24 beyond it are used
    }

    /// @notice Many actions of one kind and criticality, under one signature that lists them.
    struct Batch {
        Kind kind;
        bytes32 zone; // ISOLATE: key of the zone of all; else zero
        uint8 criticality; // of all
        uint256[] targets; // BLOCK: networks; REVOKE: keys; ISOLATE: pages, `number << 128 | bits of the places`; ascending
        uint32 ttl;
        bytes32 model;
        bytes32 evidence;
        uint64 deadline;
        address agent;
        uint256 nonce; // of the same sequence as proposals'
    }

    /// @notice What M operators sign in advance. A budget of zero leaves that kind out.
    struct Lease {
        address agent;
        bytes32 model;
        uint32 blocks; // orders of each kind that may execute at once in all, at most 4,095
        uint32 isolations;
        uint32 revocations;
        uint8 maxCriticality; // nothing above it
        uint32 maxTtl; // seconds
        uint64 expires; // Unix seconds
        uint256 nonce; // tells leases of the same terms apart; each is granted once
    }

    /// @param data ECDSA (64 or 65 bytes) or ERC-1271 signature of `signer`, never empty.
    struct Signature {
        address signer;
        bytes data;
    }

    /// @notice An ERC-2098 signature whose signer is recovered from it.
    struct CompactSignature {
        bytes32 r;
        bytes32 vs;
    }

    /// @notice What an enforcer says of one order. In a Merkle tree (OpenZeppelin's, sorted pairs) it is the leaf
    /// `keccak256(bytes.concat(keccak256(abi.encode(order, target, enforcer, outcome, digest))))`.
    struct Receipt {
        bytes20 order; // the start of the id of the proposal or batch
        bytes32 target; // the proposal's; of a batch one of `targets`
        address enforcer;
        Outcome outcome;
        bytes32 digest; // SHA-256 of the canonical JSON of what the enforcer read back
    }

    // ============ Events ============
    // The first argument of each is its subject, and the only one indexed.

    event Proposed(bytes32 indexed id, Proposal proposal);
    event Approved(bytes32 indexed id, address operator, bytes signature); // empty: by the operator's own transaction
    event Rejected(bytes32 indexed id, address operator, bytes signature);
    event Withdrawn(bytes32 indexed id, address operator);
    /// @param until block time plus time to live, or the end of the order it supersedes where that is later
    event Executed(bytes32 indexed id, uint64 until);
    /// @notice Proposed and executed in one transaction.
    /// @param signatures approvals; none: under the agent's lease, of which it has one at a time
    event Ordered(bytes32 indexed id, Proposal proposal, uint64 until, CompactSignature[] signatures);
    /// @notice Each target's order ends at block time plus time to live, or with the order it supersedes where that is later.
    event BatchOrdered(bytes32 indexed id, Batch batch, CompactSignature[] signatures);
    event Vetoed(bytes32 indexed id, address guardian, address agent, uint256 nonce); // which is used now
    event Released(bytes32 indexed id, Signature[] signatures);
    event BatchReleased(bytes32 indexed id, Signature[] signatures);
    /// @notice An order that ended counts no more.
    event Settled(bytes32 indexed target, Kind kind);
    event PageSettled(bytes32 indexed zone, uint8 criticality, uint16 page);
    event LeaseGranted(bytes32 indexed id, Lease lease, Signature[] signatures);
    event LeaseEnded(bytes32 indexed id, address guardian);
    event ModelActivated(bytes32 indexed model, bytes32 card, uint32 revision, uint64 deadline, Signature[] signatures);
    event ModelDeactivated(bytes32 indexed model, uint32 revision, address guardian);
    event Paused(address indexed guardian, uint32 pause);
    event Resumed(uint32 indexed pause, Signature[] signatures);
    event ReceiptFiled(bytes20 indexed order, Receipt receipt);
    event ReceiptsFiled(bytes32 indexed root, address enforcer, uint32 count);
    event ReceiptShown(bytes20 indexed order, Receipt receipt, bytes32 root);
    event ReceiptMissed(bytes32 indexed id, bytes32 target, address reporter);

    // ============ Errors ============

    error GateMissingRole(address account, uint8 role);
    error GateRefused(Reason reason);
    error GateModelNotActive(bytes32 model);
    error GateBadDeadline(uint64 deadline, uint64 earliest, uint64 latest);
    error GateNotProposer(address caller, address agent);
    /// @param last the highest that this agent used
    error GateBadNonce(uint256 nonce, uint256 last);
    error GateWrongStatus(bytes32 id, Status actual); // PENDING stands for WAITING and READY too
    error GateAlreadyVoted(bytes32 id, address operator); // or withdrew
    error GateBadSignature(address signer);
    error GateDuplicateSigner(address signer);
    error GateQuorumNotMet(uint256 got, uint256 needed);
    /// @param groups bits of those that the rule asks for and no approval is of
    error GateGroupMissing(uint8 groups);
    error GateTooEarly(uint64 earliest);
    error GateBadLease();
    error GateLeaseUsed(bytes32 id);
    error GateLeaseLive(bytes32 id);
    error GateNoLease(address agent);
    error GateBadBatch();
    /// @notice A later order on this page, or none, took the batch's place; or what is live there is not part of the batch.
    error GatePageTaken(uint256 page);
    /// @notice The names given are not those of the page, or it is not sealed.
    error GateBadNames(uint256 page);
    error GateNotEnded(bytes32 target);
    error GateBadRevision(uint32 revision);
    error GateNotPaused();
    error GateOutOfScope(address enforcer);
    error GateRootFiled(bytes32 root);
    error GateBadProof(bytes32 root);
    error GateReceiptKnown(bytes32 id);
    error GateNoOrder(bytes20 order); // none of that start is the last on the target

    // ============ Proposals ============

    /// @notice The agent proposes. Where a live lease covers the action the order is live in the same transaction.
    function propose(Proposal calldata proposal) external returns (bytes32 id, Status status);

    /// @notice The agent proposes what operators have approved already: their EIP-712 `Approval` signatures come along, and the
    /// order is live in the same transaction. No lease is asked or spent, and no delay can pass: a rule that has one refuses.
    /// Wallet contracts approve by `approveBySig`.
    function proposeApproved(Proposal calldata proposal, CompactSignature[] calldata signatures)
        external
        returns (bytes32 id);

    /// @notice The caller approves by transaction.
    function approve(Proposal calldata proposal) external;

    /// @notice Operators' EIP-712 `Approval` signatures, relayed by anyone.
    function approveBySig(Proposal calldata proposal, Signature[] calldata signatures) external;

    /// @notice A proposal is rejected when as many current operators reject as would have to approve.
    function reject(Proposal calldata proposal) external;

    function rejectBySig(Proposal calldata proposal, Signature[] calldata signatures) external;

    /// @notice The caller's vote on this proposal counts no more, nor does any later one: also one that is signed and not on
    /// the chain yet, and on a proposal that is not.
    function withdraw(Proposal calldata proposal) external;

    /// @notice Anyone may execute what is ready; guardrails, agent, model and approvers are checked again.
    function execute(Proposal calldata proposal) external;

    /// @notice Any guardian stops a proposal that has not executed, also one that is not on the chain yet: then its nonce is
    /// used, which must be among the next 24.
    function veto(Proposal calldata proposal) external;

    /// @notice Ends a live order before its time: `releaseQuorum` operators sign an EIP-712 `Release`.
    function release(Proposal calldata proposal, Signature[] calldata signatures) external;

    // ============ Batches ============

    /// @notice The agent's batch with operators' EIP-712 `BatchApproval` signatures: all orders live in this transaction, or
    /// none. Every action counts against every budget and limit.
    ///
    /// A page has one batch order at a time: what is live on it must be part of the batch that follows, which must not end
    /// before. Assets of a pool, and the protected, are in no batch.
    /// @param names ISOLATE: what is needed to know the names of each page, whose seal is `keccak256(flat ++ root)`: `flat` the
    /// hash of all its keys, one after the other; `root` of a tree over 16 groups of 8 places, whose leaves are hashes of the
    /// group's keys, whose nodes are hashes of both sides, and zero where there is no place. Where the batch has the whole page:
    /// `flat`, `root`. Else: `flat`, and then the tree from left to right: the hash of each part of which the batch has nothing
    /// and of each group of which it has all; of other groups all keys. Else empty
    function orderBatch(Batch calldata batch, bytes32[][] calldata names, CompactSignature[] calldata signatures)
        external
        returns (bytes32 id);

    /// @notice As `withdraw`, before the batch executes.
    function withdrawBatch(Batch calldata batch) external;

    /// @notice As `veto`, before the batch executes.
    function vetoBatch(Batch calldata batch) external;

    /// @notice Ends what is live of a batch: `releaseQuorum` operators sign an EIP-712 `BatchRelease`.
    function releaseBatch(Batch calldata batch, bytes32[][] calldata names, Signature[] calldata signatures) external;

    // ============ Limits on what is live ============

    /// @notice Orders that reached their end count no more. Anyone may.
    function settle(Kind kind, bytes32[] calldata targets) external;

    function settlePages(bytes32 zone, uint8 criticality, uint16[] calldata pages) external;

    // ============ Stopping ============

    /// @notice Any guardian: nothing is proposed or executed, under a lease or with approvals, until operators resume. What is
    /// live stays so.
    function pause() external;

    /// @notice `releaseQuorum` operators sign an EIP-712 `Resume` of this pause.
    function resume(Signature[] calldata signatures) external;

    // ============ Lease ============

    function grantLease(Lease calldata lease, Signature[] calldata signatures) external returns (bytes32 id);

    /// @notice Any guardian ends the agent's lease at once.
    function endLease(address agent) external;

    // ============ Models ============

    /// @notice `modelQuorum` operators sign an EIP-712 `ModelActivation`: the gate takes proposals of this model.
    /// @param card SHA-256 of the model card
    /// @param revision one more than the model's last, so that no signature counts twice
    function activateModel(
        bytes32 model,
        bytes32 card,
        uint32 revision,
        uint64 deadline,
        Signature[] calldata signatures
    ) external;

    /// @notice Any guardian.
    function deactivateModel(bytes32 model) external;

    // ============ Receipts ============

    /// @notice By an enforcer, of what is in its scope. The order must be the last on its target, live or not.
    /// @param order the start of the id of the proposal, or of a batch whose targets are not pages
    function fileReceipt(Kind kind, bytes32 target, bytes20 order, Outcome outcome, bytes32 digest) external;

    /// @notice The same for one page of a batch.
    function filePageReceipt(Batch calldata batch, uint256 page, Outcome outcome, bytes32 digest) external;

    /// @notice Many receipts by the Merkle root over them.
    function fileReceipts(bytes32 root, uint32 count) external;

    /// @notice Anyone shows that a receipt stands under a root that its enforcer filed.
    function showReceipt(Kind kind, Receipt calldata receipt, bytes32 root, bytes32[] calldata proof) external;

    function showPageReceipt(Batch calldata batch, Receipt calldata receipt, bytes32 root, bytes32[] calldata proof)
        external;

    /// @notice Anyone proves that an order has no receipt though `receiptDue` passed; what stands under a root can still be
    /// shown. Where an order took over the end of one before it, `receiptDue` runs from there.
    function reportMissing(Proposal calldata proposal) external;

    function reportMissingBatch(Batch calldata batch, uint256 target) external;

    // ============ Views ============

    function idOf(Proposal calldata proposal) external view returns (bytes32);

    function batchIdOf(Batch calldata batch) external view returns (bytes32);

    /// @notice Digests that wallets sign (EIP-712), each over the readable fields.
    function approvalDigest(Proposal calldata proposal) external view returns (bytes32);

    function rejectionDigest(Proposal calldata proposal) external view returns (bytes32);

    function releaseDigest(Proposal calldata proposal) external view returns (bytes32);

    function batchApprovalDigest(Batch calldata batch, bytes32[][] calldata names) external view returns (bytes32);

    function batchReleaseDigest(Batch calldata batch, bytes32[][] calldata names) external view returns (bytes32);

    function leaseDigest(Lease calldata lease) external view returns (bytes32);

    function modelDigest(bytes32 model, bytes32 card, uint32 revision, uint64 deadline) external view returns (bytes32);

    function resumeDigest() external view returns (bytes32);

    /// @notice What the guardrails say of this action by this agent now; whether it may propose at all, and whether
    /// the model is active, is asked separately.
    /// @return tier what follows
    /// @return reason NONE unless the tier is REFUSED
    /// @return approvals zero unless the tier is QUORUM or DELAYED
    /// @return delay seconds; zero unless the tier is DELAYED
    function verdict(address agent, Kind kind, bytes32 target, uint32 ttl, bytes32 model)
        external
        view
        returns (Tier tier, Reason reason, uint8 approvals, uint24 delay);

    /// @return status derived now
    /// @return approvals by operators who are current; zero once executed
    /// @return needed approvals for execution under the rule of now
    /// @return until WAITING: when its delay has passed. Else end of the order; zero before execution, after release and
    /// once superseded
    function stateOf(Proposal calldata proposal)
        external
        view
        returns (Status status, uint256 approvals, uint256 needed, uint64 until);

    /// @notice The live lease of an agent; `id` is zero without one. Spent counts by kind.
    function leaseOf(address agent)
        external
        view
        returns (bytes32 id, uint64 expires, uint32[3] memory budgets, uint32[3] memory spent);

    /// @return active whether the gate takes its proposals
    /// @return card SHA-256 of its model card, of the last activation
    /// @return revision of its last activation or deactivation
    /// @return approvers who signed the last activation
    function modelOf(bytes32 model)
        external
        view
        returns (bool active, bytes32 card, uint32 revision, address[] memory approvers);

    /// @notice Zero, or the number of the pause that lasts.
    function pausedNow() external view returns (uint32);

    /// @notice End of the live order on a target, zero without one; of an asset that two orders hold, the later end.
    function orderedUntil(Kind kind, bytes32 target) external view returns (uint64);

    /// @return members bits of the places that a batch may isolate
    /// @return ordered bits of those that one isolates, or did
    /// @return until end of that order; zero without one
    /// @return sealedNames whether the names of the page are known
    function pageOf(bytes32 zone, uint8 criticality, uint16 page)
        external
        view
        returns (uint128 members, uint128 ordered, uint64 until, bool sealedNames);
}
