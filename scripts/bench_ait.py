"""How well recorded attacks are answered, by their ground truth: `make bench-ait`.

Each scenario of the AIT alert data set is replayed with untouched defaults as it was recorded, with
the alerts of scans taken out (stealth), and with all names and addresses dealt out anew; beside
naive Bayes, which learns from the other scenarios' labels. Suricata's alerts of CPTC 2017 tell
which addresses would be blocked. No label reaches a replay. What is counted as what:
`replay_scores`.

Example: python scripts/bench_ait.py --policy default --json
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import json
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import ait
import orjson
import yaml
from peers import naive_bayes
from replay_scores import Decision, Score, Truth, blocks, score
from rich.console import Console
from rich.table import Table

from policies.inventory import Asset, Inventory
from responder.importing import read_inventory

ROOT = Path(__file__).resolve().parent.parent
VARIANTS = ("recorded", "stealth", "renamed")
CPTC = "cptc2017_team5_eve.ndjson.gz"
CPTC_ATTACKERS = frozenset(f"10.0.254.{last}" for last in range(30, 36))
CPTC_RED_TEAM = ip_network("10.0.254.0/24")  # where they, their helpers and the organisers sit
ASKED_LEAD = 60.0  # seconds before the step to root
RENAMING_SEED = 1


@dataclass(frozen=True)
class Scenario:
    """A recording, ready to be replayed and scored."""

    name: str
    truth: Truth
    renaming: ait.Renaming
    alerts: dict[str, Path]  # by variant, as are the rest
    inventories: dict[str, Path]
    cases: dict[str, naive_bayes.Case]  # those the peer learns from


@dataclass(frozen=True)
class Replayed:
    """What `countersign replay` wrote, and how long it took."""

    lines: tuple[dict[str, Any], ...]
    seconds: float

    @property
    def decisions(self) -> list[Decision]:
        return [Decision(line["time"], line["kind"], line["target"]) for line in self.lines]


def prepare(name: str, data: Path, windows: ait.Windows, folder: Path) -> Scenario:
    """Reads a scenario and writes what is replayed of it."""
    rows = ait.load(data / f"{name}_alerts.csv.xz")
    stealthy = [row for row in rows if row.event not in ait.RECONNAISSANCE]
    site = read_inventory(data / f"{name}_servers.yaml", "kyoushi").inventory
    renaming = ait.Renaming.draw(site, RENAMING_SEED)
    truth = ait.truth(rows, windows)  # of all that happened, for stealth too
    alerts = {variant: folder / f"{name}-{variant}.csv" for variant in VARIANTS}
    ait.write(rows, alerts["recorded"])
    ait.write(stealthy, alerts["stealth"])
    ait.write(map(renaming.row, rows), alerts["renamed"])
    own = save(site, folder / f"{name}.yaml")
    renamed = save(renaming.site(site), folder / f"{name}-renamed.yaml")
    cases = {
        "recorded": naive_bayes.case(rows, truth),
        "stealth": naive_bayes.case(stealthy, truth),
    }
    inventories = {"recorded": own, "stealth": own, "renamed": renamed}
    return Scenario(name, truth, renaming, alerts, inventories, cases)


def save(site: Inventory, path: Path) -> Path:
    path.write_text(yaml.safe_dump(site.to_mapping()), "utf-8")
    return path


def replay(alerts: Path, inventory: Path, format: str, policy: str | None) -> Replayed:
    """`countersign replay` in this process; what it prints goes to stderr."""
    from responder.commands.replay import replay_command

    out = inventory.with_name("decisions.jsonl")
    arguments = [str(alerts), "--inventory", str(inventory), "--format", format, "--out", str(out)]
    arguments += ["--policy", policy] if policy else []
    start = time.perf_counter()
    with contextlib.redirect_stdout(sys.stderr):
        replay_command.main(arguments, standalone_mode=False)
    seconds = time.perf_counter() - start
    return Replayed(tuple(map(orjson.loads, out.read_bytes().splitlines())), seconds)


def same(one: Replayed, other: Replayed, names: ait.Renaming) -> bool:
    """Whether the other's decisions are the one's under the other names; their reasons aside, which
    are for people.
    """

    def bare(replayed: Replayed) -> list[dict[str, Any]]:
        return [{k: v for k, v in line.items() if k != "reasons"} for line in replayed.lines]

    renamed = [{**line, "target": names.names.get(line["target"], "")} for line in bare(one)]
    return renamed == bare(other)


def peer(scenario: Scenario, others: Sequence[Scenario], variant: str) -> Score:
    """Naive Bayes that has learned from the others."""
    model, bar = naive_bayes.train([other.cases[variant] for other in others])
    rising = model.rising(scenario.cases[variant])
    return score(naive_bayes.decisions(rising, bar), scenario.truth)


def bench_scenario(
    scenario: Scenario, others: Sequence[Scenario], policy: str | None
) -> dict[str, Any]:
    done = {}
    for variant in VARIANTS:
        say(f"{scenario.name}, {variant}")
        alerts, inventory = scenario.alerts[variant], scenario.inventories[variant]
        done[variant] = replay(alerts, inventory, "ait", policy)
    return {
        "replay_s": {variant: round(replayed.seconds, 2) for variant, replayed in done.items()},
        "renamed_same": same(done["recorded"], done["renamed"], scenario.renaming),
        **{v: score(done[v].decisions, scenario.truth).to_json() for v in VARIANTS[:2]},
        "naive_bayes": {v: peer(scenario, others, v).to_json() for v in VARIANTS[:2]},
    }


def own_hosts(events: Iterable[dict[str, Any]]) -> Inventory:
    """The hosts of CPTC's defenders: who was spoken to within, and is not the red team."""
    spoken_to = {ip_address(event["dest_ip"]) for event in events if "dest_ip" in event}
    own = sorted(a for a in spoken_to if a.is_private and a not in CPTC_RED_TEAM)
    return Inventory(tuple(Asset(str(a), "default", addresses=(str(a),)) for a in own))


