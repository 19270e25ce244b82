"""Draws docs/demo.svg from a real run of `countersign demo`: python scripts/demo_picture.py"""

from __future__ import annotations

import io
import re
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

from responder.view import STYLES

PICTURE = Path(__file__).resolve().parents[1] / "docs" / "demo.svg"
WIDTH, ROWS = 118, 30


def main() -> None:
    """Runs the demo and keeps its beginning and its summary."""
    demo = [sys.executable, "-m", "responder", "demo"]
    done = subprocess.run(demo, capture_output=True, text=True, timeout=300, check=True)
    lines = done.stdout.splitlines()
    table = next(i for i, line in enumerate(lines) if line.startswith("Orders"))
    console = Console(record=True, width=WIDTH, file=io.StringIO())
    for line in [*lines[:ROWS], "", *lines[table:]]:
        words = line.split()
        style = STYLES.get(words[2], "") if len(words) > 2 else ""
        console.print(Text(line[:WIDTH], style=style))
    PICTURE.parent.mkdir(exist_ok=True)
    drawing = console.export_svg(title="countersign demo")
    # Without the web fonts: a picture in a README should fetch nothing.
    PICTURE.write_text(re.sub(r"@font-face \{.*?\}", "", drawing, flags=re.S), "utf-8")


if __name__ == "__main__":
    main()
