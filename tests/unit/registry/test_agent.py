"""The User-Agent that carries ids to the registry and back."""

from uuid import UUID

import pytest

from shared.registry.agent import carry

GATE = UUID("12345678-1234-1234-1234-123456789abc")


@pytest.mark.parametrize(
    ("own", "request_id", "expected"),
    [
        ("skopeo/1", "r1", f"skopeo/1 rid/r1 gate/{GATE}"),
        (None, None, f"- gate/{GATE}"),
        ("", "r1", f"- rid/r1 gate/{GATE}"),
        ("skopeo/1", "a b", f"skopeo/1 gate/{GATE}"),
        ("skopeo/1", "x" * 65, f"skopeo/1 gate/{GATE}"),
        ("evil/1 rid/x gate/y", "r1", f"evil/1 rid/r1 gate/{GATE}"),
        ("evil/1 GATE/y", "r1", f"evil/1 rid/r1 gate/{GATE}"),
        ("aggregate/2 investigate", "r1", f"aggregate/2 investigate rid/r1 gate/{GATE}"),
        ("evil\r\nX-Header: 1", "r1", f"evil??X-Header: 1 rid/r1 gate/{GATE}"),
        ("é", "r1", f"? rid/r1 gate/{GATE}"),
        ("a" * 1000, "r1", f"{'a' * 400} rid/r1 gate/{GATE}"),
    ],
)
def test_ids_are_added_and_a_clients_own_are_taken_out(own: str | None, request_id: str | None, expected: str) -> None:
    assert carry(own, request_id=request_id, expectation_id=GATE) == expected


def test_without_an_expectation_there_is_no_gate() -> None:
    assert carry("breakwater", request_id="r1") == "breakwater rid/r1"
