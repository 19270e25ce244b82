// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title The hash chain over every event
/// @notice An auditor who holds one head can prove that no earlier event is missing, whatever an RPC endpoint answers.
abstract contract AuditLog {
    // ============ Storage ============

    /// @dev Read by `abi.encode(_head, ...)` beside every `emit`.
    bytes32 internal _head;

    // ============ Internals ============

    /// @param entry `abi.encode(_head, selector of the event, its arguments in order of declaration)`
    function _extend(bytes memory entry) internal {
        _head = keccak256(entry);
    }

    /// @notice Extends the chain and tells the event, from one encoding.
    /// @param entry as above, of an event without arguments of dynamic type whose first argument alone is indexed
    function _tell(bytes memory entry) internal {
        _extend(entry);
        // Reads within `entry`: its length, then head, selector and first argument, a word each, then what is not indexed.
        assembly ("memory-safe") {
            log2(add(entry, 0x80), sub(mload(entry), 0x60), mload(add(entry, 0x40)), mload(add(entry, 0x60)))
        }
    }
}
