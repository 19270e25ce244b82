"""The command as a person calls it on a test's site."""

from __future__ import annotations

from typing import Any

from click.testing import CliRunner, Result
from world import World

from responder.cli import main


def call(world: World, *arguments: str, **options: Any) -> Result:
    return CliRunner().invoke(main, [*arguments, "--home", str(world.settings.home)], **options)


def good(world: World, *arguments: str, **options: Any) -> str:
    result = call(world, *arguments, **options)
    assert result.exit_code == 0, result.output
    return result.output


def bad(world: World, *arguments: str, **options: Any) -> str:
    """One line for a person, no traceback."""
    result = call(world, *arguments, **options)
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    return result.output
