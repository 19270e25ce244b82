// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {AuditLog} from "./AuditLog.sol";
import {IRegistry, Kind} from "./interfaces/IRegistry.sol";
import {Networks} from "./Networks.sol";

/// @title Who and what exists, and which rules hold for it
/// @dev Every operator gets a seat, a bit of his own that no one else ever gets. A set of signers is then one word, and how
/// many of them are operators now is the number of bits it shares with `_operators`.
abstract contract Registry is IRegistry, AuditLog, AccessManaged {
    using Networks for bytes32;

    // ============ Constants ============

    uint8 internal constant AGENT = 1;
    uint8 internal constant OPERATOR = 2;
    uint8 internal constant GUARDIAN = 4;
    uint8 internal constant ENFORCER = 8;
    uint8 private constant ALL_ROLES = AGENT | OPERATOR | GUARDIAN | ENFORCER;

    uint8 internal constant MAX_CRITICALITY = 3;
    uint256 private constant MAX_NETWORKS = 64;
    uint256 private constant MAX_SEATS = 104;
    uint256 private constant MAX_NAME = 256; // bytes

    // ============ Storage ============

    struct Account {
        uint8 roles;
        uint8 seat; // from 1; kept when the role is taken away
    }

    Limits private _limits;

    uint104 private _operators; // seats of current operators
    uint8 private _seats; // given out so far

    mapping(address account => Account) private _accounts;
    mapping(bytes32 key => Asset) private _assets;
    mapping(bytes32 key => Credential) private _credentials;
    mapping(bytes32 model => bool) private _models;
    mapping(Kind kind => mapping(uint8 criticality => Rule)) private _rules;

    bytes32[] private _networks;
    mapping(bytes32 network => uint256 position) private _networkPosition; // from 1

    // ============ Governance ============

    /// @inheritdoc IRegistry
    function setRoles(address account, uint8 roles) external restricted {
        if (roles > ALL_ROLES) revert RegistryBadRoles(roles);
        if (roles & AGENT != 0 && roles != AGENT) revert RegistryAgentMustBeAlone(account, roles);
        _accounts[account].roles = roles;
        _seat(account, roles & OPERATOR != 0);
        _extend(abi.encode(_head, RolesSet.selector, account, roles));
        emit RolesSet(account, roles);
    }

    /// @inheritdoc IRegistry
    function setAsset(string calldata id, string calldata zone, uint8 criticality, bool isProtected) external restricted {
        _checkName(id);
        _checkName(zone);
        _checkCriticality(criticality);
        bytes32 key = keccak256(bytes(id));
        _assets[key] = Asset(keccak256(bytes(zone)), criticality, true, isProtected);
        _extend(abi.encode(_head, AssetSet.selector, key, id, zone, criticality, isProtected));
        emit AssetSet(key, id, zone, criticality, isProtected);
    }

    /// @inheritdoc IRegistry
    function setCredential(string calldata id, uint8 criticality, bool isProtected) external restricted {
        _checkName(id);
        _checkCriticality(criticality);
        bytes32 key = keccak256(bytes(id));
        _credentials[key] = Credential(criticality, true, isProtected);
        _extend(abi.encode(_head, CredentialSet.selector, key, id, criticality, isProtected));
        emit CredentialSet(key, id, criticality, isProtected);
    }

    /// @inheritdoc IRegistry
    function setProtectedNetwork(bytes32 network, bool isProtected) external restricted {
        if (!network.isCanonical()) revert RegistryBadNetwork(network);
        bool was = _networkPosition[network] != 0;
        if (isProtected && !was) _addNetwork(network);
        if (!isProtected && was) _removeNetwork(network);
        _extend(abi.encode(_head, NetworkProtected.selector, network, isProtected));
        emit NetworkProtected(network, isProtected);
    }

    /// @inheritdoc IRegistry
    function setModel(bytes32 model, bytes32 card, bool active) external restricted {
        _models[model] = active;
        _extend(abi.encode(_head, ModelSet.selector, model, card, active));
        emit ModelSet(model, card, active);
    }

    /// @inheritdoc IRegistry
    /// @dev Limits come first: a rule's budget is counted in windows.
    function setRule(Kind kind, uint8 criticality, Rule calldata rule) external restricted {
        _checkCriticality(criticality);
        if (_limits.window == 0) revert RegistryBadLimits();
        bool complete = rule.quorum != 0 && rule.quorum <= MAX_SEATS && rule.maxTtl != 0 && rule.budget != 0;
        if (rule.allowed ? !complete : rule.leasable) revert RegistryBadRule(kind, criticality);
        _rules[kind][criticality] = rule;
        _extend(abi.encode(_head, RuleSet.selector, kind, criticality, rule));
        emit RuleSet(kind, criticality, rule);
    }

    /// @inheritdoc IRegistry
    function setLimits(Limits calldata newLimits) external restricted {
        if (
            newLimits.window == 0 || newLimits.maxPending == 0 || newLimits.leaseQuorum == 0
                || newLimits.releaseQuorum == 0 || newLimits.maxLease == 0
        ) revert RegistryBadLimits();
        _limits = newLimits;
        _extend(abi.encode(_head, LimitsSet.selector, newLimits));
        emit LimitsSet(newLimits);
    }

    /// @notice Always refused.
    function setAuthority(address) public pure override {
        revert RegistryAuthorityFixed();
    }

    // ============ Views ============

    /// @inheritdoc IRegistry
    function rolesOf(address account) public view returns (uint8) {
        return _accounts[account].roles;
    }

    /// @inheritdoc IRegistry
    function assetOf(bytes32 key) public view returns (Asset memory) {
        return _assets[key];
    }

    /// @inheritdoc IRegistry
    function credentialOf(bytes32 key) public view returns (Credential memory) {
        return _credentials[key];
    }

    /// @inheritdoc IRegistry
    function isModelActive(bytes32 model) public view returns (bool) {
        return _models[model];
    }

    /// @inheritdoc IRegistry
    function ruleOf(Kind kind, uint8 criticality) public view returns (Rule memory) {
        return _rules[kind][criticality];
    }

    /// @inheritdoc IRegistry
    function limits() public view returns (Limits memory) {
        return _limits;
    }

    /// @inheritdoc IRegistry
    function protectedNetworks() external view returns (bytes32[] memory) {
        return _networks;
    }

    /// @inheritdoc IRegistry
    function auditHead() external view returns (bytes32 head, uint256 count) {
        return _auditHead();
    }

    // ============ Internals ============

    function _overlapsProtected(bytes32 network) internal view returns (bool) {
        uint256 count = _networks.length;
        for (uint256 i = 0; i < count; ++i) {
            if (network.overlap(_networks[i])) return true;
        }
        return false;
    }

    /// @dev The bit of an operator's seat; zero for whoever is no operator now.
    function _seatOf(address operator) internal view returns (uint104) {
        Account memory account = _accounts[operator];
        return account.roles & OPERATOR == 0 ? 0 : uint104(1) << (account.seat - 1);
    }

    /// @dev How many of these seats belong to current operators.
    function _countCurrent(uint104 seats) internal view returns (uint256 count) {
        for (uint104 rest = seats & _operators; rest != 0; rest &= rest - 1) {
            ++count;
        }
    }

    function _seat(address account, bool isOperator) private {
        uint8 seat = _accounts[account].seat;
        if (isOperator && seat == 0) {
            if (_seats == MAX_SEATS) revert RegistryTooManyOperators(MAX_SEATS);
            seat = ++_seats;
            _accounts[account].seat = seat;
        }
        if (seat == 0) return;
        uint104 bit = uint104(1) << (seat - 1);
        _operators = isOperator ? _operators | bit : _operators & ~bit;
    }

    function _addNetwork(bytes32 network) private {
        if (_networks.length == MAX_NETWORKS) revert RegistryTooManyNetworks(MAX_NETWORKS + 1, MAX_NETWORKS);
        _networks.push(network);
        _networkPosition[network] = _networks.length;
    }

    /// @dev The last one takes the place of the one that goes.
    function _removeNetwork(bytes32 network) private {
        bytes32 last = _networks[_networks.length - 1];
        uint256 position = _networkPosition[network];
        _networks[position - 1] = last;
        _networkPosition[last] = position;
        _networks.pop();
        delete _networkPosition[network];
    }

    function _checkName(string calldata name) private pure {
        uint256 length = bytes(name).length;
        if (length == 0 || length > MAX_NAME) revert RegistryBadName();
    }

    function _checkCriticality(uint8 criticality) private pure {
        if (criticality > MAX_CRITICALITY) revert RegistryBadCriticality(criticality);
    }
}
