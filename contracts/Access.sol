// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IRegistry, Kind} from "./interfaces/IRegistry.sol";
import {Networks} from "./Networks.sol";
import {Registry} from "./Registry.sol";
import {Account, Cell, ones, Target, Zone} from "./Words.sol";

/// @title What is registered, and what gateways ask
abstract contract Access is Registry {
    // ============ Asked by gateways ============

    /// @dev See `IRegistry`.
    function isBlocked(bytes32 network) public view returns (bool) {
        if (!Networks.isCanonical(network)) revert IRegistry.RegistryBadNetwork(network);
        uint256 lengths = Networks.isV4(network) ? _lengths : _lengths >> V6_LENGTHS;
        uint256 own = Networks.prefixOf(network);
        for (uint256 prefix = 0; prefix <= own; ++prefix) {
            if ((lengths >> prefix) & 1 == 0 && prefix != Networks.width(network)) continue;
            if (_liveUntil(Kind.BLOCK, Networks.widen(network, prefix)) != 0) return true;
        }
        return false;
    }

    /// @dev See `IRegistry`.
    function isIsolated(bytes32 asset) public view returns (bool) {
        return _liveUntil(Kind.ISOLATE, asset) != 0;
    }

    /// @dev See `IRegistry`.
    function isRevoked(bytes32 credential) public view returns (bool) {
        return _liveUntil(Kind.REVOKE, credential) != 0;
    }

    /// @dev See `IRegistry`.
    function isAuthorized(bytes32 credential, bytes32 resource) public view returns (bool) {
        if (!_targets[uint8(Kind.REVOKE)][credential].has(KNOWN)) return false;
        bytes32 asset = _resources[resource];
        if (!_targets[uint8(Kind.ISOLATE)][asset].has(KNOWN)) return false;
        bool granted = block.timestamp < _grants[_principals[credential]][resource];
        return granted && !isRevoked(credential) && !isIsolated(asset);
    }

    /// @dev See `IRegistry`.
    function isAuthorizedFrom(bytes32 network, bytes32 credential, bytes32 resource) external view returns (bool) {
        return !isBlocked(network) && isAuthorized(credential, resource);
    }

    /// @dev See `IGate`.
    function orderedUntil(Kind kind, bytes32 target) external view returns (uint64) {
        return _liveUntil(kind, target);
    }

    // ============ What is registered ============

    /// @dev See `IRegistry`.
    function rolesOf(address account) external view returns (uint8 roles, uint8 group) {
        Account entry = _accounts[account];
        roles = entry.roles();
        if (roles & OPERATOR != 0) group = uint8((entry.number() - 1) / GROUP);
    }

    /// @dev See `IRegistry`.
    function operators() external view returns (address[] memory accounts) {
        uint64 seats = _settings.operators;
        accounts = new address[](ones(seats));
        uint256 next = 0;
        for (uint256 seat = 0; seat < SEATS; ++seat) {
            if ((seats >> seat) & 1 != 0) accounts[next++] = _seats[seat].holder;
        }
    }

    /// @dev See `IRegistry`.
    function assetOf(bytes32 key) external view returns (IRegistry.Asset memory asset) {
        Target target = _targets[uint8(Kind.ISOLATE)][key];
        if (!target.has(KNOWN)) return asset;
        asset = IRegistry.Asset({
            zone: _zoneNames[target.zone()],
            criticality: target.criticality(),
            known: true,
            isProtected: target.has(PROTECTED),
            pool: target.pool(),
            place: uint32(target.place())
        });
    }

    /// @dev See `IRegistry`.
    function credentialOf(bytes32 key) external view returns (IRegistry.Credential memory credential) {
        Target target = _targets[uint8(Kind.REVOKE)][key];
        if (!target.has(KNOWN)) return credential;
        credential = IRegistry.Credential(_principals[key], target.criticality(), true, target.has(PROTECTED));
    }

    /// @dev See `IRegistry`.
    function zoneOf(bytes32 key)
        external
        view
        returns (IRegistry.ZoneRule memory rule, uint256 assets, uint256 isolated)
    {
        Zone z = _zones[_zoneNumbers[key]];
        rule = IRegistry.ZoneRule({
            share: uint8(z.share()),
            extra: uint8(z.extra()),
            frozenFrom: uint40(z.frozenFrom()),
            frozenUntil: uint40(z.frozenUntil()),
            opens: uint24(z.opens()),
            length: uint24(z.length())
        });
        return (rule, z.assets(), z.isolated());
    }

    /// @dev See `IRegistry`.
    function poolOf(bytes32 key) external view returns (uint256 members, uint256 isolated, uint256 keep) {
        Pool memory pool = _pools[_poolNumbers[key]];
        return (pool.members, pool.isolated, pool.keep);
    }

    /// @dev See `IRegistry`.
    function enforcerScopeOf(address enforcer) external view returns (uint8 kinds, bytes32 zone) {
        Scope memory scope = _scopes[enforcer];
        return (scope.kinds, _zoneNames[scope.zone]);
    }

    /// @dev See `IRegistry`.
    function ruleOf(Kind kind, uint8 criticality) external view returns (IRegistry.Rule memory rule, uint256 live) {
        if (criticality > MAX_CRITICALITY) revert IRegistry.RegistryBadCriticality(criticality);
        Cell cell = _cells[_cellNumber(kind, criticality)];
        rule = IRegistry.Rule({
            allowed: cell.allowed(),
            leasable: cell.leasable(),
            quorum: uint8(cell.quorum()),
            groups: uint8(cell.groups()),
            delay: uint24(cell.delay()),
            maxTtl: uint24(cell.maxTtl()),
            budget: uint16(cell.budget()),
            live: uint16(cell.maxLive())
        });
        return (rule, cell.live());
    }

    /// @dev See `IRegistry`.
    function limits() external view returns (IRegistry.Limits memory) {
        Settings memory s = _settings;
        return IRegistry.Limits(
            s.window, s.maxPending, s.maxLease, s.receiptDue, s.leaseQuorum, s.releaseQuorum, s.modelQuorum
        );
    }

    /// @dev See `IRegistry`.
    function protectedNetworks() external view returns (bytes32[] memory networks) {
        uint256 v4 = _countNetworks(true);
        networks = new bytes32[](v4 + _countNetworks(false));
        for (uint256 i = 0; i < networks.length; ++i) {
            networks[i] = i < v4 ? _protectedAt(true, i) : _protectedAt(false, i - v4);
        }
    }

    /// @dev See `IRegistry`.
    function resourceOf(bytes32 key) external view returns (bytes32 asset) {
        return _resources[key];
    }

    /// @dev See `IRegistry`.
    function grantOf(bytes32 principal, bytes32 resource) external view returns (uint40 until) {
        return _grants[principal][resource];
    }

    /// @dev See `IRegistry`.
    function auditHead() external view returns (bytes32) {
        return _head;
    }
}
