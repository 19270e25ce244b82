// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @notice What an action does. D3FEND: BLOCK is D3-NTF, ISOLATE is D3-NI, REVOKE is D3-CR.
enum Kind {
    BLOCK,
    ISOLATE,
    REVOKE
}

/// @title Who and what exists, and which rules hold for it
/// @notice Names are hashed, not copied: the key of an asset, a credential or a zone is `keccak256(bytes(name))`, which is
/// also how EIP-712 encodes that string. So an operator's wallet shows the name and the contract compares one word.
///
/// A network is a key of another form, packed as `family (8 bits, 4 or 6) << 136 | prefix length (8 bits) << 128 | address
/// (128 bits, host bits zero, an IPv4 address in the low 32)`.
interface IRegistry {
    // ============ Structs ============

    struct Asset {
        bytes32 zone; // keccak256 of the zone's name
        uint8 criticality; // 0 low, 1 medium, 2 high, 3 critical
        bool known;
        bool isProtected;
    }

    struct Credential {
        uint8 criticality;
        bool known;
        bool isProtected;
    }

    /// @notice One cell of the guardrail table (kind x criticality).
    struct Rule {
        bool allowed; // false: always refused
        bool leasable; // a live lease may stand in for the approvals
        uint8 quorum; // M: distinct current operators needed without a lease, at least 1 where allowed
        uint32 maxTtl; // seconds
        uint32 budget; // proposals per agent and window in this cell, at most 4,095
    }

    struct Limits {
        uint32 window; // seconds; budgets count within [k * window, (k + 1) * window) of block time
        uint32 maxPending; // seconds a proposal may wait for approval at most
        uint8 leaseQuorum; // operators who must sign a lease
        uint8 releaseQuorum; // operators who must sign a release
        uint32 maxLease; // seconds a lease may last at most
    }

    // ============ Events ============

    event RolesSet(address indexed account, uint8 roles);
    event AssetSet(bytes32 indexed key, string id, string zone, uint8 criticality, bool isProtected);
    event CredentialSet(bytes32 indexed key, string id, uint8 criticality, bool isProtected);
    event NetworkProtected(bytes32 indexed network, bool isProtected);
    event ModelSet(bytes32 indexed model, bytes32 card, bool active);
    event RuleSet(Kind indexed kind, uint8 indexed criticality, Rule rule);
    event LimitsSet(Limits limits);

    // ============ Errors ============

    /// @notice An agent may hold no other role: whoever proposes never approves.
    error RegistryAgentMustBeAlone(address account, uint8 roles);
    error RegistryBadRoles(uint8 roles);
    error RegistryBadCriticality(uint8 criticality);
    error RegistryBadName();
    error RegistryBadNetwork(bytes32 network);
    error RegistryBadRule(Kind kind, uint8 criticality);
    error RegistryBadLimits();
    /// @notice Of one family.
    error RegistryTooManyNetworks(uint256 count, uint256 maximum);
    /// @notice Every account that ever was an operator keeps its place, so that old votes are never taken for another's.
    error RegistryTooManyOperators(uint256 maximum);
    /// @notice The authority is fixed at deployment; governance changes inside the AccessManager.
    error RegistryAuthorityFixed();

    // ============ Governance (OpenZeppelin AccessManager, with delay) ============

    /// @notice Sets the roles of `account`: bit 0 agent, bit 1 operator, bit 2 guardian, bit 3 enforcer.
    function setRoles(address account, uint8 roles) external;

    function setAsset(string calldata id, string calldata zone, uint8 criticality, bool isProtected) external;

    function setCredential(string calldata id, uint8 criticality, bool isProtected) external;

    /// @notice No network that overlaps a protected one can be blocked.
    function setProtectedNetwork(bytes32 network, bool isProtected) external;

    /// @param card SHA-256 of the model card.
    function setModel(bytes32 model, bytes32 card, bool active) external;

    function setRule(Kind kind, uint8 criticality, Rule calldata rule) external;

    function setLimits(Limits calldata limits) external;

    // ============ Views ============

    function rolesOf(address account) external view returns (uint8);

    function assetOf(bytes32 key) external view returns (Asset memory);

    function credentialOf(bytes32 key) external view returns (Credential memory);

    function isModelActive(bytes32 model) external view returns (bool);

    function ruleOf(Kind kind, uint8 criticality) external view returns (Rule memory);

    function limits() external view returns (Limits memory);

    function protectedNetworks() external view returns (bytes32[] memory);

    /// @notice Head of the hash chain over every event of this contract.
    /// @dev `head' = keccak256(abi.encode(head, selector of the event, its arguments in order of declaration))`, from zero.
    function auditHead() external view returns (bytes32);
}
