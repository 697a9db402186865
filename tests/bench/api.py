"""The commonest reads of the API under 50 connections, at a size and a hundredth of it: none may grow with the data."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Final

from tests.bench.figures import Figure, Goal, Side, percentile
from tests.bench.load import Load, Result, drive, request
from tests.bench.tokens import all_good

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.bench.rig import Rig
    from tests.e2e.system import System

PROJECTS: Final = 1_000
ARTIFACTS: Final = 100  # a project
RECORDS: Final = 1_000  # a project
HUNDREDTH: Final = 100
CONNECTIONS: Final = 50
LIMIT: Final = 1.5
VARIETY: Final = 200
ROUNDS: Final = 4

READS: Final = {
    "list projects": "/api/v2.0/projects?page=1",
    "list artifacts": "/api/v2.0/projects/{project}/repositories/app/artifacts?page={page}",
    "list audit logs": "/api/v2.0/audit-logs?page={page}",
    "get project": "/api/v2.0/projects/{project}",
    "get artifact by tag": "/api/v2.0/projects/{project}/repositories/app/artifacts/v{number}",
    "catalog": "/v2/_catalog?n=10",
}

CATALOGUE: Final = """
    WITH project AS (
        INSERT INTO core.projects (name, owner_id, repository_count, artifact_count, created_at)
        SELECT 'load' || n, 1, 1, %(artifacts)s, now() - interval '1 day'
        FROM generate_series(%(first)s::int, %(last)s::int) AS n
        RETURNING id, name
    ), repository AS (
        INSERT INTO core.repositories (project_id, name, artifact_count)
        SELECT id, name || '/app', %(artifacts)s FROM project RETURNING id, project_id
    ), artifact AS (
        INSERT INTO core.artifacts (project_id, repository_id, digest, type, media_type, manifest_media_type, size,
                                    extra_attrs, pushed_at)
        SELECT project_id, id, 'sha256:' || encode(sha256((id || '/' || n)::bytea), 'hex'), 'IMAGE',
               'application/vnd.oci.image.config.v1+json', 'application/vnd.oci.image.manifest.v1+json', n,
               '{"os": "linux", "architecture": "amd64"}', now() - n * interval '1 minute'
        FROM repository, generate_series(1, %(artifacts)s::int) AS n
        RETURNING id, repository_id, size, pushed_at
    )
    INSERT INTO core.tags (repository_id, artifact_id, name, pushed_at)
    SELECT repository_id, id, 'v' || size, pushed_at FROM artifact
"""
RECORD: Final = """
    INSERT INTO audit.records (sequence, recorded_at, event_id, event_type, occurred_at, actor, actor_kind, operation,
                               resource_type, resource, project, repository, digest, tag, address, client, request_id,
                               succeeded, occurrences, description)
    SELECT top.sequence + row_number() OVER (), now(), gen_random_uuid(), 'breakwater.artifact.pulled.v1',
           now() - n * interval '1 second' - project * interval '1 ms', 'u' || n %% 100, 'user',
           CASE WHEN n %% 10 = 0 THEN 'create' ELSE 'pull' END, 'artifact', 'load' || project || '/app:v1',
           'load' || project, 'load' || project || '/app', '', 'v1', '127.0.0.1', 'bench', '', true, 1, ''
    FROM generate_series(%(first)s::int, %(last)s::int) AS project, generate_series(1, %(records)s::int) AS n,
         (SELECT coalesce(max(sequence), 0) + 1000000 AS sequence FROM audit.records) AS top
"""
TALLY: Final = """
    WITH emptied AS (DELETE FROM audit.tallies)
    INSERT INTO audit.tallies (project, dimension, value, records)
    SELECT scope, dimension, value, count(*)
    FROM audit.records r,
         LATERAL (VALUES ('', ''), ('actor', r.actor), ('operation', r.operation),
                         ('resource_type', r.resource_type)) AS d (dimension, value),
         unnest(ARRAY['', r.project]) AS scope
    WHERE scope IS NOT NULL
    GROUP BY scope, dimension, value
    ON CONFLICT (project, dimension, value) DO UPDATE SET records = excluded.records
"""


def fill(system: System, *, first: int = 1, last: int, records: int = RECORDS) -> System:
    """Projects of these numbers with what they hold, in an instance that has none of them yet."""
    values = {"first": first, "last": last, "artifacts": ARTIFACTS, "records": records}
    with system.database() as connection:
        connection.execute("SELECT audit.prepare(now())")
        connection.execute(CATALOGUE, values)
        connection.execute(RECORD, values)
        connection.execute(TALLY)
        for table in ("core.projects", "core.repositories", "core.artifacts", "core.tags", "audit.records",
                      "audit.tallies"):
            connection.execute(f"VACUUM ANALYZE {table}".encode())
    return system


def _drive(rig: Rig, system: System, path: str, projects: int) -> Result:
    """One read under load, of projects from everywhere in the table."""
    basic = base64.b64encode(f"admin:{system.admin_password}".encode()).decode()
    headers = {"Authorization": f"Basic {basic}", "Accept": "application/json"}
    paths = {
        path.format(project=f"load{1 + turn * 7919 % projects}", page=1 + turn % 10, number=1 + turn % ARTIFACTS)
        for turn in range(VARIETY)
    }
    return all_good(drive(Load(
        address=("127.0.0.1", system.instance.port), requests=[request("GET", each, headers) for each in sorted(paths)],
        connections=CONNECTIONS, seconds=rig.scaled(4, 0.4), warm_up=rig.scaled(2, 0.2),
    )))


def measure(rig: Rig) -> list[Figure]:
    """Each read in two instances in turn, one with the data and one with a hundredth of it."""
    sizes = (2, 4) if rig.small else (PROJECTS // HUNDREDTH, PROJECTS)
    with rig.second() as second:
        artifacts, records = sizes[1] * ARTIFACTS, sizes[1] * RECORDS
        rig.say(f"api: {sizes[1]:,} projects, {artifacts:,} artifacts, {records:,} audit rows")
        systems = (fill(rig.system, last=sizes[0]), fill(second, last=sizes[1]))
        taken = {name: _in_turn(rig, path, systems, sizes) for name, path in READS.items()}
    return [_figure(name, results, sizes) for name, results in taken.items()]


def _in_turn(rig: Rig, path: str, systems: Sequence[System], sizes: Sequence[int]) -> list[list[Result]]:
    """Both sizes' results; the first round, which fills caches, is not among them."""
    rounds = [
        [_drive(rig, system, path, size) for system, size in zip(systems, sizes, strict=True)]
        for _ in range(int(rig.scaled(ROUNDS, 1)) + 1)
    ]
    return [list(results) for results in zip(*rounds[1:], strict=True)]


def _figure(name: str, results: list[list[Result]], sizes: Sequence[int]) -> Figure:
    few, many = (percentile([each for one in of for each in one.latencies], 0.95) * 1000 for of in results)
    return Figure(
        name=f"{name}, {CONNECTIONS} connections",
        ours=Side(what=f"p95 at {sizes[1]:,} projects", value=many, unit="ms"),
        against=Side(what=f"p95 at {sizes[0]:,}", value=few, unit="ms"),
        goal=Goal.AT_MOST, limit=LIMIT,
        details={
            f"requests/s at {size:,} projects": round(sum(one.rate for one in of) / len(of))
            for size, of in zip(sizes, results, strict=True)
        },
    )
