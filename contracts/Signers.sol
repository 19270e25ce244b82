// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {Guardrails} from "./Guardrails.sol";
import {IGate} from "./interfaces/IGate.sol";
import {Kind} from "./interfaces/IRegistry.sol";
import {Networks} from "./Networks.sol";

/// @title What operators sign, and whether they did
/// @dev A wallet shows names. Their hashes are the registry's keys, so nothing but a network's text is built here.
abstract contract Signers is Guardrails {
    // ============ Constants ============

    // What Approval, Rejection and Release have in common.
    string private constant FIELDS = "(bytes32 proposal,string action,string target,string zone,uint8 criticality,uint32 ttl,"
        "bytes32 model,bytes32 evidence,address agent,uint64 deadline)";

    // Immutable, for solc would hash such a constant anew at every use.
    bytes32 internal immutable APPROVAL = keccak256(abi.encodePacked("Approval", FIELDS));
    bytes32 internal immutable REJECTION = keccak256(abi.encodePacked("Rejection", FIELDS));
    bytes32 internal immutable RELEASE = keccak256(abi.encodePacked("Release", FIELDS));

    // ============ Internals ============

    function _idOf(IGate.Proposal calldata proposal) internal view returns (bytes32) {
        return keccak256(bytes.concat(abi.encode(block.chainid, address(this)), _raw(proposal)));
    }

    /// @dev `abi.encode(proposal)` as it came, 8 words: solc would check and copy them one by one. What stands beyond the
    /// width of a field has every function revert that reads it.
    function _raw(IGate.Proposal calldata proposal) internal pure returns (bytes calldata raw) {
        assembly ("memory-safe") {
            raw.offset := proposal
            raw.length := 0x100
        }
    }

    /// @param typeHash of a decision
    function _digest(bytes32 typeHash, bytes32 id, IGate.Proposal calldata proposal, Look memory look)
        internal
        view
        returns (bytes32)
    {
        (bytes32 action, bytes32 target, bytes32 zone) = _names(proposal.kind, proposal.target, look.target.zone());
        // One by one, for all at once are too many for the stack of solc's old code generator.
        bytes32[11] memory fields = [
            typeHash,
            id,
            action,
            target,
            zone,
            bytes32(uint256(look.criticality)),
            bytes32(uint256(proposal.ttl)),
            proposal.model,
            proposal.evidence,
            bytes32(uint256(uint160(proposal.agent))),
            bytes32(uint256(proposal.deadline))
        ];
        bytes32 hash;
        assembly ("memory-safe") {
            hash := keccak256(fields, 0x160)
        }
        return _hashTypedDataV4(hash);
    }

    /// @return seats of the signers, all of them current operators, no one twice
    function _collect(bytes32 digest, IGate.Signature[] calldata signatures, uint256 quorum)
        internal
        view
        returns (uint64 seats)
    {
        for (uint256 i = 0; i < signatures.length; ++i) {
            uint64 seat = _requireSeat(signatures[i].signer);
            if (seats & seat != 0) revert IGate.GateDuplicateSigner(signatures[i].signer);
            _checkSignature(digest, signatures[i]);
            seats |= seat;
        }
        if (signatures.length < quorum) revert IGate.GateQuorumNotMet(signatures.length, quorum);
    }

    /// @return seats of the signers, all of them current operators, no one twice, enough by the rule, and none who withdrew
    function _collectCompact(
        bytes32 id,
        bytes32 digest,
        IGate.CompactSignature[] calldata signatures,
        Look memory look
    ) internal view returns (uint64 seats) {
        uint64 withdrawn = _entries[id].withdrawn;
        uint256 quorum = _quorum(look);
        if (signatures.length < quorum) revert IGate.GateQuorumNotMet(signatures.length, quorum);
        for (uint256 i = 0; i < signatures.length; ++i) {
            address operator = _recover(digest, signatures[i]);
            uint64 seat = _requireSeat(operator);
            if (seats & seat != 0) revert IGate.GateDuplicateSigner(operator);
            if (withdrawn & seat != 0) revert IGate.GateAlreadyVoted(id, operator);
            seats |= seat;
        }
        uint256 missing = _missingGroups(seats, look.cell);
        if (missing != 0) revert IGate.GateGroupMissing(uint8(missing));
    }

    function _requireSeat(address operator) internal view returns (uint64 seat) {
        seat = _seatOf(operator);
        if (seat == 0) revert IGate.GateMissingRole(operator, OPERATOR);
    }

    /// @dev The signer's own key, or a wallet contract that answers by ERC-1271. An empty signature would say in an event that
    /// the operator sent the transaction.
    function _checkSignature(bytes32 digest, IGate.Signature calldata signature) internal view {
        address signer = signature.signer;
        (uint8 v, bytes32 r, bytes32 s) = ECDSA.parseCalldata(signature.data);
        (address recovered,,) = ECDSA.tryRecover(digest, v, r, s);
        bool valid = recovered == signer && signer != address(0);
        if (!valid && signature.data.length != 0) {
            valid = SignatureChecker.isValidERC1271SignatureNowCalldata(signer, digest, signature.data);
        }
        if (!valid) revert IGate.GateBadSignature(signer);
    }

    function _recover(bytes32 digest, IGate.CompactSignature calldata signature) internal pure returns (address signer) {
        (signer,,) = ECDSA.tryRecover(digest, signature.r, signature.vs);
        if (signer == address(0)) revert IGate.GateBadSignature(signer);
    }

    /// @dev EIP-712 hash of the string.
    function _action(Kind kind) internal pure returns (bytes32) {
        if (kind == Kind.BLOCK) return keccak256("BLOCK");
        return kind == Kind.REVOKE ? keccak256("REVOKE") : keccak256("ISOLATE");
    }

    /// @dev EIP-712 hashes of the strings.
    function _names(Kind kind, bytes32 key, uint16 zone) private view returns (bytes32, bytes32, bytes32) {
        if (kind == Kind.BLOCK) return (_action(kind), Networks.textHash(key), keccak256(""));
        return (_action(kind), key, kind == Kind.REVOKE ? keccak256("") : _zoneNames[zone]);
    }
}
