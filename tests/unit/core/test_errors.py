"""The one table of refusals."""

import importlib
import json
import pkgutil

import pytest

import services.api
import services.token
import shared
from gateway.errors import STATUS, harbor_body, registry_body, status_of
from shared.errors import BreakwaterError

REACHED = ("shared.", "services.api.", "services.token.", "gateway.")
"""Where errors come from that the gateway may have to answer."""
BEHIND = "shared.messaging."
"""The event path, which no gateway imports; other tests of the same run may have."""
INTERNAL = {"CONFIGURATION", "INVALID_EVENT", "OUTBOUND_REFUSED", "REGISTRY_REFUSED"}
"""Codes that never reach a client by intent: told as a fault of ours."""


def _kinds() -> list[type[BreakwaterError]]:
    for package in (shared, services.api, services.token):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if module.name.rpartition(".")[2] == "errors":
                importlib.import_module(module.name)
    waiting, found = [BreakwaterError], []
    while waiting:
        kind = waiting.pop()
        found += [kind] if kind.__module__.startswith(REACHED) and not kind.__module__.startswith(BEHIND) else []
        waiting.extend(kind.__subclasses__())
    return found


@pytest.mark.parametrize("kind", _kinds(), ids=lambda kind: kind.__name__)
def test_every_error_has_a_status_and_one_sentence(kind: type[BreakwaterError]) -> None:
    assert kind.code in STATUS or kind.code in INTERNAL
    assert kind.default
    assert "\n" not in kind.default


def test_an_error_of_ours_tells_nothing_internal() -> None:
    told = json.loads(harbor_body("CONFIGURATION", "the secret /somewhere cannot be read"))
    assert told == {"errors": [{"code": "UNKNOWN", "message": "internal server error"}]}
    assert status_of("CONFIGURATION") == 500


def test_both_bodies_have_the_shape_of_their_protocol() -> None:
    assert harbor_body("CONFLICT", "taken").endswith(b"\n")
    assert json.loads(registry_body("FORBIDDEN", "no", {"a": 1})) == {
        "errors": [{"code": "DENIED", "message": "no", "detail": {"a": 1}}]
    }
