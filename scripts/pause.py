"""Stops a gate, and lets it go on.

    scripts/brownie run pause main MANIFEST.json GUARDIAN [yes]
    scripts/brownie run pause sign MANIFEST.json FOLDER OPERATOR... [yes]
    scripts/brownie run pause resume MANIFEST.json FOLDER ACCOUNT [yes]

Any guardian pauses, at once: nothing is proposed or executed until as many operators as the limits
say have signed. Their signatures lie in a folder, a file each; operators on other machines sign
into folders of their own and send the files. Any account may then resume with them. What is live
stays so, meanwhile.
"""

from __future__ import annotations

from responder.errors import Permanent
from scripts.administer import Gate, ask, plain_errors, split_answer


def main(manifest: str, account: str, answer: str = "") -> None:
    with plain_errors():
        gate = Gate(manifest)
        if gate.ledger.paused:
            print(f"The gate is paused already, by pause {gate.ledger.pauses}.")
            return
        live = len(gate.ledger.containment(gate.now))
        ask(
            [
                f"Pauses the gate {gate.manifest.gate}: nothing is proposed or executed any more.",
                f"{live} orders stay live. {gate.ledger.limits.release_quorum} operators resume.",
            ],
            answer,
        )
        gate.send(account, "pause")
        print("Paused.")


def sign(manifest: str, folder: str, *args: str) -> None:
    with plain_errors():
        who, answer = split_answer(args)
        gate = Gate(manifest)
        pause = _pause(gate)
        ask([f"Signs as {', '.join(who)} that pause {pause} of {gate.manifest.gate} ends."], answer)
        gate.sign(pause, folder, who)
        print(f"{len(gate.signatures(pause, folder))} of {_needed(gate)} signatures in {folder}.")


def resume(manifest: str, folder: str, account: str, answer: str = "") -> None:
    with plain_errors():
        gate = Gate(manifest)
        if not gate.ledger.paused:
            print("The gate is not paused.")
            return
        pause = _pause(gate)
        signatures = gate.signatures(pause, folder)
        if len(signatures) < _needed(gate):
            raise Permanent(
                f"{len(signatures)} of {_needed(gate)} operators signed in {folder}; see "
                "`pause sign`"
            )
        signers = ", ".join(who for who, _ in signatures)
        ask([f"Ends pause {pause} of {gate.manifest.gate}, signed by {signers}."], answer)
        gate.send(account, "resume", signatures)
        print("Resumed.")


def _pause(gate: Gate) -> int:
    if not gate.ledger.paused:
        raise Permanent("the gate is not paused")
    return gate.ledger.pauses


def _needed(gate: Gate) -> int:
    return gate.ledger.limits.release_quorum
