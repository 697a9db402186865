"""The operator's verbs in containers: those of `./breakwater`, as `docker compose run --rm operate VERB` says them."""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tests.clients.images import make_image
from tests.containers.stack import LABEL
from tests.sentences import words_said

if TYPE_CHECKING:
    from pathlib import Path

    from tests.clients.rest import RestClient
    from tests.containers.stack import Stack

# the first test waits until the images are built
pytestmark = pytest.mark.timeout(2400)

SIGNING = "/var/lib/breakwater/secrets/token/signing"
REPOSITORIES = "/var/lib/breakwater/registry/docker/registry/v2/repositories"


@pytest.mark.parametrize(
    ("words", "begins"),
    [
        (("audit", "verify"), "the audit record is whole: "),
        # they ask the broker, the registry, and the part that collects
        (("events", "dead-letters"), "there are no dead letters"),
        (("reconcile",), "compared "),
        (("gc", "run", "--dry-run"), "collection "),
    ],
)
def test_verb_is_the_one_that_a_machine_has(stack: Stack, words: tuple[str, ...], begins: str) -> None:
    done = stack.operate(*words)
    assert (done.ok, done.err) == (True, "")
    assert done.out.startswith(begins)


def test_doctor_finds_what_is_wrong_and_says_what_to_do_there(stack: Stack) -> None:
    well = stack.operate("doctor")
    assert (well.ok, well.err) == (True, "")
    assert well.out.startswith("nothing is wrong: "), well.out
    stopped = [str(stack.container(part).told["Id"]) for part in ("audit", "registry")]
    try:
        assert stack.docker.run("stop", *stopped).ok
        done = stack.operate("doctor", "--json")
    finally:
        assert stack.docker.run("start", *stopped).ok
    stack.await_health()
    assert not done.ok
    found = map(json.loads, done.out.splitlines())
    told = {(each["check"], each["what"].partition(";")[0]): each["remedy"] for each in found}
    lines = "docker compose exec -T log tail -n 50 /var/lib/breakwater/log"
    queue = told["queues", "queue audit has no consumer"]
    assert queue == f"{lines}/audit.log tells why its service does not take them"
    (registry,) = [remedy for (check, what), remedy in told.items() if check == "parts" and what.startswith("registry")]
    assert registry == f"{lines}/registry.log tells why; docker compose ps tells whether it runs"


def test_nothing_is_started_with_the_containers_that_waits_for_verbs(stack: Stack) -> None:
    marks = {"project": stack.project, "service": "operate"}
    labels = [word for name, value in marks.items() for word in ("--filter", f"label={LABEL}.{name}={value}")]
    assert (found := stack.docker.run("ps", "--all", "--quiet", *labels)).ok
    assert found.out == ""


def test_verb_that_containers_have_no_use_for_names_what_to_use_instead(stack: Stack) -> None:
    done = stack.operate("status")
    assert not done.ok
    assert done.err == "there is no status among containers: docker compose ps tells how each container is"


def status(stack: Stack, password: str) -> int:
    url = f"{stack.url}/api/v2.0/users/current"
    return requests.get(url, auth=("admin", password), timeout=30).status_code


def test_password_is_reset_by_whoever_runs_the_containers(stack: Stack, password: str) -> None:
    try:
        made = stack.operate("admin", "reset-password", "--generate").out.strip()
        assert status(stack, made) == requests.codes.ok
        assert status(stack, password) == requests.codes.unauthorized
        assert stack.admin_password() == made
    finally:
        back = stack.operate("admin", "reset-password", given=f"{password}\n")
    assert back.out == "admin has a new password\n", back.err
    assert status(stack, password) == requests.codes.ok


def test_password_is_asked_for_at_a_terminal_and_not_shown(stack: Stack, password: str) -> None:
    chosen = "Chosen-at-a-terminal-1"
    try:
        shown = stack.at_a_terminal(
            words_said("docker compose run --rm operate admin reset-password"),
            {"New password of admin: ": chosen, "Repeat for confirmation: ": chosen},
        )
        assert shown.endswith("admin has a new password\r\n")
        assert chosen not in shown
        assert status(stack, chosen) == requests.codes.ok
    finally:
        stack.operate("admin", "reset-password", given=f"{password}\n")
    assert status(stack, password) == requests.codes.ok


def test_garbage_is_collected_by_whoever_runs_the_containers(stack: Stack) -> None:
    said = stack.compose(*words_said("docker compose run --rm operate gc run"))
    assert re.search(r"collection \d+", said), said


