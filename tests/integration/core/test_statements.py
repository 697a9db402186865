"""How many statements a page costs: the same for one row and for a hundred."""

import pytest

from tests.integration.core.executed import statements
from tests.integration.core.people import ADMIN, Api, Caller
from tests.integration.core.rows import artifact_of, delivery_of, label_of
from tests.integration.core.swagger import DESCRIPTION, Description

LISTS = {
    "/projects": ("/projects", 3),
    "/projects/{project}/members": ("/projects/{project}/members", 2),
    "/projects/{project}/repositories": ("/projects/{project}/repositories", 2),
    "/projects/{project}/repositories/{repository}/artifacts": (
        "/projects/{project}/repositories/app0/artifacts", 4,
    ),
    "/projects/{project}/repositories/{repository}/artifacts/{reference}/tags": (
        "/projects/{project}/repositories/app0/artifacts/v1/tags", 4,
    ),
    "/projects/{project}/artifacts": ("/projects/{project}/artifacts", 4),
    "/projects/{project}/repositories/{repository}/artifacts with labels": (
        "/projects/{project}/repositories/app0/artifacts?with_label=true", 5,
    ),
    "/projects/{project}/artifacts with labels": ("/projects/{project}/artifacts?with_label=true", 5),
    "/projects/{project}/repositories/{repository}/artifacts with accessories": (
        "/projects/{project}/repositories/app0/artifacts?with_accessory=true", 5,
    ),
    "/labels": ("/labels?scope=p&project_id={number}", 3),
    "/projects/{project}/repositories/{repository}/artifacts/{reference}/accessories": (
        "/projects/{project}/repositories/app0/artifacts/v1/accessories", 5,
    ),
    "/projects/{project}/immutabletagrules": ("/projects/{project}/immutabletagrules", 2),
    "/quotas": ("/quotas", 2),
    "/projects/{project}/logs": ("/projects/{project}/logs", 4),
    "/projects/{project}/auditlog-exts": ("/projects/{project}/auditlog-exts?q=operation=pull", 4),
    "/repositories": ("/repositories", 3),
    "/robots": ("/robots?q=Level=project,ProjectID={number}", 5),
    "/search": ("/search?q=project", 4),
    "/users": ("/users", 3),
    "/usergroups": ("/usergroups", 2),
    "/usergroups/search": ("/usergroups/search?groupname=many", 2),
    "/users/search": ("/users/search?username=user", 3),
    "/projects/{project}/webhook/policies": ("/projects/{project}/webhook/policies", 3),
    "/projects/{project}/webhook/policies/{webhook_policy_id}/executions": (
        "/projects/{project}/webhook/policies/{policy}/executions", 4,
    ),
    "/projects/{project}/webhook/policies/{webhook_policy_id}/executions/{execution_id}/tasks": (
        "/projects/{project}/webhook/policies/{policy}/executions/{delivery}/tasks", 5,
    ),
    "/projects/{project}/webhook/jobs": ("/projects/{project}/webhook/jobs?policy_id={policy}", 4),
    "/retentions/{id}/executions": ("/retentions/{retention}/executions", 4),
    "/retentions/{id}/executions/{eid}/tasks": ("/retentions/{retention}/executions/{execution}/tasks", 5),
    "/schedules": ("/schedules", 2),
    "/users/current/roles": ("/users/current/roles", 2),
    "/registries": ("/registries", 2),
    "/replication/policies": ("/replication/policies", 4),
    "/replication/executions": ("/replication/executions", 3),
    "/replication/executions/{id}/tasks": ("/replication/executions/{replication}/tasks", 3),
    "/system/gc": ("/system/gc", 2),
    "/system/purgeaudit": ("/system/purgeaudit", 2),
    "/system/parked_notifications": ("/system/parked_notifications?q=reason=~odd", 2),
    "/audit-logs": ("/audit-logs", 4),
    "/auditlog-exts": ("/auditlog-exts", 4),
}  # fmt: skip
"""Each list of the API: how it is asked for, and how many statements it may take."""

