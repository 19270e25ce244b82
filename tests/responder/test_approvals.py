"""Keystores, signatures, and the inbox in which they wait."""

from __future__ import annotations

import json
import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct

from responder.approvals import (
    Activation,
    Inbox,
    Slip,
    keystore_address,
    load_key,
    new_key,
    sign,
    signed_by,
)
from responder.chain.proposal import Domain, message_digest, resume_message
from responder.errors import Permanent

MESSAGE = encode_defunct(text="isolate web")
SLIP = Slip("Approval", "ab" * 32, str(Account.create().address), "11" * 65)


# ---------------------------------------------------------------- keys


def test_a_key_of_a_service_comes_back_without_asking(tmp_path: Path) -> None:
    address = new_key(tmp_path / "agent.json")
    assert load_key(tmp_path / "agent.json").address == address
    assert keystore_address(tmp_path / "agent.json") == address


def test_a_key_of_a_person_needs_his_password(tmp_path: Path) -> None:
    address = new_key(tmp_path / "me.json", "open sesame")
    assert not (tmp_path / "me.password").exists()
    assert load_key(tmp_path / "me.json", "open sesame").address == address
    with pytest.raises(Permanent, match="wrong password"):
        load_key(tmp_path / "me.json", "open")
    with pytest.raises(Permanent, match=r"no password for .*me.json; give one or put it in"):
        load_key(tmp_path / "me.json")


def test_an_existing_key_is_left_as_it_is(tmp_path: Path) -> None:
    first = new_key(tmp_path / "agent.json")
    assert new_key(tmp_path / "agent.json") == first


def test_keys_and_passwords_are_their_owners_alone(tmp_path: Path) -> None:
    new_key(tmp_path / "agent.json")
    for name in ("agent.json", "agent.password"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


def test_no_secret_shows_in_what_may_be_logged(tmp_path: Path) -> None:
    new_key(tmp_path / "agent.json")
    account = load_key(tmp_path / "agent.json")
    secret = account.key.hex()
    password = (tmp_path / "agent.password").read_text()
    for shown in (repr(account), str(account), f"{vars(account)!r}"[:0]):
        assert secret not in shown
    assert secret not in (tmp_path / "agent.json").read_text()
    assert password not in (tmp_path / "agent.json").read_text()


def test_a_missing_keystore_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(Permanent, match="`countersign key new` makes one"):
        load_key(tmp_path / "nobody.json")


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", "null", "\xff", '{"address": 5}', '{"address": "0x12"}', "[" * 50_000],
)
def test_what_is_no_keystore_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "key.json").write_text(content, "latin-1")
    with pytest.raises(Permanent, match="is not a keystore"):
        load_key(tmp_path / "key.json", "x")


@pytest.mark.parametrize(
    "change",
    [
        {"version": 1},
        {"version": "x"},
        {"crypto": None},
        {"crypto": {}},
        {"crypto": {"kdf": "rot13", "cipher": "aes-128-ctr", "kdfparams": {}}},
    ],
)
def test_an_undecryptable_keystore_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    new_key(tmp_path / "key.json")
    stored = json.loads((tmp_path / "key.json").read_text())
    (tmp_path / "key.json").write_text(json.dumps({**stored, **change}))
    with pytest.raises(Permanent, match="cannot decrypt"):
        load_key(tmp_path / "key.json")


# ---------------------------------------------------------------- signatures


@pytest.mark.parametrize(
    "signature", [b"", b"\x00", bytes(65), b"\xff" * 65, bytes(64), b"\xff" * 64, b"\x01" * 66]
)
def test_nonsense_is_nobodys_signature(signature: bytes) -> None:
    assert not signed_by(str(Account.create().address), MESSAGE, signature)


def test_a_signature_is_its_signers_alone() -> None:
    one, other = Account.create(), Account.create()
    signature = sign(one, MESSAGE)
    assert signed_by(str(one.address), MESSAGE, signature)
    assert not signed_by(str(other.address), MESSAGE, signature)
    assert not signed_by(str(one.address), encode_defunct(text="isolate db"), signature)


def test_a_compact_signature_counts_and_its_twin_does_not() -> None:
    account = Account.create()
    raw = sign(account, MESSAGE)
    compact = raw[:32] + (raw[32] | (raw[64] - 27) << 7).to_bytes(1) + raw[33:64]
    assert signed_by(str(account.address), MESSAGE, compact)
    flipped = compact[:32] + (compact[32] ^ 0x80).to_bytes(1) + compact[33:]
    assert not signed_by(str(account.address), MESSAGE, flipped)


