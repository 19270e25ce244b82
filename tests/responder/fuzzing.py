"""Coverage-guided fuzzing of one parser: python fuzzing.py FORMAT CORPUS -runs=20000 ...

libFuzzer never returns: it ends the process, with an error where a line did what none may.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import atheris

sys.path.insert(0, str(Path(__file__).parent))

with atheris.instrument_imports(include=["responder.sensors"]):
    from lines import EVENTS, SPOILED, paths, spoiled, survives

    from responder.sensors import parser

FORMAT = sys.argv.pop(1)
READER = parser(FORMAT)


def check(data: bytes) -> None:
    """Either lines of any bytes, or a good event of which some parts are anything."""
    if data.startswith(SPOILED) and FORMAT in EVENTS:
        survives(READER, line(atheris.FuzzedDataProvider(data[len(SPOILED) :])))
        return
    # Headers change what Zeek's parser expects: from one input to the next it must forget them.
    reader = parser(FORMAT) if FORMAT == "zeek" else READER
    for part in data.split(b"\n", 8):
        survives(reader, part)


def line(draw: Any) -> bytes:
    event = EVENTS[FORMAT]
    for _ in range(draw.ConsumeIntInRange(1, 3)):
        event = spoiled(event, draw.PickValueInList(list(paths(event))), value(draw, 2))
    return json.dumps(event).encode()


def value(draw: Any, depth: int) -> Any:
    kind = draw.ConsumeIntInRange(0, 6 if depth else 4)
    if kind == 0:
        return draw.PickValueInList([None, True, False, "", 0, "1e999", "10.0.0.1", "::1%x"])
    if kind == 1:
        return draw.ConsumeUnicodeNoSurrogates(draw.ConsumeIntInRange(0, 300))
    if kind == 2:
        return draw.ConsumeInt(draw.ConsumeIntInRange(1, 10))
    if kind == 3:
        return draw.ConsumeFloat()
    if kind == 4:
        return draw.ConsumeUnicodeNoSurrogates(24)
    inside = [value(draw, depth - 1) for _ in range(draw.ConsumeIntInRange(0, 3))]
    return inside if kind == 5 else {draw.ConsumeUnicodeNoSurrogates(8): part for part in inside}


atheris.Setup(sys.argv, check)
atheris.Fuzz()
