"""Run by Brownie: many calls of the project's scripts in one process, for its start takes long.

    brownie run tests/responder/brownie_calls.py main CALLS.json ANSWERS.json

Each call is a list: the script, the function, its arguments; or `copy` and two folders; or `later`,
and some seconds pass on the chain. Each answer is what it printed, and what it ended with or null.
"""

from __future__ import annotations

import io
import json
import shutil
from contextlib import redirect_stdout
from pathlib import Path

from brownie import run, web3


def main(calls: str, answers: str) -> None:
    made = [_call(*call) for call in json.loads(Path(calls).read_text())]
    Path(answers).write_text(json.dumps(made))


def _call(script: str, function: str, *args: str) -> tuple[str, str | None]:
    printed = io.StringIO()
    try:
        with redirect_stdout(printed):
            if script == "copy":
                shutil.copytree(function, *args, dirs_exist_ok=True)
            elif script == "later":
                for method, params in (("evm_increaseTime", [int(function)]), ("evm_mine", [])):
                    web3.provider.make_request(method, params)
            else:
                run(script, function, args)
    except SystemExit as end:
        return printed.getvalue(), str(end)
    except Exception as error:  # that the test may say which call it was
        return printed.getvalue(), repr(error)
    return printed.getvalue(), None
