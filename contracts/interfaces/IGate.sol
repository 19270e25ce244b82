// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IRegistry, Kind} from "./IRegistry.sol";

/// @notice What the guardrails make of an action.
enum Tier {
    REFUSED,
    LEASE, // a live lease covers it: executes at once
    QUORUM // needs M of N operators
}

/// @notice Why the guardrails refuse; the first that holds, in this order.
enum Reason {
    NONE,
    MALFORMED_TARGET, // BLOCK: not a canonical network
    UNKNOWN_TARGET, // ISOLATE, REVOKE: not registered
    PROTECTED_TARGET,
    RULE_REFUSES,
    TTL_OUT_OF_RANGE, // zero or above the rule's maximum
    BUDGET_SPENT
}

/// @notice Derived from storage, never stored.
enum Status {
    NONE,
    PENDING, // waits for approvals
    READY, // approved, anyone may execute it
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

/// @title The gate: proposals, approvals, leases, orders, receipts
/// @notice A proposal is passed in full to every call; the gate keeps only what it must. Its id is
/// `keccak256(abi.encode(block.chainid, address(this), proposal))`.
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
        uint256 nonce; // used once by this agent; in any order, while fewer than 32 beyond it are used
    }

    /// @notice What M operators sign in advance. A budget of zero leaves that kind out.
    struct Lease {
        address agent;
        bytes32 model;
        uint32 blocks; // orders of each kind that may execute at once in all, at most 65,535
        uint32 isolations;
        uint32 revocations;
        uint8 maxCriticality; // nothing above it
        uint32 maxTtl; // seconds
        uint64 expires; // Unix seconds
        uint256 nonce; // unordered, used once
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

    // ============ Events ============

    event Proposed(bytes32 indexed id, Proposal proposal, uint8 quorum); // zero: a lease executes it at once
    event Approved(bytes32 indexed id, address indexed operator, bytes signature); // empty: by the operator's own transaction
    event Rejected(bytes32 indexed id, address indexed operator, bytes signature);
    /// @param until block time plus time to live, or the end of the order it supersedes where that is later
    /// @param leased under the agent's lease, of which it has one at a time; else people approved
    event Executed(bytes32 indexed id, Kind indexed kind, bytes32 indexed target, uint64 until, bool leased);
    event Vetoed(bytes32 indexed id, address indexed guardian);
    event Released(bytes32 indexed id, Signature[] signatures);
    event LeaseGranted(bytes32 indexed id, Lease lease, Signature[] signatures);
    event LeaseEnded(bytes32 indexed id, address indexed guardian);
    event ReceiptFiled(bytes32 indexed id, address indexed enforcer, Outcome outcome, bytes32 digest);

    // ============ Errors ============

    error GateMissingRole(address account, uint8 role);
    error GateRefused(Reason reason);
    error GateModelNotActive(bytes32 model);
    error GateBadDeadline(uint64 deadline, uint64 earliest, uint64 latest);
    error GateNotProposer(address caller, address agent);
    /// @param last the highest that this agent used
    error GateBadNonce(uint256 nonce, uint256 last);
    error GateWrongStatus(bytes32 id, Status actual); // PENDING stands for READY too
    error GateAlreadyVoted(bytes32 id, address operator);
    error GateBadSignature(address signer);
    error GateDuplicateSigner(address signer);
    error GateQuorumNotMet(uint256 got, uint256 needed);
    error GateBadLease();
    error GateLeaseUsed(bytes32 id);
    error GateLeaseLive(bytes32 id);
    error GateNoLease(address agent);

    // ============ Life-cycle ============

    /// @notice The agent proposes. Where a live lease covers the action the order is live in the same transaction.
    function propose(Proposal calldata proposal) external returns (bytes32 id, Status status);

    /// @notice The agent proposes what operators have approved already: their EIP-712 `Approval` signatures come along, and the
    /// order is live in the same transaction. No lease is asked or spent. Wallet contracts approve by `approveBySig`.
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

    /// @notice Anyone may execute what is ready; guardrails, agent, model and approvers are checked again.
    function execute(Proposal calldata proposal) external;

    /// @notice Any guardian stops a proposal that has not executed.
    function veto(Proposal calldata proposal) external;

    /// @notice Ends a live order before its time: `releaseQuorum` operators sign an EIP-712 `Release`.
    function release(Proposal calldata proposal, Signature[] calldata signatures) external;

    // ============ Lease ============

    function grantLease(Lease calldata lease, Signature[] calldata signatures) external returns (bytes32 id);

    /// @notice Any guardian ends the agent's lease at once.
    function endLease(address agent) external;

    // ============ Receipts ============

    /// @param digest SHA-256 of the canonical JSON of what the enforcer read back.
    /// The proposal's order must be the last on its target, live or not.
    function fileReceipt(Proposal calldata proposal, Outcome outcome, bytes32 digest) external;

    // ============ Views ============

    function idOf(Proposal calldata proposal) external view returns (bytes32);

    /// @notice Digests that wallets sign (EIP-712), each over the readable fields.
    function approvalDigest(Proposal calldata proposal) external view returns (bytes32);

    function rejectionDigest(Proposal calldata proposal) external view returns (bytes32);

    function releaseDigest(Proposal calldata proposal) external view returns (bytes32);

    function leaseDigest(Lease calldata lease) external view returns (bytes32);

    /// @notice What the guardrails say of this action by this agent now; whether it may propose at all, and whether
    /// the model is active, is asked separately. `approvals` is zero unless the tier is QUORUM.
    function verdict(address agent, Kind kind, bytes32 target, uint32 ttl, bytes32 model)
        external
        view
        returns (Tier tier, Reason reason, uint8 approvals);

    /// @return status derived now
    /// @return approvals by operators who are current; zero once executed
    /// @return needed approvals for execution under the rule of now
    /// @return until end of the order; zero before execution, after release and once superseded
    function stateOf(Proposal calldata proposal)
        external
        view
        returns (Status status, uint256 approvals, uint256 needed, uint64 until);

    /// @notice The live lease of an agent; `id` is zero without one. Spent counts by kind.
    function leaseOf(address agent)
        external
        view
        returns (bytes32 id, uint64 expires, uint32[3] memory budgets, uint32[3] memory spent);

    /// @notice End of the live order on a target, zero without one.
    function orderedUntil(Kind kind, bytes32 target) external view returns (uint64);

    /// @notice Is this address (a /32 or /128 network key) inside any live BLOCK?
    function isBlocked(bytes32 network) external view returns (bool);

    function isIsolated(bytes32 asset) external view returns (bool);

    function isRevoked(bytes32 credential) external view returns (bool);
}
