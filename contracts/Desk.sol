// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Decisions} from "./Decisions.sol";
import {Leases} from "./Leases.sol";
import {Shared} from "./Shared.sol";
import {State} from "./State.sol";

/// @title The gate's second part: what stops, ends and shows an order; leases and models
contract Desk is Decisions, Leases, Shared {
    constructor(address manager, address docket) State(manager) Shared(docket) {}
}
