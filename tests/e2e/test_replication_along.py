"""What goes along with images to another instance, where a policy asks for it: labels, and projects' retention."""

from __future__ import annotations

import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from tests.clients.images import make_image
from tests.clients.polling import eventually
from tests.e2e.replicating import Replicating, fresh, push_to

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.clients.rest import RestClient
    from tests.e2e.system import System


def test_labels_go_along_where_that_is_asked_for_and_none_is_taken_off(
    fragile: System, system: System, here: Replicating,
) -> None:
    project, repository = fresh(fragile)
    policy = here.policy(project, to=here.instance(system), copy_labels=True)
    push_to(fragile, repository, "v1", make_image(project))
    here.run(policy)
    artifact = f"/projects/{project}/repositories/app/artifacts/v1"

    def borne() -> set[tuple[str, str, str, str]]:
        labels = system.admin.get(f"{artifact}?with_label=true").get("labels") or ()
        return {(each["name"], each["color"], each["description"], each["scope"]) for each in labels}

    eventually(lambda: system.admin.send("GET", artifact).ok, within=15, what="the target's catalogue has it")
    assert borne() == set()
    stable = {"name": f"stable-{project}", "color": "#0F1E2D", "description": "may be used", "scope": "g"}
    answer = fragile.admin.must("POST", "/labels", json=stable)
    number = int(answer.headers["Location"].rsplit("/", 1)[1])
    try:
        fragile.admin.must("POST", f"{artifact}/labels", json={"id": number})
        here.run(policy)  # the artifact is there already
        carried = (stable["name"], "#0F1E2D", "may be used", "p")
        assert borne() == {carried}
        (label,) = system.admin.get(f"{artifact}?with_label=true")["labels"]
        fragile.admin.must("DELETE", f"{artifact}/labels/{number}")
        here.run(policy)
        assert borne() == {carried}
        assert label["project_id"] == system.admin.get(f"/projects/{project}")["project_id"]
        fragile.admin.must("POST", f"{artifact}/labels", json={"id": number})
        push_to(fragile, repository, "v1", make_image(f"{project}/next"))
        fragile.admin.must("POST", f"{artifact}/labels", json={"id": number})
        system.admin.must("DELETE", artifact)
        here.run(policy)  # it is put there, and the catalogue follows by a moment
        assert borne() == {carried}
    finally:
        fragile.admin.must("DELETE", f"/labels/{number}")


def rules(number: int) -> list[dict[str, Any]]:
    """What keeps the latest so many of everything."""
    return [{
        "action": "retain", "template": "latestPushedK", "params": {"latestPushedK": number},
        "tag_selectors": [{"kind": "doublestar", "decoration": "matches", "pattern": "**"}],
        "scope_selectors": {"repository": [{"kind": "doublestar", "decoration": "repoMatches", "pattern": "**"}]},
    }]  # fmt: skip


def retain(api: RestClient, project: str, number: int, cron: str = "") -> None:
    """Make or change the retention policy of a project."""
    shown = api.get(f"/projects/{project}")
    body = {
        "algorithm": "or", "rules": rules(number), "trigger": {"kind": "Schedule", "settings": {"cron": cron}},
        "scope": {"level": "project", "ref": shown["project_id"]},
    }  # fmt: skip
    known = shown["metadata"].get("retention_id")
    api.must("PUT" if known else "POST", f"/retentions/{known}" if known else "/retentions", json=body)


def retained(api: RestClient, project: str) -> tuple[list[int], str] | None:
    """How many the rules of a project keep, and when; None where it has no policy."""
    known = api.get(f"/projects/{project}")["metadata"].get("retention_id")
    if known is None:
        return None
    policy = api.get(f"/retentions/{known}")
    return [each["params"]["latestPushedK"] for each in policy["rules"]], policy["trigger"]["settings"]["cron"]


def test_retention_goes_along_where_that_is_asked_for_and_is_followed_until_somebody_changes_it_there(
    fragile: System, system: System, here: Replicating,
) -> None:
    project, repository = fresh(fragile)
    push_to(fragile, repository, "v1", make_image(project))
    retain(fragile.admin, project, 3, "0 0 2 * * *")
    registry = here.instance(system)
    here.run(here.policy(project, to=registry))
    assert retained(system.admin, project) is None
    policy = here.policy(project, to=registry, copy_retention=True)
    here.run(policy, dry_run=True)
    assert retained(system.admin, project) is None
    here.run(policy)
    assert retained(system.admin, project) == ([3], "0 0 2 * * *")
    retain(fragile.admin, project, 5)
    here.run(policy)
    assert retained(system.admin, project) == ([5], "")
    retain(system.admin, project, 100)
    run = here.run(policy)
    (task,) = here.tasks(run["id"])
    left_alone = f"the retention policy of {project} was changed there by somebody else: it is left as it is"
    assert run["status_text"] == left_alone
    assert left_alone in here.log(run["id"], task["id"])
    assert retained(system.admin, project) == ([100], "")


RIGHTS: Final = (
    ("repository", "pull"), ("repository", "push"), ("project", "read"),
    ("tag-retention", "create"), ("tag-retention", "read"), ("tag-retention", "update"),
)  # fmt: skip
"""What the manual says that the account at the target needs."""


def test_a_robot_takes_retention_along_with_just_the_rights_that_the_manual_names(
    fragile: System, system: System, here: Replicating,
) -> None:
    project, repository = fresh(fragile)
    push_to(fragile, repository, "v1", make_image(project))
    system.admin.must("POST", "/projects", json={"project_name": project})
    with system_robot(system, RIGHTS) as credential:
        policy = here.policy(
            project, to=here.registry(system.url, kind="harbor", credential=credential), copy_retention=True,
        )
        retain(fragile.admin, project, 3)
        here.run(policy)
        assert retained(system.admin, project) == ([3], "")
        retain(fragile.admin, project, 5)
        here.run(policy)
        assert retained(system.admin, project) == ([5], "")


def test_a_robot_that_may_not_make_retention_policies_is_told_and_makes_none(
    fragile: System, system: System, here: Replicating,
) -> None:
    project, repository = fresh(fragile)
    push_to(fragile, repository, "v1", make_image(project))
    retain(fragile.admin, project, 3)
    system.admin.must("POST", "/projects", json={"project_name": project})
    with system_robot(system, [each for each in RIGHTS if each != ("tag-retention", "create")]) as credential:
        policy = here.policy(
            project, to=here.registry(system.url, kind="harbor", credential=credential), copy_retention=True,
        )
        run = here.begin(policy)
        told = f"the creation of a retention policy of {project}"
        eventually(
            lambda: [task for task in here.tasks(run) if told in here.log(run, task["id"])],
            within=20, what="the log tells what was refused",
        )
        here.stop(run)
        assert here.ended(run)["succeed"] == 0
    assert retained(system.admin, project) is None


@contextmanager
def system_robot(system: System, rights: Sequence[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """The name and the secret of a robot account that has some rights in every project."""
    access = [{"resource": resource, "action": action} for resource, action in rights]
    made = system.admin.must("POST", "/robots", json={
        "name": f"r{secrets.token_hex(4)}", "level": "system", "duration": 1,
        "permissions": [{"kind": "project", "namespace": "*", "access": access}],
    }).json()  # fmt: skip
    try:
        yield made["name"], made["secret"]
    finally:
        system.admin.must("DELETE", f"/robots/{made['id']}")
