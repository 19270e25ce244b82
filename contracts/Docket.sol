// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Receipts} from "./Receipts.sol";
import {Shared} from "./Shared.sol";
import {State} from "./State.sol";

/// @title The gate's third part: batches and receipts
contract Docket is Receipts, Shared {
    constructor(address manager, address office) State(manager) Shared(office) {}
}