def bench_cptc(alerts: Path, folder: Path, policy: str | None) -> dict[str, Any]:
    say("cptc2017")
    with gzip.open(alerts) as file:
        site = own_hosts(map(orjson.loads, file))
    replayed = replay(alerts, save(site, folder / "cptc.yaml"), "eve", policy)
    found = blocks(replayed.decisions, CPTC_ATTACKERS)
    return {"replay_s": round(replayed.seconds, 2), "assets": len(site.assets), **found}


def asked(scenarios: dict[str, Any], cptc: dict[str, Any]) -> dict[str, Any]:
    """The figures that are asked for, of all there are."""

    def leads(variant: str) -> list[float]:
        given = (s[variant]["before_root_s"] for s in scenarios.values())
        return [lead for lead in given if lead is not None]

    return {
        "scenarios": len(scenarios),
        "isolated_in_time": sum(lead >= ASKED_LEAD for lead in leads("recorded")),
        "false": sum(len(s["recorded"]["false"]) for s in scenarios.values()),
        "most_quiet_per_day": max(s["recorded"]["quiet_per_day"] for s in scenarios.values()),
        "stealth_in_time": sum(lead > 0.0 for lead in leads("stealth")),
        "stealth_false": sum(len(s["stealth"]["false"]) for s in scenarios.values()),
        "renamed_same": all(s["renamed_same"] for s in scenarios.values()),
        "slowest_replay_s": max(max(s["replay_s"].values()) for s in scenarios.values()),
        "cptc_precision": cptc["precision"],
        "cptc_attackers": cptc["attackers_proposed"],
    }


# ---------------------------------------------------------------- what is shown


def table(scenarios: dict[str, Any]) -> Table:
    shown = Table(title="Isolation of the server that is taken over", title_justify="left")
    for column in (
        "scenario",
        "input",
        "by",
        "after first alert",
        "before web shell",
        "before root",
        "false",
        "kept",
        "share isolated",
        "a quiet day",
        "renamed",
    ):
        shown.add_column(column, justify="left" if column in ("scenario", "input") else "right")
    for name, result in scenarios.items():
        for variant in VARIANTS[:2]:
            alike = {True: "same", False: "DIFFERS"}[result["renamed_same"]]
            shown.add_row(name, variant, "Countersign", *figures(result[variant]), alike)
            shown.add_row(name, variant, "naive Bayes", *figures(result["naive_bayes"][variant]))
    return shown


def figures(done: dict[str, Any]) -> list[str]:
    leads = ("after_first_alert_s", "before_web_shell_s", "before_root_s")
    kinds = ", ".join(f"{n} {kind}" for kind, n in done["quiet"].items())
    while_leaking = "in window" if done["share_in_window"] else "while leaking"
    return [
        *("-" if done[lead] is None else f"{done[lead]:,.0f} s" for lead in leads),
        ", ".join(f"{target} h {at:g}" for at, target, _ in done["false"]) or "0",
        str(done["kept"]),
        while_leaking if done["share_while_leaking"] or done["share_in_window"] else "no",
        f"{done['quiet_per_day']:.2f}" + (f" ({kinds})" if kinds else ""),
    ]


def say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--policy", help="of the replay, instead of its default")
    parser.add_argument("--json", action="store_true", help="end with one JSON object")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    given = parser.parse_args()
    recordings = given.data / "ait-ads"
    windows = ait.windows(recordings / "attack_windows.csv")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        all_of_them = []
        for name in windows:
            say(f"{name}: reading")
            all_of_them.append(prepare(name, recordings, windows[name], folder))
        scenarios = {
            one.name: bench_scenario(one, [s for s in all_of_them if s is not one], given.policy)
            for one in all_of_them
        }
        cptc = bench_cptc(given.data / "alerts" / CPTC, folder, given.policy)
    wanted = asked(scenarios, cptc)
    console = Console(width=180)
    console.print(table(scenarios))
    console.print("CPTC 2017:", cptc)
    console.print("asked for:", wanted)
    if given.json:
        result = {"policy": given.policy, "asked": wanted, "scenarios": scenarios, "cptc": cptc}
        print(json.dumps(result))


if __name__ == "__main__":
    main()
