"""Rows as the services would have written them: of the catalogue after a push, labels, and webhook deliveries."""

from datetime import datetime
from hashlib import sha256
from itertools import count

from tests.integration.core.people import Api

_numbers = count(1)


def label_of(api: Api, project: str | None = None, name: str = "") -> int:
    """A label of a project, or a global one; returns its number."""
    with api.database.superuser() as connection:
        row = connection.execute(
            """
            INSERT INTO core.labels (name, project_id)
            VALUES (%s, (SELECT id FROM core.projects WHERE name = %s AND deleted_at IS NULL)) RETURNING id
            """,
            (name or f"label{next(_numbers)}", project),
        ).fetchone()
    assert row
    return int(row[0])


def retention_of(api: Api, project: str) -> int:
    """The retention policy of a project, made where it is missing; returns its number."""
    with api.database.superuser() as connection:
        row = connection.execute(
            """
            INSERT INTO core.retention_policies (project_id, rules)
            VALUES ((SELECT id FROM core.projects WHERE name = %s AND deleted_at IS NULL), '[]')
            ON CONFLICT (project_id) DO UPDATE SET updated_at = now() RETURNING id
            """,
            (project,),
        ).fetchone()
    assert row
    return int(row[0])


def artifact_of(api: Api, project: str, rest: str, *tags: str) -> str:
    """An image in a repository of a project, both made where they are missing; returns its digest."""
    digest = "sha256:" + sha256(f"{project}/{rest}/{next(_numbers)}".encode()).hexdigest()
    with api.database.superuser() as connection:
        row = connection.execute(
            "SELECT id FROM core.projects WHERE name = %s AND deleted_at IS NULL", (project,)
        ).fetchone()
        assert row
        repository = connection.execute(
            """
            WITH made AS (
                INSERT INTO core.repositories (project_id, name) VALUES (%(project)s, %(name)s)
                ON CONFLICT (name) DO NOTHING RETURNING id
            ), counted AS (
                UPDATE core.projects SET repository_count = repository_count + 1
                WHERE id = %(project)s AND EXISTS (SELECT FROM made)
            )
            SELECT id FROM made UNION ALL SELECT id FROM core.repositories WHERE name = %(name)s
            """,
            {"project": row[0], "name": f"{project}/{rest}"},
        ).fetchone()
        assert repository
        artifact = connection.execute(
            """
            INSERT INTO core.artifacts (project_id, repository_id, digest, type, media_type, manifest_media_type, size,
                                        extra_attrs)
            VALUES (%s, %s, %s, 'IMAGE', 'application/vnd.oci.image.config.v1+json',
                    'application/vnd.oci.image.manifest.v1+json', 1000, '{"architecture": "amd64", "os": "linux"}')
            RETURNING id
            """,
            (row[0], repository[0], digest),
        ).fetchone()
        assert artifact
        connection.execute(
            "UPDATE core.repositories SET artifact_count = artifact_count + 1 WHERE id = %s", (repository[0],)
        )
        connection.execute("UPDATE core.projects SET artifact_count = artifact_count + 1 WHERE id = %s", (row[0],))
        for tag in tags:
            connection.execute(
                "INSERT INTO core.tags (repository_id, artifact_id, name) VALUES (%s, %s, %s)",
                (repository[0], artifact[0], tag),
            )
    return digest


def accessory_of(
    api: Api,
    project: str,
    rest: str,
    subject: str,
    artifact_type: str = "",
    *,
    media_type: str = "",
    size: int = 1000,
    pushed_at: datetime | None = None,
) -> str:
    """An artifact that is about the one of a digest in the same repository; returns its own digest."""
    digest = artifact_of(api, project, rest)
    with api.database.superuser() as connection:
        connection.execute(
            """
            UPDATE core.artifacts SET subject = %s, artifact_type = %s, media_type = %s, size = %s,
                                      pushed_at = coalesce(%s, pushed_at)
            WHERE digest = %s
            """,
            (subject, artifact_type, media_type, size, pushed_at, digest),
        )
    return digest


