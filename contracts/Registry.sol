// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {AuditLog} from "./AuditLog.sol";
import {IRegistry, Kind} from "./interfaces/IRegistry.sol";
import {Networks} from "./Networks.sol";

/// @title Who and what exists, and which rules hold for it
/// @dev Every operator gets a seat, a bit of his own that no one else ever gets. A set of signers is then one word, and how
/// many of them are operators now is the number of bits it shares with `_settings.operators`.
///
/// What an order reads or writes together shares a word: a cold word costs more than all that is computed from it.
abstract contract Registry is IRegistry, AuditLog, AccessManaged {
    using Networks for bytes32;

    // ============ Constants ============

    uint8 internal constant AGENT = 1;
    uint8 internal constant OPERATOR = 2;
    uint8 internal constant GUARDIAN = 4;
    uint8 internal constant ENFORCER = 8;
    uint8 private constant ALL_ROLES = AGENT | OPERATOR | GUARDIAN | ENFORCER;

    uint8 internal constant MAX_CRITICALITY = 3;
    uint256 private constant MAX_NETWORKS = 64; // of each family
    uint256 private constant MAX_SEATS = 104;
    uint256 private constant MAX_NAME = 256; // bytes
    uint256 private constant MAX_BUDGET = 4095; // what a counter of `Account.used` holds

    // ============ Storage ============

    struct Account {
        uint8 roles;
        uint8 seat; // from 1; kept when the role is taken away
        uint32 window; // the one that `used` counts in
        uint144 used; // proposals by this agent: 12 bits for each of the twelve cells
        uint32 lastNonce; // the highest that this agent used
        uint32 recentNonces; // bit i: `lastNonce - i` is used
    }

    /// @notice What governance says of a target, and the last order on it. A network has the order alone.
    struct Target {
        bool known;
        bool isProtected;
        uint8 criticality;
        uint40 until; // end of the order; zero where there was none, and after a release
        bytes24 order; // the proposal's id but for its last 8 bytes
    }

    struct Model {
        bool active;
        uint16 number; // from 1, in the order of registration; short for its hash
    }

    struct Settings {
        uint32 window;
        uint32 maxPending;
        uint8 leaseQuorum;
        uint8 releaseQuorum;
        uint32 maxLease;
        uint104 operators; // seats of current operators
        uint8 seats; // given out so far
        uint16 models; // registered so far
    }

    /// @dev A rule, and the settings that every order is judged by too: one word instead of two.
    struct Cell {
        bool allowed;
        bool leasable;
        uint8 quorum;
        uint32 maxTtl;
        uint16 budget;
        uint32 window;
        uint32 maxPending;
        uint8 leaseQuorum;
        uint104 operators;
    }

    Settings internal _settings;

    mapping(address account => Account) internal _accounts;
    mapping(Kind kind => mapping(bytes32 key => Target)) internal _targets;
    mapping(bytes32 asset => bytes32 zone) private _zones;
    mapping(bytes32 model => Model) internal _models;
    mapping(Kind kind => mapping(uint8 criticality => Cell)) internal _cells;

    /// @dev Six to a word (`Networks.shorten`), the first empty place ends the list.
    uint40[MAX_NETWORKS] private _protectedV4;
    bytes32[MAX_NETWORKS] private _protectedV6;

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
        _setTarget(Kind.ISOLATE, key, criticality, isProtected);
        _zones[key] = keccak256(bytes(zone));
        _extend(abi.encode(_head, AssetSet.selector, key, id, zone, criticality, isProtected));
        emit AssetSet(key, id, zone, criticality, isProtected);
    }

    /// @inheritdoc IRegistry
    function setCredential(string calldata id, uint8 criticality, bool isProtected) external restricted {
        _checkName(id);
        _checkCriticality(criticality);
        bytes32 key = keccak256(bytes(id));
        _setTarget(Kind.REVOKE, key, criticality, isProtected);
        _extend(abi.encode(_head, CredentialSet.selector, key, id, criticality, isProtected));
        emit CredentialSet(key, id, criticality, isProtected);
    }

    /// @inheritdoc IRegistry
    function setProtectedNetwork(bytes32 network, bool isProtected) external restricted {
        if (!network.isCanonical()) revert RegistryBadNetwork(network);
        (uint256 place, uint256 count) = _findNetwork(network);
        bool was = place != count;
        if (isProtected && !was) _addNetwork(network, count);
        if (!isProtected && was) _removeNetwork(network, place, count - 1);
        _extend(abi.encode(_head, NetworkProtected.selector, network, isProtected));
        emit NetworkProtected(network, isProtected);
    }

    /// @inheritdoc IRegistry
    function setModel(bytes32 model, bytes32 card, bool active) external restricted {
        if (_models[model].number == 0) _models[model].number = ++_settings.models;
        _models[model].active = active;
        _extend(abi.encode(_head, ModelSet.selector, model, card, active));
        emit ModelSet(model, card, active);
    }

    /// @inheritdoc IRegistry
    /// @dev Limits come first: a rule's budget is counted in windows.
    function setRule(Kind kind, uint8 criticality, Rule calldata rule) external restricted {
        _checkCriticality(criticality);
        if (_settings.window == 0) revert RegistryBadLimits();
        bool complete = rule.quorum != 0 && rule.quorum <= MAX_SEATS && rule.maxTtl != 0 && rule.budget != 0
            && rule.budget <= MAX_BUDGET;
        if (rule.allowed ? !complete : rule.leasable) revert RegistryBadRule(kind, criticality);
        Cell storage cell = _cells[kind][criticality];
        (cell.allowed, cell.leasable, cell.quorum) = (rule.allowed, rule.leasable, rule.quorum);
        (cell.maxTtl, cell.budget) = (rule.maxTtl, uint16(rule.budget));
        _extend(abi.encode(_head, RuleSet.selector, kind, criticality, rule));
        emit RuleSet(kind, criticality, rule);
    }

    /// @inheritdoc IRegistry
    function setLimits(Limits calldata newLimits) external restricted {
        if (
            newLimits.window == 0 || newLimits.maxPending == 0 || newLimits.leaseQuorum == 0
                || newLimits.releaseQuorum == 0 || newLimits.maxLease == 0
        ) revert RegistryBadLimits();
        _settings.window = newLimits.window;
        _settings.maxPending = newLimits.maxPending;
        _settings.leaseQuorum = newLimits.leaseQuorum;
        _settings.releaseQuorum = newLimits.releaseQuorum;
        _settings.maxLease = newLimits.maxLease;
        _copySettings();
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
        Target memory target = _targets[Kind.ISOLATE][key];
        return Asset(_zones[key], target.criticality, target.known, target.isProtected);
    }

    /// @inheritdoc IRegistry
    function credentialOf(bytes32 key) public view returns (Credential memory) {
        Target memory target = _targets[Kind.REVOKE][key];
        return Credential(target.criticality, target.known, target.isProtected);
    }

    /// @inheritdoc IRegistry
    function isModelActive(bytes32 model) public view returns (bool) {
        return _models[model].active;
    }

    /// @inheritdoc IRegistry
    function ruleOf(Kind kind, uint8 criticality) public view returns (Rule memory) {
        Cell memory cell = _cells[kind][criticality];
        return Rule(cell.allowed, cell.leasable, cell.quorum, cell.maxTtl, cell.budget);
    }

    /// @inheritdoc IRegistry
    function limits() public view returns (Limits memory) {
        Settings memory s = _settings;
        return Limits(s.window, s.maxPending, s.leaseQuorum, s.releaseQuorum, s.maxLease);
    }

    /// @inheritdoc IRegistry
    function protectedNetworks() external view returns (bytes32[] memory networks) {
        uint256 v4 = _countNetworks(true);
        networks = new bytes32[](v4 + _countNetworks(false));
        for (uint256 i = 0; i < networks.length; ++i) {
            networks[i] = i < v4 ? _protectedAt(true, i) : _protectedAt(false, i - v4);
        }
    }

    /// @inheritdoc IRegistry
    function auditHead() external view returns (bytes32) {
        return _head;
    }

    // ============ Internals ============

    function _overlapsProtected(bytes32 network) internal view returns (bool) {
        bool v4 = network.isV4();
        for (uint256 i = 0; i < MAX_NETWORKS; ++i) {
            bytes32 other = _protectedAt(v4, i);
            if (other == 0) return false;
            if (network.overlap(other)) return true;
        }
        return false;
    }

    function _zoneOf(bytes32 asset) internal view returns (bytes32) {
        return _zones[asset];
    }

    /// @dev The bit of an operator's seat; zero for whoever is no operator now.
    function _seatOf(address operator) internal view returns (uint104) {
        Account storage account = _accounts[operator];
        return account.roles & OPERATOR == 0 ? 0 : uint104(1) << (account.seat - 1);
    }

    /// @dev How many of these seats belong to current operators.
    function _countCurrent(uint104 seats) internal view returns (uint256) {
        return _countShared(seats, _settings.operators);
    }

    function _countShared(uint104 seats, uint104 operators) internal pure returns (uint256 count) {
        for (uint104 rest = seats & operators; rest != 0; rest &= rest - 1) {
            ++count;
        }
    }

    function _seat(address account, bool isOperator) private {
        uint8 seat = _accounts[account].seat;
        if (isOperator && seat == 0) {
            if (_settings.seats == MAX_SEATS) revert RegistryTooManyOperators(MAX_SEATS);
            seat = ++_settings.seats;
            _accounts[account].seat = seat;
        }
        if (seat == 0) return;
        uint104 bit = uint104(1) << (seat - 1);
        uint104 operators = _settings.operators;
        _settings.operators = isOperator ? operators | bit : operators & ~bit;
        _copySettings();
    }

    /// @dev Into every cell, after each change of a setting that cells have.
    function _copySettings() private {
        Settings memory settings = _settings;
        for (uint256 kind = 0; kind <= uint256(type(Kind).max); ++kind) {
            for (uint8 criticality = 0; criticality <= MAX_CRITICALITY; ++criticality) {
                Cell storage cell = _cells[Kind(kind)][criticality];
                (cell.window, cell.maxPending) = (settings.window, settings.maxPending);
                (cell.leaseQuorum, cell.operators) = (settings.leaseQuorum, settings.operators);
            }
        }
    }

    /// @dev The order on it stays as it is.
    function _setTarget(Kind kind, bytes32 key, uint8 criticality, bool isProtected) private {
        Target storage target = _targets[kind][key];
        target.known = true;
        target.criticality = criticality;
        target.isProtected = isProtected;
    }

    /// @return zero beyond the last one
    function _protectedAt(bool v4, uint256 place) private view returns (bytes32) {
        return v4 ? Networks.lengthen(_protectedV4[place]) : _protectedV6[place];
    }

    function _countNetworks(bool v4) private view returns (uint256 count) {
        while (count < MAX_NETWORKS && _protectedAt(v4, count) != 0) ++count;
    }

    /// @return place of the network; `count` where it is not protected
    /// @return count of the protected ones of its family
    function _findNetwork(bytes32 network) private view returns (uint256 place, uint256 count) {
        bool v4 = network.isV4();
        count = _countNetworks(v4);
        while (place < count && _protectedAt(v4, place) != network) ++place;
    }

    function _addNetwork(bytes32 network, uint256 count) private {
        if (count == MAX_NETWORKS) revert RegistryTooManyNetworks(MAX_NETWORKS + 1, MAX_NETWORKS);
        if (network.isV4()) _protectedV4[count] = network.shorten();
        else _protectedV6[count] = network;
    }

    /// @dev The last one takes the place of the one that goes.
    function _removeNetwork(bytes32 network, uint256 place, uint256 last) private {
        if (network.isV4()) {
            _protectedV4[place] = _protectedV4[last];
            delete _protectedV4[last];
        } else {
            _protectedV6[place] = _protectedV6[last];
            delete _protectedV6[last];
        }
    }

    function _checkName(string calldata name) private pure {
        uint256 length = bytes(name).length;
        if (length == 0 || length > MAX_NAME) revert RegistryBadName();
    }

    function _checkCriticality(uint8 criticality) private pure {
        if (criticality > MAX_CRITICALITY) revert RegistryBadCriticality(criticality);
    }
}