FOR_ADMINISTRATORS = {
    "/users", "/quotas", "/usergroups", "/schedules", "/system/gc", "/system/purgeaudit", "/registries",
    "/replication/policies", "/replication/executions", "/replication/executions/{id}/tasks",
    "/system/parked_notifications",
}  # fmt: skip
OF_THE_FIRST_ADMINISTRATOR = {"/users/current/roles"}
"""Lists of what is the caller's own: he has many of it."""
ROWS = 100


@pytest.fixture(scope="module")
def project(api: Api) -> str:
    """A project with a full page of everything that is listed."""
    name = api.project()
    artifact_of(api, name, "app0", "v1")
    api.member(name, "guest")
    label_of(api, name)
    policy = api.made(f"/projects/{name}/webhook/policies", {
        "name": "hook", "event_types": ["PUSH_ARTIFACT"],
        "targets": [{"type": "http", "address": "https://hooks.example.test/"}] * 2,
    })  # fmt: skip
    delivery_of(api, policy)
    number = api.get(f"/projects/{name}").json["project_id"]
    with api.database.superuser() as connection:
        for statement in MANY:
            connection.execute(statement, {"project": number, "name": name, "rows": ROWS})
    return name


MANY = (
    """
    INSERT INTO core.projects (name, owner_id, public) SELECT 'project-many-' || n, 1, true
    FROM generate_series(1, %(rows)s::int) n
    """,
    """
    INSERT INTO core.members (project_id, user_id, role_id)
    SELECT id, 1, 1 FROM core.projects WHERE name LIKE 'project-many-%%'
    """,
    """
    WITH made AS (
        INSERT INTO core.users (username, realname) SELECT 'user-many-' || n, ''
        FROM generate_series(1, %(rows)s::int) n RETURNING id
    )
    INSERT INTO core.members (project_id, user_id, role_id) SELECT %(project)s, id, 3 FROM made
    """,
    """
    WITH made AS (
        INSERT INTO core.user_groups (name, ldap_dn) SELECT 'group-many-' || n, 'cn=many' || n
        FROM generate_series(1, %(rows)s::int) n RETURNING id
    )
    INSERT INTO core.members (project_id, group_id, role_id) SELECT %(project)s, id, 3 FROM made
    """,
    """
    INSERT INTO core.robots (name, project_id, secret_hash) SELECT %(name)s || '+many' || n, %(project)s, ''
    FROM generate_series(1, %(rows)s::int) n
    """,
    """
    INSERT INTO core.repositories (project_id, name) SELECT %(project)s, %(name)s || '/many' || n
    FROM generate_series(1, %(rows)s::int) n
    """,
    """
    WITH made AS (
        INSERT INTO core.artifacts (project_id, repository_id, digest, type, media_type, manifest_media_type)
        SELECT %(project)s, id, 'sha256:many' || n, 'IMAGE', '', '' FROM core.repositories,
            generate_series(1, %(rows)s::int) n WHERE name = %(name)s || '/app0' RETURNING id, repository_id
    ), tagged AS (
        INSERT INTO core.tags (repository_id, artifact_id, name) SELECT repository_id, id, 'many' || id FROM made
    )
    INSERT INTO core.artifact_references (parent_id, position, child_digest, child_id)
    SELECT id, 0, 'sha256:child', id FROM made
    """,
    """
    UPDATE core.artifacts a SET subject = v1.digest
    FROM core.tags t JOIN core.artifacts v1 ON v1.id = t.artifact_id
    WHERE t.name = 'v1' AND a.repository_id = t.repository_id AND a.project_id = %(project)s AND a.id <> v1.id
    """,
    """
    INSERT INTO core.labels (name, project_id) SELECT 'many' || n, %(project)s
    FROM generate_series(1, %(rows)s::int) n
    """,
    """
    INSERT INTO core.artifact_labels (artifact_id, label_id)
    SELECT a.id, l.id FROM core.artifacts a
    JOIN (SELECT project_id, min(id) AS id FROM core.labels GROUP BY project_id) l ON l.project_id = a.project_id
    WHERE a.project_id = %(project)s
    """,
    """
    INSERT INTO core.immutable_rules (project_id, repository_selectors, tag_selectors)
    SELECT %(project)s, '[]', jsonb_build_array(jsonb_build_object(
        'kind', 'doublestar', 'decoration', 'matches', 'pattern', 'v' || n, 'extras', ''))
    FROM generate_series(1, %(rows)s::int) n
    """,
    """
    INSERT INTO core.tags (repository_id, artifact_id, name)
    SELECT t.repository_id, t.artifact_id, 'v1-' || n FROM core.tags t
    JOIN core.repositories r ON r.id = t.repository_id AND r.name = %(name)s || '/app0',
    generate_series(1, %(rows)s::int) n WHERE t.name = 'v1'
    """,
    """
    UPDATE core.repositories SET artifact_count = (SELECT count(*) FROM core.artifacts a WHERE a.repository_id = r.id)
    FROM core.repositories r WHERE r.id = repositories.id
    """,
    """
    WITH made AS (
        INSERT INTO webhook.policies (project_id, name, event_types)
        SELECT %(project)s, 'many' || n, ARRAY['PUSH_ARTIFACT'] FROM generate_series(1, %(rows)s::int) n RETURNING id
    )
    INSERT INTO webhook.targets (policy_id, position, kind, address, payload_format)
    SELECT id, 0, 'http', 'https://hooks.example.test/', 'Default' FROM made
    """,
    """
    INSERT INTO webhook.attempts (delivery_id, number, started_at, finished_at, succeeded, message, request, response)
    SELECT a.delivery_id, n, a.started_at, a.finished_at, a.succeeded, a.message, a.request, a.response
    FROM webhook.attempts a JOIN webhook.deliveries d ON d.id = a.delivery_id
    JOIN webhook.policies p ON p.id = d.policy_id AND p.project_id = %(project)s, generate_series(2, %(rows)s::int) n
    """,
    """
    INSERT INTO webhook.deliveries (uid, target_id, policy_id, event_type, trigger, content_type, body, state, attempts,
        message, created_at, updated_at, due_at, expires_at, finished_at)
    SELECT gen_random_uuid(), d.target_id, d.policy_id, d.event_type, d.trigger, d.content_type, d.body, d.state,
        d.attempts, d.message, d.created_at, d.updated_at, d.due_at, d.expires_at, d.finished_at
    FROM webhook.deliveries d JOIN webhook.policies p ON p.id = d.policy_id AND p.project_id = %(project)s,
        generate_series(1, %(rows)s::int) n
    """,
    """
    WITH policy AS (
        INSERT INTO core.retention_policies (project_id, rules) VALUES (%(project)s, '[]') RETURNING id
    ), named AS (
        UPDATE core.projects SET metadata = jsonb_build_object('retention_id', policy.id::text) FROM policy
        WHERE projects.id = %(project)s
    ), executions AS (
        INSERT INTO core.retention_executions
            (policy_id, trigger, dry_run, rules, actor, actor_kind, request_id, finished_at)
        SELECT id, 'MANUAL', true, '[]', 'alice', 'user', '', now() FROM policy, generate_series(1, %(rows)s::int)
        RETURNING id
    )
    INSERT INTO core.retention_tasks (execution_id, repository)
    SELECT (SELECT max(id) FROM executions), 'many' || n FROM generate_series(1, %(rows)s::int) n
    """,
    """
    INSERT INTO core.schedules (kind, owner_id, cron, next_at)
    SELECT 'retention', 1000000 + n, '0 0 0 * * *', now() FROM generate_series(1, %(rows)s::int) n
    """,
    """
    WITH other AS (
        INSERT INTO replication.registries (name, kind, url) SELECT 'many' || n, 'harbor', 'https://many.example.test'
        FROM generate_series(1, %(rows)s::int) n RETURNING id
    ), policy AS (
        INSERT INTO replication.policies (name, target_id, trigger) SELECT 'many' || id, id, 'manual' FROM other
        RETURNING id, target_id
    ), execution AS (
        INSERT INTO replication.executions (policy_id, trigger, scope, state, ended_at)
        SELECT id, 'manual', 'everything', 'succeeded', now() FROM policy RETURNING id, policy_id
    )
    INSERT INTO replication.tasks
        (execution_id, policy_id, registry_id, operation, kind, source, target, tags, state, due_at, created_at)
    SELECT (SELECT max(id) FROM execution), id, target_id, 'copy', 'image', 'library/app', 'copies/app', '{}',
           'succeeded', now(), now() FROM policy
    """,
    """
    INSERT INTO core.collections (trigger, delete_untagged, dry_run, parameters, actor, actor_kind, request_id, status,
        finished_at)
    SELECT 'MANUAL', true, true, '{}', 'alice', 'user', '', 'Success', now() FROM generate_series(1, %(rows)s::int)
    """,
    """
    INSERT INTO core.audit_purges (trigger, hours, kinds, dry_run, parameters, actor, actor_kind, request_id)
    SELECT 'MANUAL', 1, '{}', true, '{}', 'alice', 'user', '' FROM generate_series(1, %(rows)s::int)
    """,
    """
    INSERT INTO events.parked (reason, body) SELECT 'an odd one', '{' FROM generate_series(1, %(rows)s::int)
    """,
    "SELECT audit.prepare(now())",
    """
    INSERT INTO audit.records (sequence, recorded_at, event_id, event_type, occurred_at, actor, actor_kind, operation,
        resource_type, resource, project, address, client, request_id, succeeded, occurrences, description)
    SELECT n, now(), gen_random_uuid(), '', now() + interval '1 second', 'alice', 'user', 'pull', 'artifact', '',
        %(name)s, '', '', '', true, 1, '' FROM generate_series(1, %(rows)s::int) n
    """,
)


