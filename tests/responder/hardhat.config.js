// The second node of tests/responder/nodes.py. It stops at the hard fork that the contracts are
// compiled for, while anvil runs a later one: what passes on both needs nothing newer.
module.exports = {
  solidity: "0.8.37", // never compiled here; without it Hardhat warns
  networks: { hardhat: { hardfork: "cancun" } },
};
