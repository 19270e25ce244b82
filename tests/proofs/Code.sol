// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {vm} from "./Vm.sol";

/// @notice Makes contracts of the code that symbolic.py is asked about; the environment names its folder.
abstract contract Code {
    function created(string memory name, bytes memory arguments) internal returns (address made) {
        bytes memory code = vm.getCode(string.concat(vm.envString("CODE"), "/", name, ".json"));
        code = bytes.concat(code, arguments);
        assembly {
            made := create(0, add(code, 0x20), mload(code))
        }
        assert(made != address(0));
    }
}