def test_tokens_that_are_out_are_void_once_keys_are_renewed(stack: Stack, password: str) -> None:
    before = stack.registry(password)
    assert before.push("library/renewed-here", "v1", make_image("renewed here")).ok
    assert before.pull("library/renewed-here", "v1").ok
    assert stack.operate("keys", "renew").ok
    stack.compose(*words_said("docker compose restart registry"))
    stack.await_health()
    assert stack.registry(password).pull("library/renewed-here", "v1").ok
    assert before.pull("library/renewed-here", "v1").status_code == requests.codes.unauthorized


def signer(token: str) -> str:
    header: dict[str, Any] = json.loads(base64.urlsafe_b64decode(f"{token.partition('.')[0]}=="))
    return str(header["kid"])


def test_next_key_signs_after_a_rotation_and_nothing_is_started_anew(stack: Stack, password: str) -> None:
    repository, before = "library/rotated", stack.registry(password)
    assert before.push(repository, "v1", make_image("rotated")).ok
    ids = {part: stack.container(part).pid for part in ("token", "registry", "core")}
    shown = stack.operate("keys", "list").out
    done = stack.operate("keys", "rotate")
    assert done.ok, done.err
    current = done.out.partition(" ")[0]
    assert current in next(line for line in shown.splitlines() if line.startswith("next"))
    after = stack.registry(password)
    assert signer(after.token("repository:library/rotated:pull")) == current
    assert after.push(repository, "v2", make_image("rotated again")).ok
    assert after.pull(repository, "v2").ok
    # what is out stays good
    assert before.pull(repository, "v1").ok
    assert signer(before.token("repository:library/rotated:pull")) in {current, done.out.splitlines()[1].split()[0]}
    assert {part: stack.container(part).pid for part in ids} == ids


def test_keys_that_no_longer_sign_are_taken_back_and_the_one_that_certifies_is_given_to_nobody(stack: Stack) -> None:
    assert stack.operate("keys", "rotate").ok
    held = stack.run_in("token", "ls", SIGNING).out.split()
    assert len([name for name in held if name.endswith(".key")]) == len(("previous", "current", "next"))
    assert "root.key" not in held
    assert "root.crt" in held


def test_stream_is_followed_without_a_way_through_the_public_door(stack: Stack) -> None:
    """It ends by itself nowhere: its time is measured for it."""
    done = stack.compose(
        "run", "--rm", "-T", "--entrypoint", "sh", "operate", "-c",
        "timeout 5 python -P -m compose.docker.operate events follow --json --since 1h --type signing_key.rotated"
        " | head -n 1",
    )
    assert json.loads(done.splitlines()[0])["type"] == "breakwater.signing_key.rotated.v1"


def test_configuration_is_set(stack: Stack, admin: RestClient) -> None:
    item = "project_creation_restriction"
    try:
        done = stack.operate("config", "set", item, "adminonly")
        assert (done.out, done.err) == (f"{item} is set\n", "")
        assert admin.get("/configurations")[item]["value"] == "adminonly"
    finally:
        admin.must("PUT", "/configurations", json={item: "everyone"})


def test_storage_that_was_filled_elsewhere_is_adopted(stack: Stack, admin: RestClient, password: str) -> None:
    image, project = make_image("adopted"), "filled-elsewhere"
    registry = stack.registry(password)
    assert registry.push("library/adopted", "v1", image).ok
    put = stack.run_in(
        "registry", "sh", "-c", f"cd {REPOSITORIES} && mkdir {project} && cp -a library/adopted {project}/app"
    )
    assert put.ok, put.said
    done = stack.operate("adopt", "--create-projects")
    assert done.ok, done.err
    assert done.out.startswith(f"made the private project {project} for 1 repository\n")
    assert [artifact["digest"] for artifact in admin.artifacts(f"{project}/app")] == [image.digest]
    assert registry.pull(f"{project}/app", "v1").ok


def test_backup_that_would_be_gone_with_its_container_is_refused(stack: Stack, tmp_path: Path) -> None:
    for folder, file in ((None, "/backup/x"), (tmp_path, "/tmp/x")):  # noqa: S108 - a path in a container
        done = stack.operate("backup", file, folder=folder)
        assert not done.ok
        assert done.err.startswith(f"{file} would be gone with this container: docker compose run --rm -v FOLDER:")
    assert not [*tmp_path.iterdir()]
