// The second node of tests/responder/nodes.py. It stops at the hard fork that the contracts are
// compiled for, while anvil runs its newest: neither more nor less is needed than both have.
module.exports = {
  solidity: "0.8.37", // never compiled here; without it Hardhat warns
  networks: { hardhat: { hardfork: "cancun" } },
};
