// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title A part of the gate too large for one contract
/// @notice The gate is one address and one storage. Code that does not fit behind it lives in a next contract, fixed at
/// deployment, to which whatever is not found here is delegated. Called by its own address a part sees but its own, empty,
/// storage: no one has a role there.
abstract contract Shared {
    address private immutable NEXT;

    error SharedNoCode(address next);

    /// @param next zero for the last part
    constructor(address next) {
        if (next != address(0) && next.code.length == 0) revert SharedNoCode(next);
        NEXT = next;
    }

    fallback() external {
        address next = NEXT;
        // In free memory, of which nothing is needed after it. The last part has no next: what no part knows reverts, instead
        // of succeeding in doing nothing.
        assembly ("memory-safe") {
            if iszero(next) { revert(0, 0) }
            let free := mload(0x40)
            calldatacopy(free, 0, calldatasize())
            let done := delegatecall(gas(), next, free, calldatasize(), 0, 0)
            returndatacopy(free, 0, returndatasize())
            if iszero(done) { revert(free, returndatasize()) }
            return(free, returndatasize())
        }
    }
}
