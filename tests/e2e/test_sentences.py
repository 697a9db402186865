"""The commands within sentences of README.md and docs/ are said to an instance of their own, until it is gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import requests

from compose.local import processes
from tests.clients.images import make_image
from tests.clients.polling import eventually
from tests.documented import run_words, with_command
from tests.e2e.conftest import fresh_system
from tests.sentences import asking, said

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.documented import Ended
    from tests.e2e.system import System

REPOSITORY = "library/said"
NEW_PASSWORD = "A-password-0f-the-page"


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    for made in fresh_system():
        assert made.registry().push(REPOSITORY, "v1", make_image("said")).ok
        yield made


def run(system: System, text: str, *, given: str = "", seconds: float = 120) -> Ended:
    words = ["sh", "-euc", with_command(text)]
    return run_words(words, system.instance.environment, given=given, seconds=seconds)


@pytest.mark.parametrize("command", sorted(asking()))
def test_command_that_asks_is_answered(system: System, command: str) -> None:
    endless = "follow" in command
    ended = run(system, command.replace("NAME", "core"), seconds=3 if endless else 60)
    assert ended.code == (None if endless else 0), ended.said


def test_administrator_s_password_is_set_at_the_terminal(system: System) -> None:
    before = system.admin_password
    try:
        ended = run(system, said("./breakwater admin reset-password"), given=f"{NEW_PASSWORD}\n")
        assert (ended.code, ended.said) == (0, "admin has a new password\n")
        assert system.login("admin", NEW_PASSWORD) == requests.codes.ok
        assert system.login("admin", before) == requests.codes.unauthorized
        assert system.instance.admin_password == NEW_PASSWORD
    finally:
        run(system, said("./breakwater admin reset-password"), given=f"{before}\n")


def test_account_is_shut_out_and_let_in_again(system: System) -> None:
    someone = system.new_person()
    for command, answer in (
        ("./breakwater admin user disable USER", requests.codes.unauthorized),
        ("./breakwater admin user enable USER", requests.codes.ok),
    ):
        ended = run(system, said(command, {"USER": someone.name}))
        assert ended.code == 0, ended.said
        assert system.login(someone.name, someone.password) == answer


def test_what_the_storage_holds_is_catalogued_already(system: System) -> None:
    ended = run(system, said("./breakwater adopt"))
    assert (ended.code, ended.said.splitlines()[-1].endswith(": 0 differed")) == (0, True), ended.said


def test_tokens_that_are_out_are_void_once_keys_are_renewed(system: System) -> None:
    before = system.registry()
    assert before.pull(REPOSITORY, "v1").status_code == requests.codes.ok
    ended = run(system, said("./breakwater keys renew"))
    assert ended.code == 0, ended.said
    for client, answer in ((system.registry(), requests.codes.ok), (before, requests.codes.unauthorized)):
        eventually(
            lambda client=client, answer=answer: client.pull(REPOSITORY, "v1").status_code == answer, within=30,
            what=f"{answer} for a pull", every=0.5,
        )  # fmt: skip


def test_all_stops_and_is_removed(system: System) -> None:
    """The last one."""
    instance = system.instance
    assert (ended := run(system, said("./breakwater down"))).code == 0, ended.said
    assert processes.of_instance(instance.home) == {}
    assert instance.layout.secrets.is_dir()
    assert (ended := run(system, said("./breakwater destroy --yes"))).code == 0, ended.said
    assert not instance.home.exists()
