"""Coverage-guided fuzzing of every parser, from real lines on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from itertools import islice
from pathlib import Path

import pytest
from lines import ALL_FORMATS, EVENTS, SPOILED, TEXTS

from responder.sensors import recorded_lines

RUNS = 100_000  # of each parser; a bound on time would find more or less each time
SEEDS = {
    "eve": ["alerts/cptc2017_team5_eve.ndjson.gz", "alerts/slips_test6_malicious_eve.json.gz"],
    "wazuh": ["alerts/ait_wazuh_attack_lines.ndjson", "alerts/ait_wazuh_no_attack_lines.ndjson"],
    "ait": ["ait-ads/russellmitchell_alerts.csv.xz"],
    "zeek": ["alerts/wrccdc2018_zeek_notice.json.gz", "alerts/ctu_sme11_conn.log.labeled.gz"],
}
ROOT = Path(__file__).resolve().parents[2]


def seeds(format: str, data: Path) -> list[bytes]:
    known = []
    if format in EVENTS:
        known = [json.dumps(EVENTS[format]).encode(), SPOILED + bytes(range(200))]
    if format in TEXTS:
        known += [*TEXTS[format], b"\n".join(TEXTS[format])]
    for name in SEEDS.get(format, []):
        lines = list(islice(recorded_lines(data / name), 0, 200, 10))
        known += [*lines, b"\n".join(lines[:8])]
    return known


@pytest.mark.slow
@pytest.mark.parametrize("format", ALL_FORMATS, ids=lambda format: Path(format).name)
def test_no_input_gets_through(format: str, shared_data: Path, tmp_path: Path) -> None:
    if find_spec("atheris") is None:
        message = "atheris is missing: it is one of the development dependencies"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
    for number, seed in enumerate(seeds(format, shared_data)):
        (tmp_path / f"{number}").write_bytes(seed)
    command = [
        *(sys.executable, str(Path(__file__).with_name("fuzzing.py")), format, str(tmp_path)),
        *(f"-runs={RUNS}", "-seed=1", "-max_len=8192", "-rss_limit_mb=2048", "-timeout=20"),
        f"-artifact_prefix={tmp_path}/found-",
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said[-4000:]
    assert f"Done {RUNS} runs" in said
