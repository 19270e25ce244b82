"""The chain as the live side sees it: devnet, deployment, client, and the ledger folded from its
events.
"""
