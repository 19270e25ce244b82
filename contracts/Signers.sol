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

    bytes32 private constant APPROVAL = keccak256(abi.encodePacked("Approval", FIELDS));
    bytes32 private constant REJECTION = keccak256(abi.encodePacked("Rejection", FIELDS));
    bytes32 private constant RELEASE = keccak256(abi.encodePacked("Release", FIELDS));
    bytes32 private constant LEASE = keccak256(
        "Lease(address agent,bytes32 model,uint32 blocks,uint32 isolations,uint32 revocations,uint8 maxCriticality,"
        "uint32 maxTtl,uint64 expires,uint256 nonce)"
    );

    uint256 private constant COMPACT = 64; // bytes of an ERC-2098 signature

    // ============ Views ============

    /// @inheritdoc IGate
    function idOf(Proposal calldata proposal) public view returns (bytes32) {
        return keccak256(abi.encode(block.chainid, address(this), proposal));
    }

    /// @inheritdoc IGate
    function approvalDigest(Proposal calldata proposal) public view returns (bytes32) {
        return _digest(APPROVAL, proposal);
    }

    /// @inheritdoc IGate
    function rejectionDigest(Proposal calldata proposal) public view returns (bytes32) {
        return _digest(REJECTION, proposal);
    }

    /// @inheritdoc IGate
    function releaseDigest(Proposal calldata proposal) public view returns (bytes32) {
        return _digest(RELEASE, proposal);
    }

    /// @inheritdoc IGate
    function leaseDigest(Lease calldata lease) public view returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(LEASE, lease)));
    }

    // ============ Internals ============

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

    /// @dev A wallet contract answers by ERC-1271; its code decides, whatever the length.
    function _checkSignature(bytes32 digest, Signature calldata signature) internal view {
        address signer = signature.signer;
        bool valid;
        if (signature.data.length == COMPACT && signer.code.length == 0) {
            (uint8 v, bytes32 r, bytes32 s) = ECDSA.parseCalldata(signature.data);
            (address recovered, ECDSA.RecoverError err,) = ECDSA.tryRecover(digest, v, r, s);
            valid = err == ECDSA.RecoverError.NoError && recovered == signer;
        } else {
            valid = SignatureChecker.isValidSignatureNowCalldata(signer, digest, signature.data);
        }
        if (!valid) revert GateBadSignature(signer);
    }

    /// @dev 0 to 3; zero for what is unknown.
    function _criticalityOf(Kind kind, bytes32 target) internal view returns (uint8) {
        if (kind == Kind.BLOCK) return Networks.criticality(target);
        return kind == Kind.ISOLATE ? assetOf(target).criticality : credentialOf(target).criticality;
    }

    function _digest(bytes32 typeHash, Proposal calldata proposal) private view returns (bytes32) {
        (bytes32 action, bytes32 target, bytes32 zone) = _names(proposal.kind, proposal.target);
        bytes memory names = abi.encode(typeHash, idOf(proposal), action, target, zone);
        bytes memory values = abi.encode(
            _criticalityOf(proposal.kind, proposal.target),
            proposal.ttl,
            proposal.model,
            proposal.evidence,
            proposal.agent,
            proposal.deadline
        );
        return _hashTypedDataV4(keccak256(bytes.concat(names, values)));
    }

    /// @dev EIP-712 hashes of the strings.
    function _names(Kind kind, bytes32 target) private view returns (bytes32, bytes32, bytes32) {
        if (kind == Kind.BLOCK) return (keccak256("BLOCK"), keccak256(bytes(Networks.toText(target))), keccak256(""));
        if (kind == Kind.REVOKE) return (keccak256("REVOKE"), target, keccak256(""));
        return (keccak256("ISOLATE"), target, assetOf(target).zone);
    }
}
