"""The files that documentation has named in `.env`: what each adds is there, and the form stays what it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.compose.composed import FORMS, added, needs_compose, read

if TYPE_CHECKING:
    from pathlib import Path

ADDED = [*added("containers"), *added("traces")]


def test_there_are_two_forms_and_five_files_that_add_something() -> None:
    assert len(FORMS) == 2
    assert [line.partition(":compose.")[2].partition(".yaml")[0] for line in ADDED] == [
        "s3", "database", "broker", "redirect", "traces",
    ]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The form from packages alone, with nothing added."""
    return read(tmp_path_factory.mktemp("plain"), FORMS[1])


@needs_compose
@pytest.mark.parametrize("line", ADDED, ids=range(len(ADDED)))
def test_what_is_added_leaves_the_form_as_it_is(plain: dict[str, Any], tmp_path: Path, line: str) -> None:
    more = read(tmp_path, FORMS[1], line)
    assert more != plain
    assert images(more) == images(plain)
    assert (tmp_path / ".env").read_text().startswith(FORMS[1].removeprefix("echo ").partition(" ")[0] + ":compose.")


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
