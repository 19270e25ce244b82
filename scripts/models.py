"""Activates the models whose proposals a gate takes, and deactivates them.

    scripts/brownie run models sign MANIFEST.json MODEL FOLDER OPERATOR... [yes]
    scripts/brownie run models activate MANIFEST.json MODEL FOLDER ACCOUNT [yes]
    scripts/brownie run models deactivate MANIFEST.json MODEL GUARDIAN [yes]

MODEL is a model's folder or the name of a shipped one: every operator signs the hash of the model
on his own machine. Signatures lie in a folder, a file each, and count for a day. An operator on
another machine signs with the first one's file in his folder, so that both sign the same day's end,
and sends his own file back. Any account may then activate with them. To deactivate, MODEL may also
be a hash; any guardian may, at once.
"""

from __future__ import annotations

from pathlib import Path

from responder.approvals import Activation, Inbox
from responder.errors import Permanent
from responder.policy import card_hash, load_policy
from scripts.administer import Gate, ask, plain_errors, split_answer

_DAY = 86_400


def sign(manifest: str, model: str, folder: str, *args: str) -> None:
    with plain_errors():
        who, answer = split_answer(args)
        gate = Gate(manifest)
        if _is_active(gate, model):
            print(f"{model} is active already.")
            return
        terms = _terms(gate, model, folder)
        if terms is None:
            entry = gate.ledger.models.get(load_policy(model).hash)
            deadline = gate.now + min(_DAY, gate.ledger.limits.max_lease)
            revision = entry.revision + 1 if entry else 1
            terms = Activation(load_policy(model).hash, card_hash(model), revision, deadline)
        ask([f"Signs as {', '.join(who)}:", *_describe(terms)], answer)
        gate.sign(terms, folder, who)
        print(f"{len(gate.signatures(terms, folder))} of {_needed(gate)} signatures in {folder}.")


def activate(manifest: str, model: str, folder: str, account: str, answer: str = "") -> None:
    with plain_errors():
        gate = Gate(manifest)
        if _is_active(gate, model):
            print(f"{model} is active already.")
            return
        terms = _terms(gate, model, folder)
        signatures = gate.signatures(terms, folder) if terms else []
        if terms is None or len(signatures) < _needed(gate):
            raise Permanent(
                f"{len(signatures)} of {_needed(gate)} operators signed in {folder}; see "
                "`models sign`"
            )
        signers = ", ".join(who for who, _ in signatures)
        ask([f"Activates, signed by {signers}:", *_describe(terms)], answer)
        values = (terms.model, terms.card, terms.revision, terms.deadline, signatures)
        gate.send(account, "activateModel", *values)
        print("Active.")


def deactivate(manifest: str, model: str, account: str, answer: str = "") -> None:
    with plain_errors():
        gate = Gate(manifest)
        digits = model.removeprefix("0x")
        hashed = bytes.fromhex(digits) if len(digits) == 64 else load_policy(model).hash
        if not gate.ledger.is_active(hashed):
            print(f"{model} is not active.")
            return
        ask([f"Deactivates model 0x{hashed.hex()} on {gate.manifest.gate}."], answer)
        gate.send(account, "deactivateModel", hashed)
        print("Deactivated.")


def _is_active(gate: Gate, model: str) -> bool:
    entry = gate.ledger.models.get(load_policy(model).hash)
    return entry is not None and entry.active and entry.card == card_hash(model)


def _terms(gate: Gate, model: str, folder: str) -> Activation | None:
    """What most have signed of this model in the folder, as far as it can still count."""
    wanted = (load_policy(model).hash, card_hash(model))
    entry = gate.ledger.models.get(wanted[0])
    revision = entry.revision + 1 if entry else 1
    found = [
        terms
        for slip in Inbox(Path(folder)).slips()
        if isinstance(terms := slip.about(), Activation)
        and (terms.model, terms.card, terms.revision) == (*wanted, revision)
        and terms.deadline > gate.now
    ]
    return max(found, key=lambda terms: len(gate.signatures(terms, folder)), default=None)


def _describe(terms: Activation) -> list[str]:
    return [
        f"  model 0x{terms.model.hex()}",
        f"  card 0x{terms.card.hex()}",
        f"  revision {terms.revision}, to be on the chain by {terms.deadline} (Unix seconds)",
    ]


def _needed(gate: Gate) -> int:
    return gate.ledger.limits.model_quorum
