// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @notice What an action does. D3FEND: BLOCK is D3-NTF, ISOLATE is D3-NI, REVOKE is D3-CR.
enum Kind {
    BLOCK,
    ISOLATE,
    REVOKE
}

/// @title Who and what exists, and which rules hold for it
/// @notice Names are hashed, not copied: the key of an asset, a credential, a zone, a pool, a principal or a resource is
/// `keccak256(bytes(name))`, which is also how EIP-712 encodes that string. So an operator's wallet shows the name and the
/// contract compares one word.
///
/// A network is a key of another form, packed as `family (8 bits, 4 or 6) << 136 | prefix length (8 bits) << 128 | address
/// (128 bits, host bits zero, an IPv4 address in the low 32)`.
///
/// Seconds fit in 24 bits (194 days), points in time in 40.
interface IRegistry {
    // ============ Structs ============

    /// @notice An asset as governance enters it.
    struct AssetEntry {
        string id;
        string zone; // set before
        string pool; // set before; empty: in none
        uint8 criticality; // 0 low, 1 medium, 2 high, 3 critical
        bool isProtected;
    }

    struct Asset {
        bytes32 zone; // keccak256 of the zone's name
        uint8 criticality;
        bool known;
        bool isProtected;
        uint8 pool; // number of its pool; zero: in none
        uint32 place; // among the assets of its zone and criticality; 128 places make a page
    }

    struct CredentialEntry {
        string id;
        string principal; // whose it is
        uint8 criticality;
        bool isProtected;
    }

    struct Credential {
        bytes32 principal;
        uint8 criticality;
        bool known;
        bool isProtected;
    }

    /// @notice Who may reach what until when, by whatever credential is theirs.
    struct Grant {
        string principal;
        string resource; // set before
        uint40 until; // Unix seconds; zero takes it away
    }

    /// @notice One cell of the guardrail table (kind x criticality).
    struct Rule {
        bool allowed; // false: always refused
        bool leasable; // a live lease may stand in for the approvals; never together with a delay
        uint8 quorum; // M: distinct current operators needed without a lease, at least 1 where allowed
        uint8 groups; // bit g: at least one of the M is of approver group g
        uint24 delay; // seconds between execution and the last approval that was needed when it was given
        uint24 maxTtl; // seconds
        uint16 budget; // proposals per agent and window in this cell, at most 2,047
        uint16 live; // orders at once, of all agents
    }

    /// @notice When and how much of a zone may be isolated. Weeks begin on Thursday 00:00 UTC, as Unix time does.
    struct ZoneRule {
        uint8 share; // percent of its assets isolated at once, 1 to 100; one asset is always allowed
        uint8 extra; // approvals more while it is frozen
        uint40 frozenFrom; // Unix seconds; frozen zones also know no lease
        uint40 frozenUntil;
        uint24 opens; // second of the week at which its change window opens; within it no rule's delay is waited for
        uint24 length; // of the change window in seconds; zero: none
    }

    struct Limits {
        uint24 window; // seconds; budgets count within [k * window, (k + 1) * window) of block time, anew after a change
        uint24 maxPending; // seconds a proposal may wait for approval at most, up to 30 days
        uint24 maxLease; // seconds a lease may last at most, up to 30 days
        uint24 receiptDue; // seconds after execution at which a missing receipt can be reported
        uint8 leaseQuorum; // operators who must sign a lease
        uint8 releaseQuorum; // operators who must sign a release, and the end of a pause
        uint8 modelQuorum; // operators who must sign the activation of a model
    }

    // ============ Events ============
    // The first argument of each is its subject, and the only one indexed.

    /// @param group of approvers, where the roles include OPERATOR
    event RolesSet(address indexed account, uint8 roles, uint8 group);
    event EnforcerScopeSet(address indexed enforcer, uint8 kinds, string zone);
    event ZoneSet(bytes32 indexed key, string name, ZoneRule rule);
    event PoolSet(bytes32 indexed key, string name, uint8 number, uint16 keep);
    event AssetSet(bytes32 indexed key, AssetEntry entry, uint32 place);
    event CredentialSet(bytes32 indexed key, CredentialEntry entry);
    event TargetRemoved(bytes32 indexed key, Kind kind);
    event ResourceSet(bytes32 indexed key, string name, string asset);
    event GrantSet(bytes32 indexed principal, Grant grant);
    event NetworkProtected(bytes32 indexed network, bool isProtected);
    event RuleSet(Kind indexed kind, uint8 criticality, Rule rule);
    event LimitsSet(address indexed caller, Limits limits);
    event PageSealed(bytes32 indexed zone, uint8 criticality, uint16 page);

    // ============ Errors ============