def delivery_of(api: Api, policy_id: int, state: str = "success", *, request: str = "POST") -> tuple[int, int]:
    """A delivery of a policy to its first target, and one attempt of it; returns the numbers of both."""
    with api.database.superuser() as connection:
        delivery = connection.execute(
            """
            INSERT INTO webhook.deliveries (uid, target_id, policy_id, event_type, trigger, content_type, body, state,
                                            attempts, message, created_at, updated_at, due_at, expires_at, finished_at)
            SELECT gen_random_uuid(), t.id, t.policy_id, 'PUSH_ARTIFACT', 'EVENT', 'application/json',
                   '{"type":"PUSH_ARTIFACT"}', %(state)s, 1, 'told', now(), now(), now(), now() + interval '1 day',
                   CASE WHEN %(state)s <> 'pending' THEN now() END
            FROM webhook.targets t WHERE t.policy_id = %(policy)s ORDER BY t.position LIMIT 1
            RETURNING id
            """,
            {"state": state, "policy": policy_id},
        ).fetchone()
        assert delivery
        attempt = connection.execute(
            """
            INSERT INTO webhook.attempts (delivery_id, number, started_at, finished_at, succeeded, message, request,
                                          response)
            VALUES (%s, 1, now(), now(), %s, 'told', %s, '200 OK') RETURNING id
            """,
            (delivery[0], state == "success", request),
        ).fetchone()
        assert attempt
    return delivery[0], attempt[0]


def registry_of(api: Api, **fields: object) -> int:
    """Another registry; returns its number."""
    number = next(_numbers)
    body = {"name": f"registry{number}", "type": "harbor", "url": f"https://registry{number}.example.test"}
    return api.made("/registries", body | fields)


def policy_of(api: Api, registry_id: int, **fields: object) -> int:
    """A replication policy that copies from here to a registry; returns its number."""
    body = {"name": f"policy{next(_numbers)}", "dest_registry": {"id": registry_id}, "enabled": True}
    return api.made("/replication/policies", body | fields)


def execution_of(api: Api, policy_id: int, state: str = "running", *tasks: str) -> tuple[int, list[int]]:
    """An execution of a replication policy with tasks in some states; returns the numbers of it and of them."""
    with api.database.superuser() as connection:
        execution = connection.execute(
            """
            INSERT INTO replication.executions
                (policy_id, trigger, scope, operator, state, total, in_progress, succeeded, failed, stopped, ended_at)
            SELECT %(policy)s, 'manual', 'everything', 'admin', %(state)s, count(*),
                   count(*) FILTER (WHERE t IN ('pending', 'running')), count(*) FILTER (WHERE t = 'succeeded'),
                   count(*) FILTER (WHERE t = 'failed'), count(*) FILTER (WHERE t = 'stopped'),
                   CASE WHEN %(state)s NOT IN ('preparing', 'running') THEN now() END
            FROM unnest(%(tasks)s::text[]) AS t RETURNING id
            """,
            {"policy": policy_id, "state": state, "tasks": list(tasks)},
        ).fetchone()
        assert execution
        numbers = []
        for task in tasks:
            row = connection.execute(
                """
                INSERT INTO replication.tasks
                    (execution_id, policy_id, registry_id, operation, kind, source, target, digest, tags, state,
                     attempts, due_at, worker, blobs_total, blobs_done, bytes_total, bytes_done, bytes_sent, created_at,
                     started_at, ended_at)
                SELECT %(execution)s, p.id, coalesce(p.source_id, p.target_id), 'copy', 'image', 'library/app',
                       'copies/app', 'sha256:abc', ARRAY['1.0', 'latest'], %(state)s, 1, now(),
                       CASE WHEN %(state)s = 'running' THEN gen_random_uuid() END, 4, 3, 100, 90, 80, now(),
                       CASE WHEN %(state)s <> 'pending' THEN now() END,
                       CASE WHEN %(state)s NOT IN ('pending', 'running') THEN now() END
                FROM replication.policies p WHERE p.id = %(policy)s RETURNING id
                """,
                {"execution": execution[0], "policy": policy_id, "state": task},
            ).fetchone()
            assert row
            numbers.append(row[0])
    return execution[0], numbers


def line_of(api: Api, task_id: int, text: str) -> None:
    """A line that a replication task has written down."""
    with api.database.superuser() as connection:
        connection.execute(
            "INSERT INTO replication.task_lines (task_id, at, text) VALUES (%s, now(), %s)", (task_id, text)
        )
