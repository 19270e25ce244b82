// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Access} from "./Access.sol";
import {Shared} from "./Shared.sol";
import {State} from "./State.sol";

/// @title The gate's last part: the registry, and what is asked of it
contract Office is Access, Shared {
    constructor(address manager) State(manager) Shared(address(0)) {}
}
