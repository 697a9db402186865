"""podman and containerd as people and clusters use them: login, push, pull, and their words on a refusal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.clients.containerd import Containerd
from tests.clients.docker import CannotStartError
from tests.clients.images import make_image, write_layout
from tests.clients.podman import Podman
from tests.clients.polling import eventually
from tests.servers import short_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.clients.skopeo import Outcome
    from tests.e2e.system import Person, System


@pytest.fixture(scope="module")
def containerd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Containerd]:
    try:
        with Containerd(tmp_path_factory.mktemp("containerd")) as engine:
            yield engine
    except CannotStartError as error:
        pytest.skip(f"no containerd can be started here: {error}")


@pytest.fixture
def podman() -> Iterator[Callable[[str], Podman]]:
    """Of each user his own, in a folder whose name is short enough for podman."""
    with short_folder() as folder:

        def of(user: str) -> Podman:
            try:
                return Podman(folder / user)
            except CannotStartError as error:
                pytest.skip(f"no podman can be used here: {error}")

        yield of


def succeed(done: Outcome) -> str:
    """What a command printed that has to end well."""
    assert done.ok, done.said
    return done.out


def recorded(system: System, project: str, operation: str, person: Person) -> None:
    eventually(
        lambda: [
            row for row in system.admin.audit(project)
            if (row["operation"], row["resource_type"], row["username"]) == (operation, "artifact", person.name)
        ],
        within=10, what=f"{operation} by {person.name} is on record",
    )  # fmt: skip


def test_podman_logs_in_pushes_an_image_and_an_index_and_pulls_them(
    system: System, project: str, person: Callable[..., Person], podman: Callable[[str], Podman], tmp_path: Path,
) -> None:
    maintainer, guest = person(project, "maintainer"), person(project, "guest")
    image = make_image(f"podman/{project}", layers=3)
    layout = write_layout(tmp_path / "image", {"v1": image})
    name = f"{system.host}/{project}/podman"
    own = podman("maintainer")
    succeed(own.login(system.host, maintainer.name, maintainer.password))
    number = succeed(own.run("pull", f"oci:{layout}:v1")).split()[-1]
    succeed(own.push(number, f"{name}:v1"))
    recorded(system, project, "create", maintainer)
    succeed(own.run("rmi", "--force", number))
    succeed(own.pull(f"{name}:v1"))
    recorded(system, project, "pull", maintainer)

    succeed(own.run("manifest", "create", "several"))
    succeed(own.run("manifest", "add", "--tls-verify=false", "several", f"docker://{name}:v1"))
    succeed(own.run("manifest", "push", "--all", "--tls-verify=false", "several", f"docker://{name}:index"))
    tags = own.run("search", "--tls-verify=false", "--list-tags", name)
    assert {line.split()[-1] for line in tags.out.splitlines()[1:]} == {"v1", "index"}, tags.said
    # the catalog of all is the administrator's
    all_seeing = podman("admin")
    succeed(all_seeing.login(system.host, system.admin_name, system.admin_password))
    assert name in succeed(all_seeing.run("search", "--tls-verify=false", f"{system.host}/{project}"))

    reader = podman("guest")
    succeed(reader.login(system.host, guest.name, guest.password))
    succeed(reader.pull(f"{name}:index"))
    refused = reader.push(f"{name}:index", f"{name}:mine")
    assert not refused.ok
    assert "denied" in refused.said
    wrong = podman("wrong").login(system.host, guest.name, "not the password")
    assert not wrong.ok
    assert "invalid username/password" in wrong.said
    succeed(reader.run("logout", system.host))
    succeed(reader.run("rmi", "--all", "--force"))
    assert not reader.pull(f"{name}:v1").ok


def test_containerd_pulls_and_pushes_and_is_refused_in_words(
    system: System, project: str, person: Callable[..., Person], containerd: Containerd,
) -> None:
    developer, guest = person(project, "developer"), person(project, "guest")
    image = make_image(f"containerd/{project}", layers=3)
    assert system.registry().push(f"{project}/node", "v1", image).ok
    name = f"{system.host}/{project}/node"
    succeed(containerd.pull(f"{name}:v1", guest.name, guest.password))
    recorded(system, project, "pull", guest)
    listed = containerd.run("images", "list", f"name=={name}:v1")
    assert image.digest in listed.out, listed.said

    succeed(containerd.run("images", "tag", f"{name}:v1", f"{name}:v2"))
    refused = containerd.push(f"{name}:v2", guest.name, guest.password)
    assert not refused.ok
    assert "insufficient_scope" in refused.said or "denied" in refused.said
    succeed(containerd.push(f"{name}:v2", developer.name, developer.password))
    recorded(system, project, "create", developer)
    wrong = containerd.pull(f"{name}:v2", guest.name, "not the password")
    assert not wrong.ok
    assert "401" in wrong.said
