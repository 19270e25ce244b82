// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {IGate} from "./interfaces/IGate.sol";
import {Kind} from "./interfaces/IRegistry.sol";
import {Networks} from "./Networks.sol";
import {Registry} from "./Registry.sol";

/// @title What operators sign, and whether they did
/// @dev A wallet shows names. Their hashes are the registry's keys, so nothing but a network's text is built here.
abstract contract Signers is Registry, IGate, EIP712 {
    // ============ Constants ============

    // What Approval, Rejection and Release have in common.
    string private constant FIELDS = "(bytes32 proposal,string action,string target,string zone,uint8 criticality,uint32 ttl,"
        "bytes32 model,bytes32 evidence,address agent,uint64 deadline)";

    // Immutable, for solc would hash such a constant anew at every use.
    bytes32 private immutable APPROVAL = keccak256(abi.encodePacked("Approval", FIELDS));
    bytes32 private immutable REJECTION = keccak256(abi.encodePacked("Rejection", FIELDS));
    bytes32 private immutable RELEASE = keccak256(abi.encodePacked("Release", FIELDS));
    bytes32 private constant LEASE = keccak256(
        "Lease(address agent,bytes32 model,uint32 blocks,uint32 isolations,uint32 revocations,uint8 maxCriticality,"
        "uint32 maxTtl,uint64 expires,uint256 nonce)"
    );

    // ============ Views ============

    /// @inheritdoc IGate
    function idOf(Proposal calldata proposal) public view returns (bytes32) {
        return keccak256(abi.encode(block.chainid, address(this), proposal));
    }

    /// @inheritdoc IGate
    function approvalDigest(Proposal calldata proposal) public view returns (bytes32) {
        return _digest(APPROVAL, idOf(proposal), proposal);
    }

    /// @inheritdoc IGate
    function rejectionDigest(Proposal calldata proposal) public view returns (bytes32) {
        return _digest(REJECTION, idOf(proposal), proposal);
    }

    /// @inheritdoc IGate
    function releaseDigest(Proposal calldata proposal) public view returns (bytes32) {
        return _digest(RELEASE, idOf(proposal), proposal);
    }

    /// @inheritdoc IGate
    function leaseDigest(Lease calldata lease) public view returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(LEASE, lease)));
    }

    // ============ Internals ============

    function _approvalDigest(bytes32 id, Proposal calldata proposal) internal view returns (bytes32) {
        return _digest(APPROVAL, id, proposal);
    }

    /// @return seats of the signers, all of them current operators, no one twice
    function _collect(bytes32 digest, Signature[] calldata signatures) internal view returns (uint104 seats) {
        for (uint256 i = 0; i < signatures.length; ++i) {
            uint104 seat = _requireSeat(signatures[i].signer);
            if (seats & seat != 0) revert GateDuplicateSigner(signatures[i].signer);
            _checkSignature(digest, signatures[i]);
            seats |= seat;
        }
    }

    function _requireSeat(address operator) internal view returns (uint104 seat) {
        seat = _seatOf(operator);
        if (seat == 0) revert GateMissingRole(operator, OPERATOR);
    }

    /// @dev The signer's own key, or a wallet contract that answers by ERC-1271. An empty signature would say in an event that
    /// the operator sent the transaction.
    function _checkSignature(bytes32 digest, Signature calldata signature) internal view {
        address signer = signature.signer;
        (uint8 v, bytes32 r, bytes32 s) = ECDSA.parseCalldata(signature.data);
        (address recovered,,) = ECDSA.tryRecover(digest, v, r, s);
        bool valid = recovered == signer && signer != address(0);
        if (!valid && signature.data.length != 0) {
            valid = SignatureChecker.isValidERC1271SignatureNowCalldata(signer, digest, signature.data);
        }
        if (!valid) revert GateBadSignature(signer);
    }

    function _recover(bytes32 digest, CompactSignature calldata signature) internal pure returns (address signer) {
        (signer,,) = ECDSA.tryRecover(digest, signature.r, signature.vs);
        if (signer == address(0)) revert GateBadSignature(signer);
    }

    /// @dev 0 to 3; zero for what is unknown.
    function _criticalityOf(Kind kind, bytes32 target) internal view returns (uint8) {
        if (kind == Kind.BLOCK) return Networks.criticality(target);
        return _targets[kind][target].criticality;
    }

    function _digest(bytes32 typeHash, bytes32 id, Proposal calldata proposal) private view returns (bytes32) {
        (bytes32 action, bytes32 target, bytes32 zone) = _names(proposal.kind, proposal.target);
        return _hashTypedDataV4(
            keccak256(
                abi.encode(
                    typeHash,
                    id,
                    action,
                    target,
                    zone,
                    _criticalityOf(proposal.kind, proposal.target),
                    proposal.ttl,
                    proposal.model,
                    proposal.evidence,
                    proposal.agent,
                    proposal.deadline
                )
            )
        );
    }

    /// @dev EIP-712 hashes of the strings.
    function _names(Kind kind, bytes32 target) private view returns (bytes32, bytes32, bytes32) {
        if (kind == Kind.BLOCK) return (keccak256("BLOCK"), keccak256(bytes(Networks.toText(target))), keccak256(""));
        if (kind == Kind.REVOKE) return (keccak256("REVOKE"), target, keccak256(""));
        return (keccak256("ISOLATE"), target, _zoneOf(target));
    }
}
