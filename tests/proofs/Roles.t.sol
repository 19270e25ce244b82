// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IGate, Outcome} from "contracts/interfaces/IGate.sol";
import {IRegistry, Kind} from "contracts/interfaces/IRegistry.sol";
import {Scene} from "./Scene.sol";
import {vm} from "./Vm.sol";

/// @notice Who may do what: for every caller there is.
contract RolesSpec is Scene {
    // ============ The agent ============

    function check_only_the_agent_proposes(address caller, address proposer, uint32 ttl, uint256 nonce) external {
        vm.assume(caller != agent || proposer != caller);
        IGate.Proposal memory proposal = isolation(ttl, nonce);
        proposal.agent = proposer;
        assert(!takes(caller, abi.encodeCall(IGate.propose, (proposal))));
    }

    function check_only_the_agent_orders(address caller, address proposer, bytes32[4] memory words) external {
        vm.assume(caller != agent || proposer != caller);
        IGate.Proposal memory proposal = isolation(60, 1);
        proposal.agent = proposer;
        assert(!takes(caller, abi.encodeCall(IGate.proposeApproved, (proposal, anyTwo(words)))));
    }

    function check_only_the_agent_orders_batches(address caller, address proposer, bytes32[4] memory words) external {
        vm.assume(caller != agent || proposer != caller);
        uint256[] memory targets = new uint256[](1);
        targets[0] = uint256(KEY);
        IGate.Batch memory batch = batchOf(Kind.REVOKE, 0, targets);
        batch.agent = proposer;
        assert(!takes(caller, abi.encodeCall(IGate.orderBatch, (batch, new bytes32[][](0), anyTwo(words)))));
    }

    function check_the_agent_does_nothing_else(uint32 ttl, bytes32 digest) external {
        vm.assume(ttl > 0 && ttl <= MAX_TTL);
        grantLease(1);
        IGate.Proposal memory proposal = proposalOf(Kind.BLOCK, network(4, 32, 0xCB007109), ttl, 1);
        propose(proposal);
        assert(!takes(agent, abi.encodeCall(IGate.approve, (proposal))));
        assert(!takes(agent, abi.encodeCall(IGate.reject, (proposal))));
        assert(!takes(agent, abi.encodeCall(IGate.withdraw, (proposal))));
        assert(!takes(agent, abi.encodeCall(IGate.veto, (proposal))));
        assert(!takes(agent, abi.encodeCall(IGate.endLease, (agent))));
        assert(!takes(agent, abi.encodeCall(IGate.pause, ())));
        assert(!takes(agent, abi.encodeCall(IGate.deactivateModel, (MODEL))));
        assert(!takes(agent, abi.encodeCall(IGate.fileReceipts, (digest, 1))));
    }

    function check_an_agent_is_nothing_else(bool known, uint8 roles) external {
        address account = known ? operators[0] : address(0xB0B);
        bool taken = takes(address(this), abi.encodeCall(IRegistry.setRoles, (account, roles, 0)));
        assert(taken == (roles == AGENT || (roles & AGENT == 0 && roles < 16)));
    }

    // ============ People ============

    function check_only_operators_vote(address caller) external {
        vm.assume(!isOperator(caller));
        IGate.Proposal memory proposal = isolation(60, 1);
        propose(proposal);
        assert(!takes(caller, abi.encodeCall(IGate.approve, (proposal))));
        assert(!takes(caller, abi.encodeCall(IGate.reject, (proposal))));
        assert(!takes(caller, abi.encodeCall(IGate.withdraw, (proposal))));
    }

    function check_only_a_guardian_stops(address caller) external {
        vm.assume(caller != guardian);
        grantLease(1);
        IGate.Proposal memory proposal = proposalOf(Kind.ISOLATE, WEB, 60, 1);
        assert(!takes(caller, abi.encodeCall(IGate.veto, (proposal))));
        assert(!takes(caller, abi.encodeCall(IGate.endLease, (agent))));
        assert(!takes(caller, abi.encodeCall(IGate.pause, ())));
        assert(!takes(caller, abi.encodeCall(IGate.deactivateModel, (MODEL))));
    }

    function check_only_an_enforcer_reports(address caller, bytes32 digest) external {
        vm.assume(caller != enforcer);
        IGate.Proposal memory proposal = isolation(60, 1);
        order(proposal);
        bytes20 id = bytes20(gate.idOf(proposal));
        assert(!takes(caller, abi.encodeCall(IGate.fileReceipt, (Kind.ISOLATE, WEB, id, Outcome.APPLIED, digest))));
        assert(!takes(caller, abi.encodeCall(IGate.fileReceipts, (digest, 1))));
    }

    function check_an_enforcer_reports_in_its_scope(uint8 kinds, bytes32 digest) external {
        vm.assume(kinds < 8);
        gate.setEnforcerScope(enforcer, kinds, "dmz");
        IGate.Proposal memory proposal = isolation(60, 1);
        order(proposal);
        bytes20 id = bytes20(gate.idOf(proposal));
        bool taken = takes(enforcer, abi.encodeCall(IGate.fileReceipt, (Kind.ISOLATE, WEB, id, Outcome.APPLIED, digest)));
        assert(taken == (kinds & 2 != 0));
    }

    // ============ Governance ============

    function check_only_governance_changes_who(address caller, address account, uint8 roles, uint8 group) external {
        vm.assume(caller != address(this));
        assert(!takes(caller, abi.encodeCall(IRegistry.setRoles, (account, roles, group))));
        assert(!takes(caller, abi.encodeCall(IRegistry.setEnforcerScope, (account, roles, "dmz"))));
    }

    function check_only_governance_changes_rules(address caller, uint8 quorum, uint24 window) external {
        vm.assume(caller != address(this));
        IRegistry.Rule memory rule_ = rule();
        rule_.quorum = quorum;
        assert(!takes(caller, abi.encodeCall(IRegistry.setRule, (Kind.ISOLATE, 0, rule_))));
        IRegistry.Limits memory limits = IRegistry.Limits(window, MAX_PENDING, 1 days, 120, QUORUM, QUORUM, QUORUM);
        assert(!takes(caller, abi.encodeCall(IRegistry.setLimits, (limits))));
    }

    function check_only_governance_changes_places(address caller, IRegistry.ZoneRule memory zone, uint16 keep) external {
        vm.assume(caller != address(this));
        assert(!takes(caller, abi.encodeCall(IRegistry.setZone, ("dmz", zone))));
        assert(!takes(caller, abi.encodeCall(IRegistry.setPool, ("names", keep))));
    }

    function check_only_governance_changes_what(address caller, bytes32 key, uint8 criticality, bool flag) external {
        vm.assume(caller != address(this));
        IRegistry.AssetEntry[] memory assets = new IRegistry.AssetEntry[](1);
        assets[0] = IRegistry.AssetEntry("web", "dmz", "", criticality, flag);
        assert(!takes(caller, abi.encodeCall(IRegistry.setAssets, (assets))));
        IRegistry.CredentialEntry[] memory credentials = new IRegistry.CredentialEntry[](1);
        credentials[0] = IRegistry.CredentialEntry("ssh:deploy", "ops", criticality, flag);
        assert(!takes(caller, abi.encodeCall(IRegistry.setCredentials, (credentials))));
        bytes32[] memory networks = new bytes32[](1);
        networks[0] = key;
        assert(!takes(caller, abi.encodeCall(IRegistry.setProtectedNetworks, (networks, flag))));
        assert(!takes(caller, abi.encodeCall(IRegistry.removeTarget, (Kind.ISOLATE, key))));
    }

    function check_only_governance_changes_access(address caller, uint40 until) external {
        vm.assume(caller != address(this));
        assert(!takes(caller, abi.encodeCall(IRegistry.setResource, ("wiki", "web"))));
        IRegistry.Grant[] memory grants = new IRegistry.Grant[](1);
        grants[0] = IRegistry.Grant("ops", "wiki", until);
        assert(!takes(caller, abi.encodeCall(IRegistry.setGrants, (grants))));
    }
}
