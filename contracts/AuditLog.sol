// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title The hash chain over every event
/// @notice An auditor who holds one head can prove that no earlier event is missing, whatever an RPC endpoint answers. What is
/// chained is the log as it stands on the chain, so nothing has to be encoded anew to check it.
abstract contract AuditLog {
    // ============ Storage ============

    bytes32 internal _head;

    // ============ Internals ============

    /// @notice Emits an event and extends the chain by it.
    /// @param selector of the event
    /// @param subject its one indexed argument, the first
    /// @param data `abi.encode` of the others
    function _tell(bytes32 selector, bytes32 subject, bytes memory data) internal {
        bytes memory entry = bytes.concat(_head, selector, subject, data);
        _head = keccak256(entry);
        // Reads within `entry`: its length, then head, selector and subject, a word each, then the data.
        assembly ("memory-safe") {
            log2(add(entry, 0x80), sub(mload(entry), 0x60), selector, subject)
        }
    }
}
