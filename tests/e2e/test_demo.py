"""`countersign demo`: the whole loop once, on the simulated network."""

from __future__ import annotations

from installed import Demo, assert_never_twice_at_once, processes


def test_one_object_says_what_happened(demo: Demo) -> None:
    result = demo.result
    assert {"alerts", "proposals", "approvals", "orders", "receipts", "audit", "seconds"} <= set(
        result
    )
    assert result["audit"] == "ok"
    assert result["alerts"] > 1000
    assert result["proposals"] >= result["orders"] >= 2
    assert result["receipts"] >= result["orders"]
    assert result["seconds"] > 0


def test_addresses_are_blocked_under_the_lease(demo: Demo) -> None:
    blocks = [o for o in demo.result["ordered"] if o["kind"] == "BLOCK"]
    assert "lease" in {order["authority"] for order in blocks}


def test_assets_are_isolated_by_people_alone(demo: Demo) -> None:
    isolations = [o for o in demo.result["ordered"] if o["kind"] == "ISOLATE"]
    assert isolations
    assert all(int(order["authority"].split()[0]) >= 2 for order in isolations)


def test_nothing_is_ordered_while_it_is_ordered(demo: Demo) -> None:
    assert_never_twice_at_once(demo.result)


def test_nothing_is_left_running(demo: Demo) -> None:
    assert processes(demo.home) == []


def test_the_responder_complained_of_nothing(demo: Demo) -> None:
    log = (demo.home / "responder.log").read_text("utf-8")
    assert " ERROR " not in log
    assert "Traceback" not in log
