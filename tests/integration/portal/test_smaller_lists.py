"""The smaller lists of the portal: what is in them is searched, sorted and shown page by page as everywhere else."""

import re
from typing import LiteralString

import pytest

from tests.integration.core.people import Api
from tests.integration.core.rows import artifact_of, delivery_of, execution_of, policy_of, registry_of
from tests.integration.core.test_retention import policy, rule
from tests.integration.core.test_webhooks import body
from tests.integration.portal.filling import Person, person


@pytest.fixture
def admin(api: Api) -> Person:
    return person(api)


def write(api: Api, statement: LiteralString, *values: object) -> None:
    with api.database.superuser() as connection:
        connection.execute(statement, values)


def order(admin: Person, path: str, *names: str) -> list[str]:
    """Those of the names that a list shows, in its order."""
    html = admin.open(path, part="list").html
    listed = html[html.index("<tbody>") : html.index("</tbody>")] if "<tbody>" in html else ""
    text = re.sub(r"<[^>]+>", "", listed)
    return sorted((name for name in names if name in text), key=text.index)


def test_immutable_rules(api: Api, admin: Person) -> None:
    project = api.project()
    rules = (("v*", "zebra/**", False), ("release-*", "app/**", True), ("one", "many/**", False))
    for tag, repository, disabled in rules:
        api.made(
            f"/projects/{project}/immutabletagrules",
            {
                "disabled": disabled,
                "tag_selectors": [{"kind": "doublestar", "decoration": "matches", "pattern": tag}],
                "scope_selectors": {
                    "repository": [{"kind": "doublestar", "decoration": "repoMatches", "pattern": repository}]
                },
            },
        )
    path, named = f"/projects/{project}/immutable-tags", ("zebra/**", "app/**", "many/**")
    assert order(admin, path, *named) == ["zebra/**", "app/**", "many/**"]
    assert order(admin, f"{path}?sort=pattern", *named) == ["app/**", "many/**", "zebra/**"]
    assert order(admin, f"{path}?sort=-disabled", *named) == ["app/**", "many/**", "zebra/**"]
    assert order(admin, f"{path}?q=RELEASE", *named) == ["app/**"]
    assert order(admin, f"{path}?q=zebra", *named) == ["zebra/**"]
    assert order(admin, f"{path}?q=doublestar", *named) == []
    assert "No rule matches" in admin.open(f"{path}?q=nothing").words


def test_runs_of_retention_and_their_repositories(api: Api, admin: Person) -> None:
    project = api.project()
    write(
        api,
        """
        WITH run AS (
            INSERT INTO core.retention_executions
                (policy_id, dry_run, trigger, status, rules, actor, actor_kind, request_id, started_at, finished_at)
            VALUES (%s, true, 'MANUAL', 'Success', '[]', 'admin', 'user', '', now(), now()),
                   (%s, false, 'SCHEDULE', 'Error', '[]', 'admin', 'user', '', now(), now())
            RETURNING id, status
        )
        INSERT INTO core.retention_tasks (execution_id, repository, status, total, retained, started_at, finished_at)
        SELECT run.id, 'p/' || name, 'Success', total, retained, now(), now()
        FROM run, (VALUES ('zebra', 5, 5), ('app', 9, 1)) AS t (name, total, retained) WHERE run.status = 'Success'
        """,
        *[api.made("/retentions", policy(api, project, rule("always", None)))] * 2,
    )
    path, kinds = f"/projects/{project}/retention", ("Dry run", "Deletes")
    assert order(admin, path, *kinds) == ["Deletes", "Dry run"]
    assert order(admin, f"{path}?sort=id", *kinds) == ["Dry run", "Deletes"]
    assert order(admin, f"{path}?sort=dry_run", *kinds) == ["Deletes", "Dry run"]
    assert order(admin, f"{path}?sort=trigger", *kinds) == ["Dry run", "Deletes"]
    assert order(admin, f"{path}?status=Error", *kinds) == ["Deletes"]
    assert "None in this state" in admin.open(f"{path}?status=Stopped").words
    assert order(admin, f"{path}?status=nonsense", *kinds) == ["Deletes", "Dry run"]
    run = min(link for link in admin.open(path).links if "/runs/" in link)
    assert order(admin, run, "p/zebra", "p/app") == ["p/app", "p/zebra"]
    assert order(admin, f"{run}?sort=-repository", "p/zebra", "p/app") == ["p/zebra", "p/app"]
    assert order(admin, f"{run}?sort=total", "p/zebra", "p/app") == ["p/zebra", "p/app"]
    assert order(admin, f"{run}?q=ZEB", "p/zebra", "p/app") == ["p/zebra"]
    assert "No repository matches" in admin.open(f"{run}?q=nothing").words
    whole, part = admin.open(run).html, admin.open(run, part="list").html
    assert (whole.count('id="progress"'), "hx-swap-oob" in whole) == (1, False)
    assert (part.count('<div id="progress" hx-swap-oob="true">'), "Rules and runs" in part) == (1, True)


