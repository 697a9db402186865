"""What goes along with artifacts where a replication policy asks for it: labels and retention, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.core.people import ADMIN, Api, code, sentence
from tests.integration.core.policies import POLICIES, body, rows, written
from tests.integration.core.rows import policy_of, registry_of


@pytest.mark.parametrize(
    ("kind", "side", "named"),
    [("docker-registry", "dest_registry", "docker-registry knows no labels"), ("harbor", "src_registry", "from this")],
)
def test_labels_are_taken_along_only_to_a_registry_that_knows_them(
    api: Api, kind: str, side: str, named: str
) -> None:
    other = registry_of(api, type=kind)
    number = api.made(POLICIES, {"name": f"about {kind}", side: {"id": other}})
    before = written(api)
    wanted = {"name": "with labels", side: {"id": other}, "copy_labels": True}
    for method, path in (("POST", POLICIES), ("PUT", f"{POLICIES}/{number}")):
        answer = api.send(method, path, ADMIN, wanted)
        assert (answer.status_code, code(answer)) == (400, "BAD_REQUEST"), answer.text
        assert named in sentence(answer)
    assert written(api) == before


@pytest.mark.parametrize(
    ("kind", "side", "more", "named"),
    [
        ("docker-registry", "dest_registry", {}, "docker-registry knows no retention"),
        ("harbor", "src_registry", {}, "from this"),
        ("harbor", "dest_registry", {"dest_namespace": "copies"}, "dest_namespace"),
    ],
)
def test_retention_is_taken_along_only_where_its_rules_mean_the_same(
    api: Api, kind: str, side: str, more: dict[str, Any], named: str
) -> None:
    other = registry_of(api, type=kind)
    number = api.made(POLICIES, {"name": f"retains to {named}", side: {"id": other}})
    before = written(api)
    wanted = {"name": "with retention", side: {"id": other}, "copy_retention": True} | more
    for method, path in (("POST", POLICIES), ("PUT", f"{POLICIES}/{number}")):
        answer = api.send(method, path, ADMIN, wanted)
        assert (answer.status_code, code(answer)) == (400, "BAD_REQUEST"), answer.text
        assert named in sentence(answer)
    assert written(api) == before


def test_switched_off_what_others_have_changed_is_forgotten_and_what_is_ours_is_known(api: Api) -> None:
    one, another = registry_of(api), registry_of(api)
    number = policy_of(api, one, name="retains", copy_retention=True)
    rows(
        api,
        """
        INSERT INTO replication.retentions (registry_id, target, number, stopped)
        VALUES (%s, 'ours', 1, false), (%s, 'theirs', 2, true), (%s, 'elsewhere', 3, true) RETURNING target
        """,
        one, one, another,
    )  # fmt: skip

    def known() -> list[Any]:
        query = "SELECT target FROM replication.retentions WHERE registry_id IN (%s, %s) ORDER BY target"
        return [target for (target,) in rows(api, query, one, another)]

    wanted = body(one, "retains", enabled=True, copy_retention=True)
    assert api.send("PUT", f"{POLICIES}/{number}", ADMIN, wanted | {"speed": 7}).status_code == 200
    assert known() == ["elsewhere", "ours", "theirs"]
    assert api.send("PUT", f"{POLICIES}/{number}", ADMIN, wanted | {"copy_retention": False}).status_code == 200
    assert known() == ["elsewhere", "ours"]
    assert api.get(f"{POLICIES}/{number}").json["copy_retention"] is False
    api.send("DELETE", f"{POLICIES}/{number}")
    assert api.send("DELETE", f"/registries/{one}").status_code == 200
    assert known() == ["elsewhere"]
