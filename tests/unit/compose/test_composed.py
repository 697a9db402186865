"""The files that documentation has named in `.env`: what each adds is there, and the form stays what it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.compose.composed import ADDED, FORMS, STARTED, needs_compose, read

if TYPE_CHECKING:
    from pathlib import Path

    from tests.documented import Block


@pytest.mark.parametrize("block", ADDED, ids=lambda block: block.place)
def test_what_is_added_is_started_then(block: Block) -> None:
    assert block.text.endswith(f"\ndocker {STARTED}\n")


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The form from packages alone, with nothing added, on the base that the page has made."""
    folder = tmp_path_factory.mktemp("plain")
    found = read(folder, FORMS[1])
    base = folder.joinpath("base").read_text().strip()
    assert {found["services"][name]["build"]["args"]["BASE"] for name in ("log", "postgres", "proxy")} == {base}
    return found


@needs_compose
@pytest.mark.parametrize("block", ADDED, ids=lambda block: block.place)
def test_what_is_added_leaves_the_form_as_it_is(plain: dict[str, Any], tmp_path: Path, block: Block) -> None:
    more = read(tmp_path, FORMS[1], block)
    assert more != plain
    assert images(more) == images(plain)
    assert (tmp_path / ".env").read_text().startswith("COMPOSE_FILE=compose.yaml:compose.offline.yaml:compose.")


@needs_compose
def test_all_that_can_be_added_can_be_added_together_to_the_other_form(plain: dict[str, Any], tmp_path: Path) -> None:
    found = read(tmp_path, FORMS[0], *ADDED)
    assert {name for name, image in images(found).items() if image != images(plain)[name]} == {
        "postgres", "rabbitmq", "proxy",
    }
    services = found["services"]
    assert len(services["proxy"]["ports"]) == 2
    joined = {network for service in services.values() for network in service.get("networks", {})}
    assert {"storage", "amqp", "traces"} <= joined
    assert services["postgres"]["entrypoint"] == services["rabbitmq"]["entrypoint"] == ["sleep", "infinity"]


def images(found: dict[str, Any]) -> dict[str, str]:
    return {name: service["image"] for name, service in found["services"].items()}
