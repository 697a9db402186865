"""Tag Retention: /retentions. A policy is a project's: who may do what with it is asked there, before it is shown.

Whoever may change a policy may carry it out, as in Harbor, where nothing asks for the action `operate`.
"""

import falcon

from gateway.core.access import require_login, require_project, require_system
from gateway.core.bodies.retention import ActionBody, ExecutionBody, RetentionBody
from gateway.core.reading import read_body
from gateway.core.request import API, MAX_ID, ApiRequest, ApiResponse, identifier
from gateway.core.views.retention import choices_view, execution_view, policy_view, task_view
from gateway.core.writing import write_page
from services.api.commands import retention as commands
from services.api.domain.retention import Policy, Trigger, log_text
from services.api.errors import NoSuchRetention
from services.api.queries import retention as queries
from services.api.queries.project import name_of
from shared.errors import BadRequest

_RESOURCE = "tag-retention"


class RetentionChoices:
    """/retentions/metadatas."""

    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """Show what rules can be made of."""
        require_login(req)
        resp.media = choices_view()


class Retentions:
    """/retentions."""

    def on_post(self, req: ApiRequest, resp: ApiResponse) -> None:
        """Make a project's policy."""
        require_login(req)
        body = read_body(req, RetentionBody)
        project_id = body.project_id()
        name = name_of(req.database, project_id) if 0 < project_id <= MAX_ID else None
        require_project(req, name or "", (_RESOURCE, "create"), by_name=True)
        policy_id = commands.create_policy(
            req.database, body.draft(), project_id=project_id, now=req.now, context=req.event_context
        )
        resp.created(f"{API}/retentions/{policy_id}")


class OneRetention:
    """/retentions/{id}."""

    def on_get(self, req: ApiRequest, resp: ApiResponse, id: str) -> None:  # noqa: A002 - Harbor's name in the path
        """Show a policy."""
        resp.media = policy_view(_policy(req, id, "read"))

    def on_put(self, req: ApiRequest, _resp: ApiResponse, id: str) -> None:  # noqa: A002 - Harbor's name in the path
        """Put other rules and another schedule in a policy's place; it stays its project's."""
        policy = _policy(req, id, "update")
        body = read_body(req, RetentionBody)
        if body.project_id() != policy.project_id:
            raise BadRequest("a retention policy cannot be moved to another project")
        commands.update_policy(req.database, policy, body.draft(), now=req.now, context=req.event_context)

    def on_delete(self, req: ApiRequest, _resp: ApiResponse, id: str) -> None:  # noqa: A002 - Harbor's name in the path
        """Delete a policy with its executions."""
        commands.delete_policy(req.database, _policy(req, id, "delete"), now=req.now, context=req.event_context)


class Executions:
    """/retentions/{id}/executions."""

    def on_get(self, req: ApiRequest, resp: ApiResponse, id: str) -> None:  # noqa: A002 - Harbor's name in the path
        """List a policy's executions."""
        policy, listing = _policy(req, id, "list"), req.listing()
        write_page(req, resp, listing, queries.list_executions(req.database, policy.id, listing), execution_view)

    def on_post(self, req: ApiRequest, resp: ApiResponse, id: str) -> None:  # noqa: A002 - Harbor's name in the path
        """Carry a policy out, or only list what would go."""
        policy = _policy(req, id, "update")
        execution_id = commands.start_execution(
            req.database,
            policy,
            trigger=Trigger.MANUAL,
            dry_run=read_body(req, ExecutionBody).dry_run,
            now=req.now,
            context=req.event_context,
        )
        resp.created(f"{API}/retentions/{policy.id}/executions/{execution_id}")


class OneExecution:
    """/retentions/{id}/executions/{eid}."""

    def on_patch(self, req: ApiRequest, _resp: ApiResponse, id: str, eid: str) -> None:  # noqa: A002 - Harbor's name in the path
        """Stop an execution; one that has ended stays as it is."""
        policy = _policy(req, id, "update")
        read_body(req, ActionBody).check()
        execution = queries.get_execution(req.database, policy.id, identifier(eid))
        commands.stop_execution(req.database, execution.id, instance_id=req.instance_id, now=req.now)


class Tasks:
    """/retentions/{id}/executions/{eid}/tasks."""

    def on_get(self, req: ApiRequest, resp: ApiResponse, id: str, eid: str) -> None:  # noqa: A002 - Harbor's name in the path
        """List an execution's tasks, one a repository."""
        policy, listing = _policy(req, id, "list"), req.listing()
        execution = queries.get_execution(req.database, policy.id, identifier(eid))
        write_page(req, resp, listing, queries.list_tasks(req.database, execution.id, listing), task_view)


class TaskLog:
    """/retentions/{id}/executions/{eid}/tasks/{tid}."""

    def on_get(self, req: ApiRequest, resp: ApiResponse, id: str, eid: str, tid: str) -> None:  # noqa: A002 - Harbor's name in the path
        """Show what a task keeps and what it deletes, or would."""
        policy = _policy(req, id, "read")
        execution = queries.get_execution(req.database, policy.id, identifier(eid))
        task = queries.get_task(req.database, execution.id, identifier(tid))
        resp.text = log_text(task, queries.verdicts_of(req.database, task.id), dry_run=execution.dry_run)
        resp.content_type = falcon.MEDIA_TEXT


def _policy(req: ApiRequest, number: str, action: str) -> Policy:
    """A policy that the caller may do this to; whoever may not, is not told whether it exists."""
    policy = queries.find_policy(req.database, identifier(number))
    if policy is None:
        require_system(req, (_RESOURCE, action))
        raise NoSuchRetention
    require_project(req, policy.project, (_RESOURCE, action), by_name=True)
    return policy
