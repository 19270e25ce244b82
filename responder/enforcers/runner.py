"""Running programs: lists of arguments only, never a shell."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from responder.errors import Permanent, Temporary

__all__ = ["Completed", "RecordingRunner", "Runner", "SubprocessRunner"]


@dataclass(frozen=True, slots=True)
class Completed:
    """How a program ended."""

    status: int = 0
    output: bytes = b""
    errors: bytes = b""


class Runner(Protocol):
    """Runs one program to its end."""

    def run(self, argv: Sequence[str], stdin: bytes = b"") -> Completed:
        """Raises Permanent where there is no such program, Temporary when it does not end."""
        ...


class SubprocessRunner:
    """Runs real programs, each behind `prefix`, e.g. `("ip", "netns", "exec", NAME)`."""

    def __init__(self, prefix: Sequence[str] = (), timeout: float = 10.0) -> None:
        self._prefix = tuple(prefix)
        self._timeout = timeout  # seconds

    def run(self, argv: Sequence[str], stdin: bytes = b"") -> Completed:
        command = [*self._prefix, *argv]
        try:
            done = subprocess.run(
                command,
                input=stdin,
                capture_output=True,
                timeout=self._timeout,
                check=False,
                env={**os.environ, "LC_ALL": "C"},  # messages are matched
            )
        except FileNotFoundError:
            raise Permanent(f"{command[0]} is not installed or not on the PATH") from None
        except OSError as error:
            raise Permanent(f"cannot run {command[0]}: {error.strerror}") from error
        except subprocess.TimeoutExpired:
            raise Temporary(f"{argv[0]} did not end within {self._timeout:g} s") from None
        return Completed(done.returncode, done.stdout, done.stderr)


class RecordingRunner:
    """Runs nothing: keeps what it was asked to, and gives prepared answers, then empty ones."""

    def __init__(self, answers: Iterable[Completed] = ()) -> None:
        self.runs: list[tuple[tuple[str, ...], bytes]] = []
        self._answers = list(answers)

    def run(self, argv: Sequence[str], stdin: bytes = b"") -> Completed:
        self.runs.append((tuple(argv), stdin))
        return self._answers.pop(0) if self._answers else Completed()