    /// @notice An agent may hold no other role: whoever proposes never approves.
    error RegistryAgentMustBeAlone(address account, uint8 roles);
    error RegistryBadRoles(uint8 roles);
    error RegistryBadGroup(uint8 group);
    error RegistryBadScope(uint8 kinds);
    error RegistryBadCriticality(uint8 criticality);
    error RegistryBadName();
    error RegistryBadNetwork(bytes32 network);
    error RegistryBadRule(Kind kind, uint8 criticality);
    error RegistryBadZone(bytes32 zone);
    error RegistryBadPage(uint16 page);
    error RegistryBadLimits();
    /// @notice No asset, zone, pool, credential or resource of this key is set.
    error RegistryUnknown(bytes32 key);
    /// @notice An order on it is live or not settled: its zone, pool and criticality stay until then.
    error RegistryOrdered(bytes32 key);
    /// @notice Of one family of networks, of zones, of pools, or of places in a zone and criticality.
    error RegistryFull(uint256 maximum);
    /// @notice A seat that someone left rests for 30 days, until nothing that he signed can count any more; so long he may come
    /// back to it, and to no other group.
    error RegistryNoSeat(uint8 group);
    /// @notice The authority is fixed at deployment; governance changes inside the AccessManager.
    error RegistryAuthorityFixed();

    // ============ Governance (OpenZeppelin AccessManager, with delay) ============

    /// @notice Sets the roles of `account`: bit 0 agent, bit 1 operator, bit 2 guardian, bit 3 enforcer.
    /// @param group of approvers, 0 to 3, for operators; else zero. Each group seats 16.
    function setRoles(address account, uint8 roles, uint8 group) external;

    /// @notice Which receipts an enforcer may file: kinds as bits, of one zone or, where it is empty, of all.
    function setEnforcerScope(address enforcer, uint8 kinds, string calldata zone) external;

    function setZone(string calldata name, ZoneRule calldata rule) external;

    /// @notice Of the assets in this pool at least `keep` are never isolated.
    function setPool(string calldata name, uint16 keep) external;

    function setAssets(AssetEntry[] calldata entries) external;

    function setCredentials(CredentialEntry[] calldata entries) external;

    /// @notice Takes an asset or a credential off the registry.
    function removeTarget(Kind kind, bytes32 key) external;

    /// @notice What can be reached on an asset.
    function setResource(string calldata name, string calldata asset) external;

    function setGrants(Grant[] calldata grants) external;

    /// @notice No network that overlaps a protected one can be blocked.
    function setProtectedNetworks(bytes32[] calldata networks, bool isProtected) external;

    function setRule(Kind kind, uint8 criticality, Rule calldata rule) external;

    function setLimits(Limits calldata limits) external;

    // ============ By anyone ============

    /// @notice Makes the names of a page known, so that batches may name its assets: needed again after each asset that is
    /// added to it.
    /// @param keys of all its assets, by place; also of those removed since
    function sealPage(bytes32 zone, uint8 criticality, uint16 page, bytes32[] calldata keys) external;

    // ============ Views ============

    function rolesOf(address account) external view returns (uint8 roles, uint8 group);

    /// @notice Current operators.
    function operators() external view returns (address[] memory);

    function assetOf(bytes32 key) external view returns (Asset memory);

    function credentialOf(bytes32 key) external view returns (Credential memory);

    /// @notice A zone that is not set has a share of zero.
    /// @return rule as governance set it
    /// @return assets registered in it
    /// @return isolated those counted as isolated: an order that ended counts until it is settled
    function zoneOf(bytes32 key)
        external
        view
        returns (ZoneRule memory rule, uint256 assets, uint256 isolated);

    function poolOf(bytes32 key) external view returns (uint256 members, uint256 isolated, uint256 keep);

    function enforcerScopeOf(address enforcer) external view returns (uint8 kinds, bytes32 zone);

    function ruleOf(Kind kind, uint8 criticality) external view returns (Rule memory rule, uint256 live);

    function limits() external view returns (Limits memory);

    function protectedNetworks() external view returns (bytes32[] memory);

    function resourceOf(bytes32 key) external view returns (bytes32 asset);

    function grantOf(bytes32 principal, bytes32 resource) external view returns (uint40 until);

    /// @notice Head of the hash chain over every event of this contract.
    /// @dev `head' = keccak256(head ++ topics ++ data)` of the log as it stands on the chain, from zero.
    function auditHead() external view returns (bytes32);

    // ============ Views that a gateway asks ============

    /// @notice Is this network (an address: a /32 or /128) inside any live BLOCK as a whole?
    function isBlocked(bytes32 network) external view returns (bool);

    function isIsolated(bytes32 asset) external view returns (bool);

    function isRevoked(bytes32 credential) external view returns (bool);

    /// @notice Whether the principal of this credential has a grant for the resource now, the credential is not revoked
    /// and the resource's asset not isolated.
    function isAuthorized(bytes32 credential, bytes32 resource) external view returns (bool);

    /// @notice The same for a request from an address: all that a gateway has to ask, in one call.
    function isAuthorizedFrom(bytes32 network, bytes32 credential, bytes32 resource) external view returns (bool);
}