@pytest.mark.skipif(not DESCRIPTION.exists(), reason=f"the API's description is not at {DESCRIPTION}")
def test_every_list_has_a_row_here(api: Api) -> None:
    built = {path for method, path in api.built() if method == "GET"}
    paged = {path for method, path in Description().paged() if method == "GET" and path in built}
    assert paged
    assert paged - LISTS.keys() == set()


@pytest.mark.parametrize("as_admin", [True, False], ids=["administrator", "member"])
@pytest.mark.parametrize("path", LISTS)
def test_a_page_costs_the_same_however_long_it_is(api: Api, project: str, path: str, *, as_admin: bool) -> None:
    if path in FOR_ADMINISTRATORS | OF_THE_FIRST_ADMINISTRATOR and not as_admin:
        return
    caller = ADMIN if as_admin else api.member(project, "projectAdmin")
    number = api.get(f"/projects/{project}").json["project_id"]
    template, most = LISTS[path]
    hooks = f"/projects/{project}/webhook/policies"
    policy = api.get(f"{hooks}?q=name=hook").json[0]["id"]
    retention = api.get(f"/projects/{project}/metadatas").json["retention_id"]
    names = {
        "policy": policy,
        "delivery": api.get(f"{hooks}/{policy}/executions?sort=id").json[0]["id"],
        "retention": retention,
        "execution": api.get(f"/retentions/{retention}/executions").json[0]["id"],
        "replication": api.get("/replication/executions").json[0]["id"],
    }
    target = template.format(project=project, number=number, **names)
    counts = {size: _count(api, target, size, caller) for size in (1, ROWS)}
    assert counts[1] == counts[ROWS] <= most


def _count(api: Api, target: str, size: int, caller: Caller) -> int:
    joint = "&" if "?" in target else "?"
    api.get(target, caller)
    with statements() as seen:
        answer = api.get(f"{target}{joint}page_size={size}", caller)
    assert answer.status_code == 200
    if not target.startswith("/search"):
        assert len(answer.json) == size
    return len(seen)