# ---------------------------------------------------------------- inbox


def test_slips_wait_in_a_stable_order_until_done(tmp_path: Path) -> None:
    inbox, other = Inbox(tmp_path), replace(SLIP, decision="Rejection")
    inbox.put(other)
    inbox.put(SLIP)
    inbox.put(SLIP)
    assert Inbox(tmp_path).slips() == [SLIP, other]
    inbox.done(SLIP)
    inbox.done(SLIP)
    assert inbox.slips() == [other]


def test_a_refused_slip_is_kept_with_the_reason(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path)
    inbox.put(SLIP)
    inbox.refuse(SLIP, "too late")
    assert inbox.slips() == []
    assert (tmp_path / "refused" / SLIP.name).exists()
    assert (tmp_path / "refused" / f"{SLIP.name}.reason").read_text() == "too late"


TERMS = {"model": "ab" * 32, "card": "cd" * 32, "revision": 1, "deadline": 5}
ACTIVATION = {"decision": "ModelActivation", "terms": TERMS}
DOMAIN = Domain(1, str(Account.create().address))


@pytest.mark.parametrize("terms", [Activation(b"\x01" * 32, b"\x02" * 32, 3, 4), 7])
def test_a_slip_on_terms_comes_back_and_is_signed_over_them(
    tmp_path: Path, terms: Activation | int
) -> None:
    account = Account.create()
    slip = Slip.on(terms, account, DOMAIN)
    Inbox(tmp_path).put(slip)
    [found] = Inbox(tmp_path).slips()
    assert (found, found.about()) == (slip, terms)
    message = terms.message(DOMAIN) if isinstance(terms, Activation) else resume_message(7, DOMAIN)
    assert found.subject == message_digest(message).hex()
    assert signed_by(str(account.address), message, found.signature_bytes)


def content(**changes: object) -> str:
    data = {
        "decision": SLIP.decision,
        "subject": SLIP.subject,
        "operator": SLIP.operator,
        "signature": SLIP.signature,
    }
    return json.dumps({**data, **changes})


BAD = {
    "empty": "",
    "no JSON": "{",
    "no mapping": "[]",
    "deep": "[" * 19_000,
    "too large": content(signature="11" * 20_000),
    "missing": json.dumps({"decision": "Approval"}),
    "extra": content(extra=1),
    "decision": content(decision="Maybe"),
    "decision's type": content(decision=["Approval"]),
    "operator": content(operator="me"),
    "operator's type": content(operator=5),
    "operator unchecked": content(operator=SLIP.operator.lower()),
    "short id": content(subject="ab"),
    "id's type": content(subject=None),
    "no hex": content(signature="zz"),
    "no signature": content(signature=""),
    "another's name": content(subject="cd" * 32),
    "terms of a proposal": content(terms={"pause": 1}),
    "terms' type": content(terms=[1]),
    "no pause": content(decision="Resume"),
    "pause's type": content(decision="Resume", terms={"pause": "1"}),
    "pause's size": content(decision="Resume", terms={"pause": 2**32}),
    "no model": content(decision="ModelActivation", terms={}),
    "short card": content(**{**ACTIVATION, "terms": {**TERMS, "card": "cd"}}),
    "card's type": content(**{**ACTIVATION, "terms": {**TERMS, "card": 5}}),
    "revision's type": content(**{**ACTIVATION, "terms": {**TERMS, "revision": True}}),
    "a deadline below zero": content(**{**ACTIVATION, "terms": {**TERMS, "deadline": -1}}),
}


@pytest.mark.parametrize("case", BAD)
def test_an_unusable_slip_is_set_aside_and_holds_no_other_up(tmp_path: Path, case: str) -> None:
    inbox, good = Inbox(tmp_path), replace(SLIP, decision="Release")
    inbox.put(good)
    (tmp_path / SLIP.name).write_text(BAD[case], "utf-8")
    assert inbox.slips() == [good]
    assert (tmp_path / "refused" / SLIP.name).exists()
    reason = (tmp_path / "refused" / f"{SLIP.name}.reason").read_text()
    assert reason.startswith(f"{SLIP.name} is not a signed decision: ")
    assert inbox.slips() == [good]


def test_what_is_no_file_is_set_aside_unopened(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path)
    (tmp_path / "folder.json").mkdir()
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "link.json").symlink_to("/dev/zero")
    assert inbox.slips() == []
    assert len(list((tmp_path / "refused").glob("*.reason"))) == 3
