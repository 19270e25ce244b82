"""The operators' commands against a real site."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from calling import bad, call, good
from click.testing import CliRunner
from eth_account import Account
from world import OPERATORS, World

from policies.actions import Kind
from responder.approvals import Inbox, new_key
from responder.chain.proposal import Proposal
from responder.chain.records import Status
from responder.cli import main
from responder.evidence import EvidenceStore


@pytest.fixture
def proposal(world: World) -> Proposal:
    alert = {"time": 1.0, "sensor": "suricata", "type": "1", "title": "a web shell"}
    bundle = {"alerts": [alert], "reasons": ["8 surprising types"]}
    return world.propose(evidence=EvidenceStore(world.settings.evidence).put(bundle))


# ---------------------------------------------------------------- looking


def test_pending_lists_what_waits(world: World, proposal: Proposal) -> None:
    world.order(target="db")
    assert len(json.loads(good(world, "pending", "--json"))) == 1
    [record] = json.loads(good(world, "pending", "--json"))
    assert (record["id"], record["status"]) == (world.id(proposal).hex(), "PENDING")
    assert (record["kind"], record["target"], record["zone"]) == ("ISOLATE", "web", "dmz")
    assert (record["approvals"], record["needed"], record["until"]) == ([], 2, None)
    assert len(json.loads(good(world, "pending", "--json", "--all"))) == 2
    shown = good(world, "pending")
    assert world.id(proposal).hex()[:12] in shown and "0 of 2" in shown


def test_pending_says_when_nothing_waits(world: World) -> None:
    assert "Nothing waits for approval." in good(world, "pending")
    assert json.loads(good(world, "pending", "--json")) == []


def test_show_has_every_signed_field_the_reasons_and_the_history(
    world: World, proposal: Proposal
) -> None:
    case = world.id(proposal).hex()
    world.gate("operator-1").approve(proposal)
    shown = good(world, "show", case[:8], env={"COLUMNS": "200"})
    for field in (
        case,
        "ISOLATE",
        "web",
        "dmz",
        "600 s (10 min)",
        proposal.model.hex(),
        proposal.evidence.hex(),
        proposal.agent,
        str(proposal.deadline),
        world.gate().domain.gate,
        "8 surprising types",
        "suricata: a web shell",
        "Status: PENDING, 1 of 2",
        f"approved by {world.address('operator-1')}",
    ):
        assert field in shown, field
    record = json.loads(good(world, "show", case, "--json"))
    assert record["evidence_bundle"]["reasons"] == ["8 surprising types"]


def test_show_tells_what_a_model_expects_and_nothing_of_a_playbook(
    world: World, proposal: Proposal
) -> None:
    expects = "What the model expects:"
    assert expects not in good(world, "show", world.id(proposal).hex())
    why = {
        "gain": 9.0,
        "chance": 0.78,
        "gain_if_right": 12.0,
        "gain_if_wrong": -5.0,
        "runner_up": {"verb": "ORDER", "kind": "ISOLATE", "target": "d\x1b[2Jb"},
        "runner_up_gain": 6.0,
        "columns": [["evidence_spread", 0.5, 6.0]],
    }
    bundle = {"alerts": [], "reasons": ["8 surprising types"], "explanation": why}
    explained = world.propose(evidence=EvidenceStore(world.settings.evidence).put(bundle))
    case = world.id(explained).hex()
    for command in (["show", case], ["approve", case, "--as", "operator-1", "--yes"]):
        shown = good(world, *command, env={"COLUMNS": "200"})
        assert expects in shown
        assert "  - 78% likely to be right; if so, waiting costs about 48 min of one" in shown
        assert "  - speaks for it: alerts of spread" in shown
        assert "  - next best: ISOLATE d\N{REPLACEMENT CHARACTER}[2Jb, about 12 min" in shown


def test_show_warns_when_the_evidence_is_not_here_or_altered(
    world: World, proposal: Proposal
) -> None:
    path = world.settings.evidence / f"{proposal.evidence.hex()}.json"
    path.write_bytes(path.read_bytes().replace(b"8", b"1"))
    assert "do not sign blindly" in good(world, "show", world.id(proposal).hex())
    path.unlink()
    assert "do not sign blindly" in good(world, "show", world.id(proposal).hex())


def test_names_cannot_pass_for_markup(world: World) -> None:
    world.register("web[/][conceal]", "[red]dmz", 1, False)
    case = world.id(world.propose(target="web[/][conceal]")).hex()
    for command in (["show", case], ["pending"]):
        assert "web[/][conceal]" in good(world, *command, env={"COLUMNS": "200"})


@pytest.mark.parametrize(
    "command",
    [["show"], ["approve", "--as", "operator-1", "--yes"], ["veto", "--as", "guardian", "--yes"]],
)
def test_a_wrong_id_says_where_ids_are(world: World, command: list[str]) -> None:
    said = bad(world, command[0], "0badc0de", *command[1:])
    assert "no proposal has an id starting with '0badc0de'; see `countersign pending --all`" in said


# ---------------------------------------------------------------- signing


def test_approve_puts_a_signature_that_counts_into_the_inbox(
    world: World, proposal: Proposal
) -> None:
    case = world.id(proposal).hex()
    said = good(world, "approve", case, "--as", "operator-1", "--yes")
    assert "the responder carries it to the gate" in said
    [slip] = Inbox(world.settings.inbox).slips()
    world.gate("relayer").approve_by_sig(proposal, [(slip.operator, slip.signature_bytes)])
    assert list(world.case(proposal).approvals) == [world.address("operator-1")]


def test_reject_by_two_ends_a_proposal(world: World, proposal: Proposal) -> None:
    for name in ("operator-1", "operator-2"):
        good(world, "reject", world.id(proposal).hex(), "--as", name, "--yes")
    slips = Inbox(world.settings.inbox).slips()
    signatures = [(s.operator, s.signature_bytes) for s in slips]
    world.gate("relayer").reject_by_sig(proposal, signatures)
    assert world.status(proposal) is Status.REJECTED


def test_release_by_two_ends_an_order(world: World) -> None:
    order = world.order()
    for name in ("operator-1", "operator-2"):
        good(world, "release", world.id(order).hex(), "--as", name, "--yes")
    slips = Inbox(world.settings.inbox).slips()
    world.gate("relayer").release(order, [(s.operator, s.signature_bytes) for s in slips])
    assert world.status(order) is Status.RELEASED


def test_direct_sends_the_operators_own_transaction(world: World, proposal: Proposal) -> None:
    case = world.id(proposal).hex()
    assert "Sent." in good(world, "approve", case, "--as", "operator-1", "--yes", "--direct")
    good(world, "reject", case, "--as", "operator-2", "--yes", "--direct")
    found = world.case(proposal)
    assert list(found.approvals) == [world.address("operator-1")]
    assert list(found.rejections) == [world.address("operator-2")]


def test_veto_stops_at_once(world: World, proposal: Proposal) -> None:
    good(world, "veto", world.id(proposal).hex(), "--as", "guardian", "--yes")
    assert world.status(proposal) is Status.VETOED


@pytest.mark.parametrize("command", ["approve", "reject", "veto"])
def test_without_a_yes_nothing_is_signed(world: World, proposal: Proposal, command: str) -> None:
    who = "guardian" if command == "veto" else "operator-1"
    result = call(world, command, world.id(proposal).hex(), "--as", who, input="n\n")
    assert result.exit_code == 1
    assert "What you sign" in result.output
    assert Inbox(world.settings.inbox).slips() == []
    assert world.status(proposal) is Status.PENDING


@pytest.mark.parametrize(
    ("command", "who", "said"),
    [
        ("approve", "stranger", "is not a current operator of this gate"),
        ("approve", "agent", "is not a current operator of this gate"),
        ("approve", "guardian", "is not a current operator of this gate"),
        ("reject", "agent", "is not a current operator of this gate"),
        ("veto", "operator-1", "is not a guardian; ask one, or reject as an operator"),
        ("approve", "nobody", "no keystore at nobody; `countersign key new` makes one"),
    ],
)
def test_whoever_may_not_is_told_so(
    world: World, proposal: Proposal, command: str, who: str, said: str
) -> None:
    case = world.id(proposal).hex()
    assert said in bad(world, command, case, "--as", who, "--yes", input="x\n")
    assert Inbox(world.settings.inbox).slips() == []


def test_a_person_is_asked_for_the_password(
    world: World, proposal: Proposal, tmp_path: Path
) -> None:
    address = new_key(tmp_path / "alice.json", "open sesame")
    world.govern("setRoles", address, 2, 0)
    case, who = world.id(proposal).hex(), str(tmp_path / "alice.json")
    assert "wrong password?" in bad(world, "approve", case, "--as", who, "--yes", input="no\n")
    assert Inbox(world.settings.inbox).slips() == []
    said = good(world, "approve", case, "--as", who, "--yes", input="open sesame\n")
    assert "open sesame" not in said
    (tmp_path / "word").write_text("open sesame\n")
    good(world, "approve", case, "--as", who, "--yes", "--password-file", str(tmp_path / "word"))
    assert [slip.operator for slip in Inbox(world.settings.inbox).slips()] == [address]


def test_an_undecryptable_keystore_is_named(
    world: World, proposal: Proposal, tmp_path: Path
) -> None:
    keystore = Account.encrypt(Account.create().key, "x", kdf="pbkdf2", iterations=1)
    keystore["crypto"]["mac"] = "00" * 32
    (tmp_path / "broken.json").write_text(json.dumps(keystore))
    said = bad(
        world,
        "approve",
        world.id(proposal).hex(),
        "--as",
        str(tmp_path / "broken.json"),
        "--yes",
        input="x\n",
    )
    assert "cannot decrypt" in said


@pytest.mark.parametrize(("command", "status"), [("approve", "LIVE"), ("reject", "LIVE")])
def test_what_is_decided_is_not_signed(world: World, command: str, status: str) -> None:
    order = world.order()
    said = bad(world, command, world.id(order).hex(), "--as", "operator-3", "--yes")
    assert f"the proposal is {status}; there is nothing left to sign" in said


def test_what_is_not_live_is_not_released(world: World, proposal: Proposal) -> None:
    case = world.id(proposal).hex()
    said = bad(world, "release", case, "--as", "operator-1", "--yes")
    assert "the proposal is PENDING; there is nothing left to sign" in said


def test_a_veto_too_late_is_the_gates_no(world: World) -> None:
    order = world.order()
    said = bad(world, "veto", world.id(order).hex(), "--as", "guardian", "--yes")
    assert "the gate refused veto: GateWrongStatus" in said


def test_withdrawing_takes_a_vote_back_for_good(world: World, proposal: Proposal) -> None:
    case = world.id(proposal).hex()
    world.gate("operator-1").approve(proposal)
    said = good(world, "withdraw", case, "--as", "operator-1", "--yes")
    assert "nor can you vote on it again" in said
    assert world.case(proposal).approvals == {}
    again = bad(world, "approve", case, "--as", "operator-1", "--yes")
    assert "withdrew from this proposal; ask another operator" in again
    [record] = json.loads(good(world, "pending", "--json"))
    assert record["withdrawn"] == [world.address("operator-1")]
    assert f"withdrawn by {world.address('operator-1')}" in good(world, "show", case)


def test_what_is_decided_is_not_withdrawn_from(world: World) -> None:
    order = world.order()
    said = bad(world, "withdraw", world.id(order).hex(), "--as", "operator-1", "--yes")
    assert "the proposal is LIVE; there is nothing left to decide" in said


# ---------------------------------------------------------------- delays and groups


def test_what_waits_for_a_delay_or_a_group_is_shown_so(world: World) -> None:
    world.rule(Kind.ISOLATE, 1, leasable=False, delay=300)
    world.rule(Kind.ISOLATE, 2, groups=2)
    waiting, lacking = world.propose(wait=900), world.propose(target="db", wait=900)
    for proposal in (waiting, lacking):
        world.vote("Approval", proposal, *OPERATORS[:2])
    found = {r["target"]: r for r in json.loads(good(world, "pending", "--json"))}
    assert (found["web"]["status"], found["web"]["delay"]) == ("WAITING", 300)
    assert found["web"]["executes_from"] == world.case(waiting).approved_at + 300
    assert (found["db"]["status"], found["db"]["groups_missing"]) == ("PENDING", [1])
    assert found["db"]["executes_from"] is None
    shown = good(world, "pending", env={"COLUMNS": "200"})
    assert "2 of 2, none of group 1" in shown and "WAITING 29" in shown


# ---------------------------------------------------------------- lease


def test_a_lease_is_granted_shown_and_ended(world: World) -> None:
    assert "No lease is live" in good(world, "lease", "show")
    people = ["--as", "operator-1", "--as", "operator-2"]
    good(world, "lease", "grant", *people, "--blocks", "3", "--hours", "1", "--yes")
    shown = json.loads(good(world, "lease", "show", "--json"))
    assert (shown["budgets"], shown["spent"]) == ([3, 0, 0], [0, 0, 0])
    good(world, "lease", "end", "--as", "guardian")
    assert json.loads(good(world, "lease", "show", "--json")) is None


def test_one_operator_cannot_grant_a_lease(world: World) -> None:
    said = bad(world, "lease", "grant", "--as", "operator-1", "--blocks", "3", "--yes")
    assert "GateQuorumNotMet(got=1, needed=2)" in said


# ---------------------------------------------------------------- audit


def test_audit_verify_says_ok_and_counts(world: World) -> None:
    world.order()
    record = json.loads(good(world, "audit", "verify", "--json", "--chain-only"))
    assert (record["audit"], record["orders"], record["signatures"]) == (
        "ok",
        1,
        2 + 6,
    )  # two models, by three
    assert "ok" in good(world, "audit", "verify", "--chain-only")


def test_audit_verify_names_the_first_fault_and_fails(world: World, proposal: Proposal) -> None:
    (world.settings.evidence / f"{proposal.evidence.hex()}.json").unlink()
    result = call(world, "audit", "verify", "--json")
    assert result.exit_code == 1
    record = json.loads(result.output)
    assert record["audit"] == "failed"
    assert "Proposed" in record["first"] and proposal.evidence.hex() in record["first"]
    assert "audit failed: Proposed" in bad(world, "audit", "verify")


# ---------------------------------------------------------------- no site, no chain


def test_without_a_site_the_way_to_one_is_said(tmp_path: Path) -> None:
    for command in (["pending"], ["show", "ab"], ["audit", "verify"], ["run"]):
        result = CliRunner().invoke(main, [*command, "--home", str(tmp_path)])
        assert result.exit_code == 1
        assert "no settings at" in result.output and "countersign up" in result.output


def test_without_a_chain_the_node_is_asked_about(world: World) -> None:
    from dataclasses import replace

    replace(world.settings, rpc="http://127.0.0.1:9").dump()
    assert "cannot reach the chain at http://127.0.0.1:9; is the node running?" in bad(
        world, "pending"
    )


def test_a_manifest_of_another_chain_is_refused(world: World, tmp_path: Path) -> None:
    from dataclasses import replace

    stored = json.loads(world.settings.manifest.read_text())
    other = tmp_path / "other.json"
    other.write_text(json.dumps({**stored, "chain_id": 1}))
    replace(world.settings, manifest=other).dump()
    assert "is chain 31337, the manifest says 1" in bad(world, "pending")
    parts = stored["parts"]
    gate = {**parts["Gate"], "address": world.address("stranger")}
    other.write_text(json.dumps({**stored, "parts": {**parts, "Gate": gate}}))
    assert "no gate at" in bad(world, "pending")


def test_a_block_shows_its_network(world: World) -> None:
    world.propose(Kind.BLOCK, "2001:db8::/48")
    [record] = json.loads(good(world, "pending", "--json"))
    assert record["target"] == "2001:0db8:0000:0000:0000:0000:0000:0000/48"
