"""`breakwater reconcile` and `breakwater adopt`, as they are typed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass

import pytest

from shared.names import Digest
from tests.clients.images import make_image, make_index
from tests.integration.broker import CHECKOUT
from tests.integration.conftest import Database
from tests.integration.metadata.conftest import Catalogue
from tests.integration.registry_rig import Pusher, RegistryServer

PROGRAM = """
import sys, typer
from compose.cli import catalogue
from shared.errors import BreakwaterError
app = typer.Typer()
app.command("reconcile")(catalogue.reconcile)
app.command("adopt")(catalogue.adopt)
try:
    app()
except BreakwaterError as error:
    print(error.sentence, file=sys.stderr)
    sys.exit(1)
"""


@dataclass(frozen=True)
class Verbs:
    database: Database
    registry: RegistryServer

    def run(self, *words: str) -> tuple[int, str]:
        settings = self.database.settings("owner")
        environment = {
            "BREAKWATER_HOME": str(settings.home),
            "BREAKWATER_RUN": str(settings.run),
            "BREAKWATER_DATABASE_PORT": str(settings.database_port),
            "BREAKWATER_DATABASE_NAME": settings.database_name,
            "BREAKWATER_REGISTRY_SOCKET": str(self.registry.socket),
            "BREAKWATER_REGISTRY_STORAGE": str(self.registry.storage),
            "PYTHONPATH": str(CHECKOUT),
        }
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, *words],
            env=os.environ | environment, capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        return done.returncode, done.stdout + done.stderr


@pytest.fixture
def verbs(database: Database, registry: RegistryServer) -> Verbs:
    return Verbs(database, registry)


def test_reconcile_tells_what_differed(catalogue: Catalogue, pusher: Pusher, verbs: Verbs) -> None:
    pusher.push("library/app", "v1", make_image("one"))
    code, text = verbs.run("reconcile")
    assert (code, text.splitlines()[-1]) == (0, "compared 1 tags and artifacts in 1 repositories: 1 differed")
    assert "library/app" in text
    assert set(catalogue.tags("library/app")) == {"v1"}
    assert verbs.run("reconcile", "--project", "library") == (
        0, "compared 1 tags and artifacts in 1 repositories: 0 differed\n"
    )  # fmt: skip


def test_reconcile_settles_what_is_expected_first(catalogue: Catalogue, pusher: Pusher, verbs: Verbs) -> None:
    image = make_image("one")
    pusher.push("library/app", "v1", image)
    catalogue.expect("put", "library/app", "v1", image.digest)
    code, text = verbs.run("reconcile")
    assert code == 0
    assert "lost notifications told: 1" in text
    assert [event["actor"] for event in catalogue.events()] == ["bob"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("reconcile", "--project", "ghost"), "the project ghost does not exist"),
        (("reconcile", "--project", "UPPER"), "'UPPER' is not a project name"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(verbs: Verbs, words: tuple[str, ...], sentence: str) -> None:
    code, text = verbs.run(*words)
    assert (code, len(text.splitlines())) == (1, 1)
    assert sentence in text


def test_a_registry_that_is_away_is_one_sentence(verbs: Verbs, registry: RegistryServer) -> None:
    registry.kill()
    code, text = verbs.run("reconcile")
    assert (code, text) == (1, "the registry is not available right now: try again in a moment\n")


def test_an_empty_storage_does_not_empty_the_catalogue(
    catalogue: Catalogue, pusher: Pusher, verbs: Verbs, registry: RegistryServer
) -> None:
    pusher.push("library/app", "v1", make_image("one"))
    catalogue.observe("library/app", "v1")
    registry.kill()
    shutil.rmtree(registry.storage)
    registry.start()
    code, text = verbs.run("reconcile")
    assert (code, "is its storage there?" in text) == (1, True)
    assert set(catalogue.tags("library/app")) == {"v1"}
    assert verbs.run("reconcile", "--accept-empty")[0] == 0
    assert catalogue.digests("library/app") == set()


def test_adopt_leaves_out_what_has_no_project(catalogue: Catalogue, pusher: Pusher, verbs: Verbs) -> None:
    for name in ("library/app", "team/app", "team/other", "toplevel"):
        pusher.push(name, "v1", make_image("one"))
    code, text = verbs.run("adopt")
    assert code == 0
    assert "left out 2 repositories: there is no project team (--create-projects makes it)" in text
    assert "left out toplevel" in text
    assert text.splitlines()[-1] == "compared 1 tags and artifacts in 1 repositories: 1 differed"
    assert [event["data"]["origin"] for event in catalogue.events()] == ["adopt"]


def test_adopt_names_what_it_cannot_read_and_takes_the_rest(
    catalogue: Catalogue, pusher: Pusher, verbs: Verbs, registry: RegistryServer
) -> None:
    broken = make_image("broken")
    pusher.push("library/app", "v1", broken)
    pusher.push("library/best", "v1", make_image("fine"))
    registry.lose_content(broken.digest)
    registry.lay_schema_1("library/old", "v1")
    code, text = verbs.run("adopt")
    assert code == 0
    assert "left out library/app:v1: the registry answered 500 to HEAD" in text
    assert text.count("left out library/old@sha256:") == 1
    assert "manifest.v1+prettyjws' is not catalogued" in text
    assert text.splitlines()[-1] == "compared 4 tags and artifacts in 3 repositories: 1 differed"
    assert set(catalogue.tags("library/best")) == {"v1"}


def test_adopt_makes_projects_and_finds_what_no_tag_names(catalogue: Catalogue, pusher: Pusher, verbs: Verbs) -> None:
    index, untagged = make_index("many"), make_image("untagged")
    pusher.push("team/app", "v1", index)
    pusher.push("team/app", untagged.digest, untagged)
    code, text = verbs.run("adopt", "--create-projects", "--public")
    assert code == 0
    assert "made the public project team for 1 repository" in text
    assert catalogue.digests("team/app", listed=True) == {index.digest, untagged.digest}
    assert catalogue.rows("SELECT public FROM core.projects WHERE name = 'team'") == [(True,)]
    assert len(catalogue.events("artifact.pushed")) == 4
    assert len(catalogue.events("project.created")) == 1
    assert Digest(untagged.digest) in {Digest(event["data"]["digest"]) for event in catalogue.events("artifact")}
    assert "0 differed" in verbs.run("adopt")[1]
