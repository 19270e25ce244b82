"""The live side runs where only its own dependencies are installed."""

import subprocess
import sys

import pytest

LIBRARIES_OF_EXTRAS = (
    "brownie",
    "gymnasium",
    "matplotlib",
    "minari",
    "numba",
    "onnx",
    "PIL",
    "ray",
    "rliable",
    "sb3_contrib",
    "stable_baselines3",
    "torch",
    "torchrl",
)

WITHOUT_EXTRAS = f"""
import sys
for name in {LIBRARIES_OF_EXTRAS!r}:
    sys.modules[name] = None
"""

IMPORT_ALL = """
import pkgutil, importlib
for package in ("policies", "responder"):
    for module in pkgutil.walk_packages(importlib.import_module(package).__path__, package + "."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
            print(module.name)
"""

CALL = """
from responder.cli import main
main({arguments!r}, prog_name="countersign")
"""


def run_without_extras(code: str) -> subprocess.CompletedProcess[str]:
    """A fresh interpreter in which the libraries of the extras are not importable."""
    command = [sys.executable, "-c", WITHOUT_EXTRAS + code]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_live_side_imports_without_extras() -> None:
    done = run_without_extras(IMPORT_ALL)
    assert done.returncode == 0, done.stderr
    assert {"policies.alerts", "responder.cli"} <= set(done.stdout.split())


def test_help_lists_commands_without_extras() -> None:
    done = run_without_extras(CALL.format(arguments=["--help"]))
    assert done.returncode == 0, done.stderr
    assert "train" in done.stdout


@pytest.mark.parametrize("library", LIBRARIES_OF_EXTRAS)
def test_help_imports_no_library_of_extras(library: str) -> None:
    code = "from responder.cli import main\nimport sys\nmain(['--help'], standalone_mode=False)\n"
    check = f"sys.exit({library!r} in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code + check], capture_output=True, check=False)
    assert done.returncode == 0


def test_command_of_missing_extra_says_what_to_install() -> None:
    done = run_without_extras(CALL.format(arguments=["train", "--help"]))
    assert done.returncode == 1
    assert "pip install 'countersign[train]'" in done.stderr
    assert "Traceback" not in done.stderr
