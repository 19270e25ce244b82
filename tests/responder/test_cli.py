"""The command group: how a sub-command is found, and how its errors reach the user."""

import sys
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from responder import cli
from responder.errors import CountersignError

COMMANDS = '''
import click
from responder.errors import CountersignError

@click.command()
def hello() -> None:
    """Say hello.

    And nothing more.
    """
    click.echo("hello")

@click.command()
def refuse() -> None:
    """Raise the project's own error."""
    raise CountersignError("the chain does not answer")

@click.command()
def late() -> None:
    """Import a library of an extra when called."""
    import no_such_library

@click.command()
def broken() -> None:
    """Import a module of this project that does not exist."""
    import policies.no_such_module

text = "no command"
'''


@pytest.fixture(autouse=True)
def offered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Offers the commands above, one of an absent module, and nothing else."""
    package = tmp_path / "offering"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('help must not import me')")
    (package / "commands.py").write_text(COMMANDS)
    (tmp_path / "plain_offering.py").write_text(COMMANDS)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "plain_offering", raising=False)
    values = {
        "asleep": "offering.commands:hello",
        "absent": "no_such_package.commands:absent [train]",
        "broken": "plain_offering:broken",
        "hello": "plain_offering:hello",
        "late": "plain_offering:late [sim]",
        "refuse": "plain_offering:refuse",
        "text": "plain_offering:text",
    }
    entries = EntryPoints(EntryPoint(*item, cli.COMMANDS) for item in values.items())
    monkeypatch.setattr(cli, "entry_points", entries.select)


def call(*arguments: str) -> Result:
    return CliRunner().invoke(cli.main, arguments)


def test_command_is_loaded_and_run() -> None:
    assert call("hello").output == "hello\n"


def test_help_shows_first_docstring_line_without_importing() -> None:
    lines = [line.split() for line in call("--help").output.splitlines()]
    assert ["asleep", "Say", "hello"] in lines


def test_unknown_command_is_usage_error() -> None:
    result = call("nonsense")
    assert result.exit_code == 2
    assert "No such command 'nonsense'" in result.output


def test_own_error_is_one_line_and_exit_code_1() -> None:
    result = call("refuse")
    assert (result.exit_code, result.output) == (1, "Error: the chain does not answer\n")


def test_debug_keeps_the_error() -> None:
    assert isinstance(call("--debug", "refuse").exception, CountersignError)


@pytest.mark.parametrize(("command", "extra"), [("absent", "train"), ("late", "sim")])
def test_missing_library_names_its_extra(command: str, extra: str) -> None:
    result = call(command)
    assert result.exit_code == 1
    assert f"pip install 'countersign[{extra}]'" in result.output


def test_missing_module_of_this_project_is_a_bug() -> None:
    assert isinstance(call("broken").exception, ModuleNotFoundError)


def test_entry_point_that_is_no_command_is_a_bug() -> None:
    assert isinstance(call("text").exception, TypeError)
