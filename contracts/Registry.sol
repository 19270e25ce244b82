// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IRegistry, Kind} from "./interfaces/IRegistry.sol";
import {Networks} from "./Networks.sol";
import {State} from "./State.sol";
import {Account, Cell, ones, put, Target} from "./Words.sol";

/// @title Who and what exists, and which rules hold for it: changed by governance alone
abstract contract Registry is State {
    using Networks for bytes32;

    // ============ Constants ============

    uint8 private constant ALL_ROLES = AGENT | OPERATOR | GUARDIAN | ENFORCER;
    uint8 private constant ALL_KINDS = 7;
    uint256 private constant MAX_NAME = 256; // bytes
    uint256 private constant MAX_BUDGET = 2047; // what a counter of `Account.used` holds
    uint256 private constant MAX_PLACES = 65_536;
    uint256 private constant MAX_WAIT = 30 days; // of what waits for or rests on signatures; a seat rests as long

    // ============ Accounts ============

    /// @dev See `IRegistry`.
    function setRoles(address account, uint8 roles, uint8 group) external restricted {
        if (roles > ALL_ROLES) revert IRegistry.RegistryBadRoles(roles);
        if (roles & AGENT != 0 && roles != AGENT) revert IRegistry.RegistryAgentMustBeAlone(account, roles);
        bool seated = roles & OPERATOR != 0;
        if (group >= SEATS / GROUP || (group != 0 && !seated)) revert IRegistry.RegistryBadGroup(group);
        uint8 number = _keptSeat(_accounts[account], seated, group);
        if (seated && number == 0) number = _seat(account, group);
        _accounts[account] = _accounts[account].withRoles(roles, number);
        _tell(IRegistry.RolesSet.selector, _subject(account), abi.encode(roles, group));
    }

    /// @dev See `IRegistry`.
    function setEnforcerScope(address enforcer, uint8 kinds, string calldata zone) external restricted {
        if (kinds > ALL_KINDS) revert IRegistry.RegistryBadScope(kinds);
        uint16 number = bytes(zone).length == 0 ? 0 : _requireZone(_key(zone));
        _scopes[enforcer] = Scope(kinds, number);
        _tell(IRegistry.EnforcerScopeSet.selector, _subject(enforcer), abi.encode(kinds, zone));
    }

    // ============ Places and targets ============

    /// @dev See `IRegistry`.
    function setZone(string calldata name, IRegistry.ZoneRule calldata rule) external restricted {
        _checkName(name);
        bytes32 key = _key(name);
        bool valid = rule.share != 0 && rule.share <= 100 && rule.extra <= SEATS && rule.opens < 1 weeks
            && rule.length <= 1 weeks;
        if (!valid) revert IRegistry.RegistryBadZone(key);
        uint16 number = _zoneNumbers[key];
        if (number == 0) {
            if (_settings.zones == type(uint16).max) revert IRegistry.RegistryFull(type(uint16).max);
            number = ++_settings.zones;
            (_zoneNumbers[key], _zoneNames[number]) = (number, key);
        }
        uint256 word = (uint256(rule.share) << 48) | (uint256(rule.extra) << 56) | (uint256(rule.frozenFrom) << 64);
        word |= (uint256(rule.frozenUntil) << 104) | (uint256(rule.opens) << 144) | (uint256(rule.length) << 168);
        _zones[number] = _zones[number].withRule(word);
        _tell(IRegistry.ZoneSet.selector, key, abi.encode(name, rule));
    }

    /// @dev See `IRegistry`.
    function setPool(string calldata name, uint16 keep) external restricted {
        _checkName(name);
        bytes32 key = _key(name);
        uint8 number = _poolNumbers[key];
        if (number == 0) {
            if (_settings.pools == type(uint8).max) revert IRegistry.RegistryFull(type(uint8).max);
            number = ++_settings.pools;
            _poolNumbers[key] = number;
        }
        _pools[number].keep = keep;
        _tell(IRegistry.PoolSet.selector, key, abi.encode(name, number, keep));
    }

    /// @dev See `IRegistry`.
    function setAssets(IRegistry.AssetEntry[] calldata entries) external restricted {
        for (uint256 i = 0; i < entries.length; ++i) {
            _setAsset(entries[i]);
        }
    }

    /// @dev See `IRegistry`.
    function setCredentials(IRegistry.CredentialEntry[] calldata entries) external restricted {
        for (uint256 i = 0; i < entries.length; ++i) {
            IRegistry.CredentialEntry calldata entry = entries[i];
            _checkName(entry.id);
            _checkName(entry.principal);
            _checkCriticality(entry.criticality);
            bytes32 key = _key(entry.id);
            Target target = _targets[uint8(Kind.REVOKE)][key];
            if (target.criticality() != entry.criticality) _requireUnordered(key, target);
            _targets[uint8(Kind.REVOKE)][key] = _flag(target.withCriticality(entry.criticality), entry.isProtected);
            _principals[key] = _key(entry.principal);
            _tell(IRegistry.CredentialSet.selector, key, abi.encode(entry));
        }
    }

    /// @dev See `IRegistry`.
    function removeTarget(Kind kind, bytes32 key) external restricted {
        Target target = _targets[uint8(kind)][key];
        if (!target.has(KNOWN)) revert IRegistry.RegistryUnknown(key);
        _requireUnordered(key, target);
        if (kind == Kind.ISOLATE) _displace(target);
        _targets[uint8(kind)][key] = target.without(KNOWN | PROTECTED).withCriticality(0).withPlace(0, 0, 0);
        _tell(IRegistry.TargetRemoved.selector, key, abi.encode(kind));
    }

    /// @dev See `IRegistry`.
    function setResource(string calldata name, string calldata asset) external restricted {
        _checkName(name);
        bytes32 key = _key(asset);
        if (!_targets[uint8(Kind.ISOLATE)][key].has(KNOWN)) revert IRegistry.RegistryUnknown(key);
        _resources[_key(name)] = key;
        _tell(IRegistry.ResourceSet.selector, _key(name), abi.encode(name, asset));
    }

    /// @dev See `IRegistry`.
    function setGrants(IRegistry.Grant[] calldata grants) external restricted {
        for (uint256 i = 0; i < grants.length; ++i) {
            IRegistry.Grant calldata grant = grants[i];
            _checkName(grant.principal);
            bytes32 resource = _key(grant.resource);
            if (_resources[resource] == 0) revert IRegistry.RegistryUnknown(resource);
            bytes32 principal = _key(grant.principal);
            _grants[principal][resource] = grant.until;
            _tell(IRegistry.GrantSet.selector, principal, abi.encode(grant));
        }
    }

    /// @dev See `IRegistry`.
    function setProtectedNetworks(bytes32[] calldata networks, bool isProtected) external restricted {
        for (uint256 i = 0; i < networks.length; ++i) {
            bytes32 network = networks[i];
            if (!network.isCanonical()) revert IRegistry.RegistryBadNetwork(network);
            (uint256 place, uint256 count) = _findNetwork(network);
            bool was = place != count;
            if (isProtected && !was) _addNetwork(network, count);
            if (!isProtected && was) _removeNetwork(network, place, count - 1);
            _tell(IRegistry.NetworkProtected.selector, network, abi.encode(isProtected));
        }
    }

    // ============ Rules ============

    /// @dev See `IRegistry`. Limits come first: a rule's budget is counted in windows.
    function setRule(Kind kind, uint8 criticality, IRegistry.Rule calldata rule) external restricted {
        _checkCriticality(criticality);
        if (_settings.window == 0) revert IRegistry.RegistryBadLimits();
        bool fits = rule.quorum <= SEATS && rule.groups < 1 << (SEATS / GROUP) && rule.budget <= MAX_BUDGET;
        bool complete = rule.quorum != 0 && rule.maxTtl != 0 && rule.budget != 0 && rule.live != 0
            && ones(rule.groups) <= rule.quorum && !(rule.leasable && rule.delay != 0);
        if (!fits || (rule.allowed ? !complete : rule.leasable)) revert IRegistry.RegistryBadRule(kind, criticality);
        uint256 word = (rule.allowed ? 1 : 0) | (rule.leasable ? 2 : 0) | (uint256(rule.groups) << 4);
        word |= (uint256(rule.quorum) << 8) | (uint256(rule.delay) << 16) | (uint256(rule.maxTtl) << 40);
        word |= (uint256(rule.budget) << 64) | (uint256(rule.live) << 80);
        _cells[_cellNumber(kind, criticality)] = _cells[_cellNumber(kind, criticality)].withRule(word);
        _tell(IRegistry.RuleSet.selector, bytes32(uint256(kind)), abi.encode(criticality, rule));
    }

    /// @dev See `IRegistry`.
    function setLimits(IRegistry.Limits calldata limits_) external restricted {
        bool valid = limits_.window != 0 && limits_.maxPending != 0 && limits_.maxPending <= MAX_WAIT
            && limits_.maxLease != 0 && limits_.maxLease <= MAX_WAIT && limits_.receiptDue != 0
            && limits_.leaseQuorum != 0 && limits_.releaseQuorum != 0 && limits_.modelQuorum != 0;
        if (!valid) revert IRegistry.RegistryBadLimits();
        Settings storage s = _settings;
        (s.window, s.maxPending, s.maxLease) = (limits_.window, limits_.maxPending, limits_.maxLease);
        (s.receiptDue, s.leaseQuorum) = (limits_.receiptDue, limits_.leaseQuorum);
        (s.releaseQuorum, s.modelQuorum) = (limits_.releaseQuorum, limits_.modelQuorum);
        _copySettings();
        _tell(IRegistry.LimitsSet.selector, _subject(msg.sender), abi.encode(limits_));
    }

    // ============ Internals: seats ============

    /// @dev Whoever is no operator any more, or of another group from now, gives up the seat.
    /// @return number of the seat that is kept; zero: none
    function _keptSeat(Account account, bool seated, uint8 group) private returns (uint8 number) {
        if (account.roles() & OPERATOR == 0) return 0;
        number = account.number();
        uint256 seat = number - 1;
        if (seated && seat / GROUP == group) return number;
        _seats[seat].rests = uint40(block.timestamp + MAX_WAIT);
        _settings.operators &= ~uint64(1 << seat);
        _copySettings();
        return 0;
    }

    /// @dev While the seat that he left rests he has that one again or none: what he withdrew is kept by seat.
    function _seat(address account, uint8 group) private returns (uint8 number) {
        uint256 seat = _freeSeat(account, group);
        number = uint8(seat + 1);
        (_seats[seat], _seatNumbers[account]) = (Seat(account, 0), number);
        _settings.operators |= uint64(1 << seat);
        _copySettings();
    }

    function _freeSeat(address account, uint8 group) private view returns (uint256 seat) {
        uint256 last = _seatNumbers[account];
        if (last != 0 && _seats[last - 1].holder == account && block.timestamp < _seats[last - 1].rests) {
            if ((last - 1) / GROUP != group) revert IRegistry.RegistryNoSeat(group);
            return last - 1;
        }
        uint64 operators = _settings.operators;
        for (seat = group * GROUP; seat < (group + 1) * GROUP; ++seat) {
            if ((operators >> seat) & 1 == 0 && block.timestamp >= _seats[seat].rests) return seat;
        }
        revert IRegistry.RegistryNoSeat(group);
    }

    /// @dev Into every cell, after each change of a setting that cells have.
    function _copySettings() private {
        Settings memory s = _settings;
        for (uint256 i = 0; i < CELLS; ++i) {
            _cells[i] = _cells[i].withSettings(s.window, s.maxPending, s.leaseQuorum, s.operators);
        }
    }

    // ============ Internals: assets ============

    function _setAsset(IRegistry.AssetEntry calldata entry) private {
        _checkName(entry.id);
        _checkCriticality(entry.criticality);
        bytes32 key = _key(entry.id);
        uint16 zone = _requireZone(_key(entry.zone));
        uint8 pool = bytes(entry.pool).length == 0 ? 0 : _requirePool(_key(entry.pool));
        Target target = _targets[uint8(Kind.ISOLATE)][key];
        bool known = target.has(KNOWN);
        bool stays = known && target.zone() == zone && target.criticality() == entry.criticality
            && target.pool() == pool;
        if (!stays) {
            _requireUnordered(key, target);
            if (known) _displace(target);
            uint256 place = _place(key, zone, entry.criticality, pool);
            target = target.withCriticality(entry.criticality).withPlace(zone, pool, place);
        }
        target = _flag(target, entry.isProtected);
        _targets[uint8(Kind.ISOLATE)][key] = target;
        _setMember(target, !entry.isProtected && pool == 0);
        _tell(IRegistry.AssetSet.selector, key, abi.encode(entry, uint32(target.place())));
    }

    /// @return place the next one of its zone and criticality, which no one had before
    function _place(bytes32 key, uint16 zone, uint8 criticality, uint8 pool) private returns (uint256 place) {
        place = _places[zone][criticality]++;
        if (place == MAX_PLACES) revert IRegistry.RegistryFull(MAX_PLACES);
        _zones[zone] = _zones[zone].withAssets(_zones[zone].assets() + 1);
        if (pool != 0) ++_pools[pool].members;
        uint256 page = _pageKey(zone, criticality, place / PAGE);
        (_pages[page].names, _pages[page].flags) = (0, _pages[page].flags | USED);
        _pageChains[page] = keccak256(bytes.concat(_pageChains[page], key));
    }

    /// @dev It gives up its place, for good.
    function _displace(Target target) private {
        _setMember(target, false);
        _zones[target.zone()] = _zones[target.zone()].withAssets(_zones[target.zone()].assets() - 1);
        if (target.pool() != 0) --_pools[target.pool()].members;
    }

    function _setMember(Target target, bool member) private {
        Page storage page = _pageOf(target);
        uint128 bit = _bitOf(target);
        page.members = member ? page.members | bit : page.members & ~bit;
    }

    function _flag(Target target, bool isProtected) private pure returns (Target) {
        return isProtected ? target.with(KNOWN | PROTECTED) : target.with(KNOWN).without(PROTECTED);
    }

    /// @dev What counts somewhere must not count elsewhere at its end.
    function _requireUnordered(bytes32 key, Target target) private view {
        bool batched = target.zone() != 0 && _pageOf(target).ordered & _bitOf(target) != 0;
        if (batched || target.has(COUNTED)) revert IRegistry.RegistryOrdered(key);
    }

    function _requireZone(bytes32 key) private view returns (uint16 number) {
        number = _zoneNumbers[key];
        if (number == 0) revert IRegistry.RegistryUnknown(key);
    }

    function _requirePool(bytes32 key) private view returns (uint8 number) {
        number = _poolNumbers[key];
        if (number == 0) revert IRegistry.RegistryUnknown(key);
    }

    // ============ Internals: networks ============

    function _countNetworks(bool v4) internal view returns (uint256 count) {
        while (count < MAX_NETWORKS && _protectedAt(v4, count) != 0) ++count;
    }

    /// @return zero beyond the last one
    function _protectedAt(bool v4, uint256 place) internal view returns (bytes32) {
        if (!v4) return _protectedV6[place];
        return Networks.lengthen(uint40(_protectedV4[place / SIX] >> (SHORT * (place % SIX))));
    }

    /// @return place of the network; `count` where it is not protected
    /// @return count of the protected ones of its family
    function _findNetwork(bytes32 network) private view returns (uint256 place, uint256 count) {
        bool v4 = network.isV4();
        count = _countNetworks(v4);
        while (place < count && _protectedAt(v4, place) != network) ++place;
    }

    function _addNetwork(bytes32 network, uint256 count) private {
        if (count == MAX_NETWORKS) revert IRegistry.RegistryFull(MAX_NETWORKS);
        _putNetwork(network.isV4(), count, network);
    }

    /// @dev The last one takes the place of the one that goes.
    function _removeNetwork(bytes32 network, uint256 place, uint256 last) private {
        bool v4 = network.isV4();
        _putNetwork(v4, place, _protectedAt(v4, last));
        _putNetwork(v4, last, 0);
    }

    /// @param network zero for none
    function _putNetwork(bool v4, uint256 place, bytes32 network) private {
        if (!v4) {
            _protectedV6[place] = network;
            return;
        }
        uint256 short = network == 0 ? 0 : network.shorten();
        _protectedV4[place / SIX] = put(_protectedV4[place / SIX], SHORT * (place % SIX), SHORT, short);
    }

    // ============ Internals: values ============

    function _key(string calldata name) private pure returns (bytes32) {
        return keccak256(bytes(name));
    }

    function _subject(address account) private pure returns (bytes32) {
        return bytes32(uint256(uint160(account)));
    }

    function _checkName(string calldata name) private pure {
        uint256 length = bytes(name).length;
        if (length == 0 || length > MAX_NAME) revert IRegistry.RegistryBadName();
    }

    function _checkCriticality(uint8 criticality) private pure {
        if (criticality > MAX_CRITICALITY) revert IRegistry.RegistryBadCriticality(criticality);
    }
}