def test_deliveries_and_their_attempts(api: Api, admin: Person) -> None:
    project = api.project()
    hook = api.made(f"/projects/{project}/webhook/policies", body())
    told, failed = delivery_of(api, hook)[0], delivery_of(api, hook, "error")[0]
    write(
        api,
        """
        UPDATE webhook.deliveries SET event_type = 'DELETE_ARTIFACT', body = '{"resource":"app:v1"}',
               created_at = created_at - interval '1 hour' WHERE id = %s
        """,
        failed,
    )
    write(
        api,
        """
        INSERT INTO webhook.attempts
            (delivery_id, number, started_at, finished_at, succeeded, message, request, response)
        VALUES (%s, 2, now(), now(), true, 'second try', '', '')
        """,
        failed,
    )
    path, both = f"/projects/{project}/webhooks/{hook}", (f"Delivery {told}", f"Delivery {failed}")
    assert order(admin, path, *both) == [*both]
    for sort in ("start_time", "-id", "event_type", "status"):
        assert order(admin, f"{path}?sort={sort}", *both) == [*both[::-1]], sort
    assert order(admin, f"{path}?q=APP:V1", *both) == [both[1]]
    assert order(admin, f"{path}?q=app:v1&status=Success", *both) == []
    assert "No delivery matches" in admin.open(f"{path}?q=nothing").words
    at, tries = f"{path}/deliveries/{failed}", ("told", "second try")
    assert order(admin, at, *tries) == ["second try", "told"]
    for sort in ("run_count", "status", "start_time"):
        assert order(admin, f"{at}?sort={sort}", *tries) == ["told", "second try"], sort
    assert order(admin, f"{at}?status=Success", *tries) == ["second try"]
    assert order(admin, f"{at}?status=Error", *tries) == ["told"]
    assert "None in this state" in admin.open(f"{at}?status=Running").words


def test_executions_of_replication_and_their_tasks(api: Api, admin: Person) -> None:
    number = policy_of(api, registry_of(api))
    early, [first, second] = execution_of(api, number, "failed", "succeeded", "failed")
    late, _ = execution_of(api, number, "succeeded", "succeeded")
    write(api, "UPDATE replication.tasks SET source = 'library/zebra', target = 'a/z' WHERE id = %s", first)
    write(api, "UPDATE replication.tasks SET source = 'library/alpha', target = 'b/a' WHERE id = %s", second)
    path = f"/replication/policies/{number}"

    def runs(query: str) -> list[int]:
        links = re.findall(r"/replication/executions/(\d+)", admin.open(f"{path}{query}", part="list").html)
        return [int(each) for each in links]

    assert runs("") == [late, early]
    for sort in ("id", "status", "-total", "-failed", "start_time"):
        assert runs(f"?sort={sort}") == [early, late], sort
    assert runs("?sort=id&status=Succeed") == [late]
    at, both = f"/replication/executions/{early}", ("library/zebra", "library/alpha")
    assert order(admin, at, *both) == [*both]
    for sort in ("src_resource", "-dst_resource", "status"):
        assert order(admin, f"{at}?sort={sort}", *both) == [*both[::-1]], sort
    assert order(admin, f"{at}?q=ALPHA", *both) == ["library/alpha"]
    assert order(admin, f"{at}?q=alpha&status=Succeed", *both) == []
    assert "None matches." in admin.open(f"{at}?q=nothing").words
    whole, part = admin.open(at).html, admin.open(at, part="list").html
    assert (whole.count('id="progress"'), "hx-swap-oob" in whole) == (1, False)
    assert (part.count('<div id="progress" hx-swap-oob="true">'), f"Execution {early}" in part) == (1, True)


