"""Writes rl_env/PARAMETERS.md, the table of all parameters of the simulator; a test keeps it equal.

python scripts/write_parameters.py
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from rl_env.scenario import Scenario  # noqa: E402

FILE = ROOT / "rl_env" / "PARAMETERS.md"
_HEAD = """# Parameters of the simulator

Written by `python scripts/write_parameters.py`. A scenario's YAML may set any of them; what it
leaves out keeps its default. Two numbers are the ends of what an episode draws from. "judgement"
means that nobody measured it: vary it.

| parameter | default | unit | bounds | drawn | what it is | source |
|---|---|---|---|---|---|---|
"""


def document() -> str:
    """The whole file."""
    lines = (" | ".join(_cell(value) for value in row) for row in Scenario.table())
    return _HEAD + "".join(f"| {line} |\n" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|") or "-"


if __name__ == "__main__":
    FILE.write_text(document(), encoding="utf-8")
