"""Why a contract refused: from whatever a node returned."""

from __future__ import annotations

from typing import Any

import pytest

from responder.chain.reverts import custom_error


def test_an_error_is_named_with_its_arguments() -> None:
    data = "0x18cec4c9" + "00" * 31 + "0c"
    assert custom_error(data) == ("GateTooEarly", "(earliest=12)")


@pytest.mark.parametrize("data", [None, 5, {}, "", "0x", "0x12", "zz", "0x12345678", "0x18cec4c9"])
def test_anything_else_is_no_error_of_ours(data: Any) -> None:
    assert custom_error(data) is None