@pytest.mark.parametrize(
    ("place", "job", "parameters"),
    [
        ("/admin/garbage", "gc", {"dry_run": True}),
        (
            "/admin/audit-purge", "purgeaudit",
            {"dry_run": True, "audit_retention_hour": 1, "include_event_types": "pull_artifact"},
        ),
    ],
)
def test_the_systems_own_jobs(api: Api, admin: Person, place: str, job: str, parameters: dict[str, object]) -> None:
    asked = {"schedule": {"type": "Manual"}, "parameters": parameters}
    first = api.made(f"/system/{job}/schedule", asked)
    assert api.send("PUT", f"/system/{job}/{first}").status_code == 200
    second = api.made(f"/system/{job}/schedule", asked)

    def shown(sort: str) -> list[int]:
        html = admin.open(f"{place}{sort}", part="list").html
        return [number for each in re.findall(rf'href="{place}/(\d+)/log"', html) if (number := int(each)) >= first]

    assert shown("") == [second, first]
    assert shown("?sort=-job_status") == [first, second]
    for sort in ("id", "creation_time", "update_time"):
        assert shown(f"?sort={sort}") == [first, second], sort
    assert shown("?status=Pending") == [second]
    assert shown("?status=Stopped&sort=id") == [first]
    assert shown("?status=nonsense&sort=id") == [first, second]
    assert "None in this state" in admin.open(f"{place}?status=Running").words
    assert api.send("PUT", f"/system/{job}/{second}").status_code == 200


def test_groups(api: Api, admin: Person) -> None:
    mark = api.project()
    for name, dn in (("zebra", "cn=a"), ("alpha", "cn=z")):
        write(
            api, "INSERT INTO core.user_groups (name, ldap_dn, type) VALUES (%s, %s, 1)", f"{mark}-{name}",
            f"{dn},ou={mark},dc=test",
        )  # fmt: skip
    path, both = f"/admin/groups?q={mark}", (f"{mark}-zebra", f"{mark}-alpha")
    assert order(admin, path, *both) == [*both[::-1]]
    assert order(admin, f"{path}&sort=-group_name", *both) == [*both]
    assert order(admin, f"{path}&sort=ldap_group_dn", *both) == [*both]
    write(api, "DELETE FROM core.user_groups WHERE name LIKE %s", f"{mark}-%")


def test_tags_of_an_artifact(api: Api, admin: Person) -> None:
    project = api.project()
    digest = artifact_of(api, project, "app", *(f"v{number:02}" for number in range(27)), "latest")
    path = f"/projects/{project}/artifacts/{digest}/app"
    assert "28 tags · page 1 of 2" in admin.open(path).words
    assert order(admin, f"{path}?sort=-name&page=2", "v01", "v00", "latest") == ["v01", "v00", "latest"]
    assert order(admin, f"{path}?q=LAT", "latest", "v01") == ["latest"]
    assert "No tag of it is named like this" in admin.open(f"{path}?q=nothing").words


def test_refresh_tokens(api: Api) -> None:
    caller = api.user()
    write(
        api,
        """
        INSERT INTO token.refresh_tokens
            (token_hash, user_id, credential_version, client_id, address, created_at, expires_at)
        SELECT sha256((%s || '/' || n)::bytea), %s, 1, 'client-' || to_char(n, 'FM00'), '',
            now() - n * interval '1 minute', now() + n * interval '1 day' FROM generate_series(1, 30) n
        """,
        caller.name,
        api.user_id(caller),
    )
    me, names = person(api, caller), ("client-01", "client-25", "client-26", "client-30")
    assert "30 tokens · page 1 of 2" in me.open("/profile").words
    assert order(me, "/profile", *names) == ["client-01", "client-25"]
    assert order(me, "/profile?page=2", *names) == ["client-26", "client-30"]
    assert order(me, "/profile?sort=-client_id", *names) == ["client-30", "client-26", "client-25"]
    assert order(me, "/profile?sort=-expiration_time", *names) == ["client-30", "client-26", "client-25"]
    assert order(me, "/profile?q=CLIENT-2", *names) == ["client-25", "client-26"]
    assert "No client of this name keeps one" in me.open("/profile?q=nothing").words
    asked = me.open("/profile/tokens/all/revoke").words
    assert "Revoke 30 tokens" in asked
    assert "and 20 others" in asked
    path = f"/users/{api.user_id(caller)}/refresh_tokens"
    assert len(api.get(f"{path}?page_size=7&page=5", caller).json) == 2
    assert api.get(path, caller).headers["x-total-count"] == "30"
    assert [each["client_id"] for each in api.get(f"{path}?q=client_id=~-30", caller).json] == ["client-30"]
