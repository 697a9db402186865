"""Every role with pull, push and delete in a public and a private project: skopeo through the proxy to the registry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pytest

from tests.clients.images import make_image, write_layout

if TYPE_CHECKING:
    from pathlib import Path

    from tests.clients.skopeo import Skopeo
    from tests.e2e.system import System

SUBJECTS: Final = (
    "projectAdmin", "maintainer", "developer", "guest", "limitedGuest", "stranger", "anonymous", "admin",
)
PULLERS: Final = frozenset({"projectAdmin", "maintainer", "developer", "guest", "limitedGuest", "admin"})
PUSHERS: Final = frozenset({"projectAdmin", "maintainer", "developer", "admin"})
DELETERS: Final = frozenset({"projectAdmin", "maintainer", "admin"})


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One public and one private project, and a skopeo for every subject, signed in."""

    projects: dict[str, str]
    skopeos: dict[str, Skopeo]
    layout: Path


@pytest.fixture(scope="module")
def stage(system: System, tmp_path_factory: pytest.TempPathFactory) -> Stage:
    folder = tmp_path_factory.mktemp("rights")
    projects = {visibility: system.new_project(public=visibility == "public") for visibility in ("public", "private")}
    skopeos = {}
    for subject in SUBJECTS:
        skopeo = system.skopeo(folder / f"{subject}.json")
        if subject == "admin":
            assert skopeo.login(system.admin_name, system.admin_password).ok
        elif subject != "anonymous":
            somebody = system.new_person()
            for project in projects.values():
                if subject != "stranger":
                    system.admin.add_member(project, somebody.name, subject)
            assert (done := skopeo.login(somebody.name, somebody.password)).ok, done.said
        skopeos[subject] = skopeo
    layout = write_layout(folder / "layout", {"v1": make_image("rights")})
    for project in projects.values():
        assert (done := skopeos["admin"].push(layout, "v1", f"{project}/kept:v1")).ok, done.said
    return Stage(projects=projects, skopeos=skopeos, layout=layout)


@pytest.mark.parametrize("visibility", ["public", "private"])
@pytest.mark.parametrize("subject", SUBJECTS)
def test_who_may_pull(stage: Stage, subject: str, visibility: str, tmp_path: Path) -> None:
    done = stage.skopeos[subject].pull(f"{stage.projects[visibility]}/kept:v1", tmp_path / "pulled")
    assert done.ok is (visibility == "public" or subject in PULLERS), done.said


@pytest.mark.parametrize("visibility", ["public", "private"])
@pytest.mark.parametrize("subject", SUBJECTS)
def test_who_may_push(stage: Stage, subject: str, visibility: str) -> None:
    done = stage.skopeos[subject].push(stage.layout, "v1", f"{stage.projects[visibility]}/by-{subject.lower()}:v1")
    assert done.ok is (subject in PUSHERS), done.said


@pytest.mark.parametrize("visibility", ["public", "private"])
@pytest.mark.parametrize("subject", SUBJECTS)
def test_who_may_delete(stage: Stage, subject: str, visibility: str) -> None:
    name = f"{stage.projects[visibility]}/deleted-by-{subject.lower()}:v1"
    assert (done := stage.skopeos["admin"].push(stage.layout, "v1", name)).ok, done.said
    done = stage.skopeos[subject].delete(name)
    assert done.ok is (subject in DELETERS), done.said
    kept = stage.skopeos["admin"].tags(name.removesuffix(":v1")) if not done.ok else []
    assert kept == ([] if done.ok else ["v1"])
