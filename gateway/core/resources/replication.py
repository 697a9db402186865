"""Tag replication: /replication/policies and /replication/executions."""

from functools import partial

import falcon

from gateway.core.access import require_system
from gateway.core.bodies.replication import ReplicationPolicyBody, StartBody
from gateway.core.reading import read_body
from gateway.core.request import API, MAX_ID, ApiRequest, ApiResponse, identifier
from gateway.core.views.replication import execution_view, policy_view, task_view
from gateway.core.writing import Json, write_page
from services.replication.commands import policy as commands
from services.replication.commands.execution import ask_to_stop, start_execution, stop_execution
from services.replication.domain.execution import Execution, Scope
from services.replication.domain.policy import Trigger
from services.replication.domain.task import Progress
from services.replication.queries import execution as executions
from services.replication.queries import policy as queries
from services.replication.queries import task as tasks
from services.replication.queries.lag import standings_of
from services.replication.queries.registry import registries_of

_POLICY = "replication-policy"
_EXECUTION = "replication"


class Policies:
    """/replication/policies."""

    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """List the replication policies."""
        require_system(req, (_POLICY, "list"))
        listing = req.listing()
        page = queries.list_policies(req.database, listing, name=req.text("name"))
        registries = registries_of(req.database, (each.registry_id for each in page.records))
        numbers = [each.id for each in page.records]
        standings = standings_of(req.database, numbers)
        write_page(req, resp, listing, page, partial(policy_view, registries=registries, standings=standings))

    def on_post(self, req: ApiRequest, resp: ApiResponse) -> None:
        """Create a replication policy."""
        require_system(req, (_POLICY, "create"))
        policy = commands.create_policy(
            req.database,
            read_body(req, ReplicationPolicyBody).wanted(),
            creator=req.caller.name,
            now=req.now,
            context=req.event_context,
        )
        resp.created(f"{API}/replication/policies/{policy.id}")


class OnePolicy:
    """/replication/policies/{id}."""

    def on_get(self, req: ApiRequest, resp: ApiResponse, id: str) -> None:  # noqa: A002 - Harbor's name in the path
        """Show a replication policy."""
        require_system(req, (_POLICY, "read"))
        policy = queries.get_policy(req.database, identifier(id))
        registries = registries_of(req.database, [policy.registry_id])
        resp.media = policy_view(policy, registries, standings_of(req.database, [policy.id]))

    def on_put(self, req: ApiRequest, _resp: ApiResponse, id: str) -> None:  # noqa: A002 - Harbor's name in the path
        """Put another policy in its place; what is not named is empty or false."""
        require_system(req, (_POLICY, "update"))
        commands.update_policy(
            req.database,
            identifier(id),
            read_body(req, ReplicationPolicyBody).wanted(),
            now=req.now,
            context=req.event_context,
        )

    def on_delete(self, req: ApiRequest, _resp: ApiResponse, id: str) -> None:  # noqa: A002 - Harbor's name in the path
        """Delete a replication policy with its executions; what it copied stays."""
        require_system(req, (_POLICY, "delete"))
        commands.delete_policy(req.database, identifier(id), context=req.event_context)


class Executions:
    """/replication/executions."""

    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """List the executions of a policy, or of all."""
        require_system(req, (_EXECUTION, "list"))
        listing = req.listing()
        page = executions.list_executions(
            req.database,
            listing,
            policy_id=req.number("policy_id", default=0, low=0, high=MAX_ID) or None,
            status=req.text("status"),
            trigger=req.text("trigger"),
        )
        progress = executions.progress_of(req.database, (each.id for each in page.records))
        write_page(req, resp, listing, page, partial(_view, progress=progress))

    def on_post(self, req: ApiRequest, resp: ApiResponse) -> None:
        """Carry a policy out, or only list what would be done."""
        require_system(req, (_EXECUTION, "create"))
        body = read_body(req, StartBody)
        execution = start_execution(
            req.database,
            body.policy_id,
            trigger=Trigger.MANUAL,
            scope=Scope.EVERYTHING,
            operator=req.caller.name,
            dry_run=body.dry_run,
            now=req.now,
            context=req.event_context,
        )
        resp.created(f"{API}/replication/executions/{execution.id}")


class OneExecution:
    """/replication/executions/{id}."""

    def on_get(self, req: ApiRequest, resp: ApiResponse, id: str) -> None:  # noqa: A002 - Harbor's name in the path
        """Show an execution, and how far it is."""
        require_system(req, (_EXECUTION, "read"))
        execution = executions.get_execution(req.database, identifier(id))
        resp.media = _view(execution, executions.progress_of(req.database, [execution.id]))

    def on_put(self, req: ApiRequest, _resp: ApiResponse, id: str) -> None:  # noqa: A002 - Harbor's name in the path
        """Stop an execution; one that has ended stays as it is."""
        require_system(req, (_EXECUTION, "create"))
        execution_id = identifier(id)
        ask_to_stop(req.database, execution_id)
        req.release_database()
        stop_execution(req.database, execution_id, now=req.now, context=req.event_context)


class Tasks:
    """/replication/executions/{id}/tasks."""

    def on_get(self, req: ApiRequest, resp: ApiResponse, id: str) -> None:  # noqa: A002 - Harbor's name in the path
        """List the tasks of an execution, one an artifact."""
        require_system(req, (_EXECUTION, "list"))
        listing = req.listing()
        execution = executions.get_execution(req.database, identifier(id))
        page = tasks.list_tasks(
            req.database, execution.id, listing, status=req.text("status"), kind=req.text("resource_type")
        )
        write_page(req, resp, listing, page, task_view)


class TaskLog:
    """/replication/executions/{id}/tasks/{task_id}/log."""

    def on_get(self, req: ApiRequest, resp: ApiResponse, id: str, task_id: str) -> None:  # noqa: A002 - Harbor's name
        """Show what a task has written down."""
        require_system(req, (_EXECUTION, "read"))
        execution = executions.get_execution(req.database, identifier(id))
        resp.text = tasks.task_log(req.database, execution.id, identifier(task_id))
        resp.content_type = falcon.MEDIA_TEXT


def _view(execution: Execution, progress: dict[int, Progress]) -> Json:
    return execution_view(execution, progress[execution.id])
