"""`breakwater config`: the system's configuration from the operator's terminal."""

import json

import pytest
from typer.testing import CliRunner

from compose.cli.config import app
from services.api.errors import UnfitSetting
from tests.integration.conftest import Database


@pytest.fixture
def run(core_database: Database, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    server = core_database.server
    for name, value in {
        "HOME": server.home, "RUN": server.run, "DATABASE_PORT": server.port, "DATABASE_NAME": core_database.name,
    }.items():  # fmt: skip
        monkeypatch.setenv(f"BREAKWATER_{name}", str(value))
    return CliRunner()


def value_of(run: CliRunner, key: str) -> str:
    return run.invoke(app, ["get", key], catch_exceptions=False).output.strip()


@pytest.mark.parametrize(
    ("key", "value"), [("read_only", "true"), ("ldap_timeout", "7"), ("ldap_url", "ldaps://[::1]")]
)
def test_an_item_is_set_and_read_back(run: CliRunner, key: str, value: str) -> None:
    done = run.invoke(app, ["set", key, value], catch_exceptions=False)
    assert done.output == f"{key} is set\n"
    assert value_of(run, key) == value
    assert run.invoke(app, ["set", key, value]).output == f"{key} was so already\n"


@pytest.mark.parametrize(
    "arguments",
    [["set", "no_such_item", "1"], ["set", "read_only", "maybe"], ["set", "ldap_timeout", "soon"], ["set", "read_only"],
     ["set", "auth_mode", "magic"], ["set", "oidc_name", "x"], ["get", "no_such_item"], ["get", "ldap_search_password"],
     ["set", "ldap_search_password", "on-the-command-line"]],
)  # fmt: skip
def test_what_cannot_be_is_refused_with_one_sentence(run: CliRunner, arguments: list[str]) -> None:
    with pytest.raises(UnfitSetting) as refused:
        run.invoke(app, arguments, catch_exceptions=False)
    assert arguments[1] in refused.value.sentence
    assert "on-the-command-line" not in refused.value.sentence


def test_a_secret_comes_through_a_pipe_and_never_back(run: CliRunner, core_database: Database) -> None:
    done = run.invoke(app, ["set", "ldap_search_password"], input="canary-secret\n", catch_exceptions=False)
    assert "canary" not in done.output
    listed = run.invoke(app, ["list", "--json"], catch_exceptions=False).output
    assert "ldap_search_password" not in json.loads(listed)
    with core_database.superuser() as connection:
        row = connection.execute("SELECT value FROM core.configuration WHERE key = 'ldap_search_password'").fetchone()
    assert row
    assert set(row[0]) == {"sealed"}
    assert "canary" not in row[0]["sealed"]


def test_the_list_shows_every_item_and_what_cannot_be_changed(run: CliRunner) -> None:
    lines = run.invoke(app, ["list"], catch_exceptions=False).output.splitlines()
    assert any(line.startswith("token_expiration") and "cannot be changed" in line for line in lines)
    assert any(line.startswith("read_only") for line in lines)
