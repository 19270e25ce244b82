// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title The hash chain over every event
/// @notice An auditor who holds one head can prove that no earlier event is missing, whatever an RPC endpoint answers.
abstract contract AuditLog {
    // ============ Storage ============

    /// @dev Read by `abi.encode(_head, ...)` beside every `emit`.
    bytes32 internal _head;
    uint256 private _count;

    // ============ Internals ============

    /// @param entry `abi.encode(_head, selector of the event, its arguments in order of declaration)`
    function _extend(bytes memory entry) internal {
        _head = keccak256(entry);
        ++_count;
    }

    function _auditHead() internal view returns (bytes32 head, uint256 count) {
        return (_head, _count);
    }
}
