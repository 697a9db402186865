"""Tags webhook and webhookjob: /projects/{project}/webhook. Trying out and sending again are our own."""

import falcon

from gateway.core.access import Place, require_project
from gateway.core.bodies.webhook import PolicyBody
from gateway.core.reading import read_body
from gateway.core.request import API, ApiRequest, ApiResponse, identifier
from gateway.core.views.webhook import (
    SUPPORTED,
    execution_view,
    job_view,
    last_trigger_view,
    policy_view,
    task_view,
)
from gateway.core.writing import write_page
from services.webhook.commands import delivery as deliveries
from services.webhook.commands import policy as commands
from services.webhook.commands.enqueue import try_out
from services.webhook.domain.policy import Policy
from services.webhook.queries import delivery as delivery_queries
from services.webhook.queries import policy as queries
from shared.errors import BadRequest, NotFound, Unprocessable
from shared.outbound import Guard, Reach
from shared.secrets import Sealer
from shared.settings import Settings

_RESOURCE = "notification-policy"


class EventTypes:
    """/projects/{project}/webhook/events."""

    def on_get(self, req: ApiRequest, resp: ApiResponse, project: str) -> None:
        """Tell what a policy may be about."""
        _place(req, project, "read")
        resp.media = SUPPORTED


class LastTriggers:
    """/projects/{project}/webhook/lasttrigger."""

    def on_get(self, req: ApiRequest, resp: ApiResponse, project: str) -> None:
        """Tell when the policies were last triggered."""
        place = _place(req, project, "read")
        resp.media = [last_trigger_view(each) for each in queries.last_triggers(req.database, place.project_id)]


class Policies:
    """/projects/{project}/webhook/policies."""

    def __init__(self, settings: Settings, sealer: Sealer) -> None:
        self._guard = Guard(Reach.PUBLIC, settings.outbound_allow)
        self._sealer = sealer

    def on_get(self, req: ApiRequest, resp: ApiResponse, project: str) -> None:
        """List the policies of a project."""
        place = _place(req, project, "list")
        listing = req.listing()
        write_page(req, resp, listing, queries.list_policies(req.database, place.project_id, listing), policy_view)

    def on_post(self, req: ApiRequest, resp: ApiResponse, project: str) -> None:
        """Create a policy."""
        place = _place(req, project, "create")
        policy = commands.create_policy(
            req.database,
            read_body(req, PolicyBody).wanted(),
            project_id=place.project_id,
            project=place.name,
            creator=req.caller.name,
            refuses=self._guard.refuses,
            sealer=self._sealer,
            now=req.now,
            context=req.event_context,
        )
        resp.created(f"{API}/projects/{project}/webhook/policies/{policy.id}")


class OnePolicy:
    """/projects/{project}/webhook/policies/{webhook_policy_id}."""

    def __init__(self, settings: Settings, sealer: Sealer) -> None:
        self._guard = Guard(Reach.PUBLIC, settings.outbound_allow)
        self._sealer = sealer

    def on_get(self, req: ApiRequest, resp: ApiResponse, project: str, webhook_policy_id: str) -> None:
        """Show a policy."""
        resp.media = policy_view(_policy(req, project, webhook_policy_id))

    def on_put(self, req: ApiRequest, _resp: ApiResponse, project: str, webhook_policy_id: str) -> None:
        """Change a policy."""
        place = _place(req, project, "update")
        commands.update_policy(
            req.database,
            place.project_id,
            identifier(webhook_policy_id),
            read_body(req, PolicyBody).wanted(),
            project=place.name,
            refuses=self._guard.refuses,
            sealer=self._sealer,
            now=req.now,
            context=req.event_context,
        )

    def on_delete(self, req: ApiRequest, _resp: ApiResponse, project: str, webhook_policy_id: str) -> None:
        """Delete a policy."""
        place = _place(req, project, "delete")
        commands.delete_policy(
            req.database,
            place.project_id,
            identifier(webhook_policy_id),
            project=place.name,
            context=req.event_context,
        )


class Trial:
    """/projects/{project}/webhook/policies/{webhook_policy_id}/test."""

    def __init__(self, settings: Settings) -> None:
        self._url = settings.url

    def on_post(self, req: ApiRequest, resp: ApiResponse, project: str, webhook_policy_id: str) -> None:
        """Send each target an example; what comes of it is in the executions that are named."""
        place = _place(req, project, "update")
        made = try_out(
            req.database,
            place.project_id,
            identifier(webhook_policy_id),
            project=place.name,
            host=str(self._url or req.forwarded_prefix).partition("://")[2].strip("/"),
            operator=req.event_context.actor,
            now=req.now,
        )
        resp.status = falcon.HTTP_202
        resp.media = {"execution_ids": made}


class Redeliveries:
    """/projects/{project}/webhook/policies/{webhook_policy_id}/redelivery."""

    def on_post(self, req: ApiRequest, resp: ApiResponse, project: str, webhook_policy_id: str) -> None:
        """Send again whatever was given up."""
        place = _place(req, project, "update")
        policy_id = identifier(webhook_policy_id)
        count = deliveries.redeliver_failed(req.database, place.project_id, policy_id, now=req.now)
        resp.status = falcon.HTTP_202
        resp.media = {"redelivered": count}


class Redelivery:
    """/projects/{project}/webhook/policies/{webhook_policy_id}/executions/{execution_id}/redelivery."""

    def on_post(
        self, req: ApiRequest, resp: ApiResponse, project: str, webhook_policy_id: str, execution_id: str
    ) -> None:
        """Send one delivery again, whatever came of it before."""
        place = _place(req, project, "update")
        policy_id, delivery_id = identifier(webhook_policy_id), identifier(execution_id)
        deliveries.redeliver(req.database, place.project_id, policy_id, delivery_id, now=req.now)
        resp.status = falcon.HTTP_202


class Executions:
    """/projects/{project}/webhook/policies/{webhook_policy_id}/executions."""

    def on_get(self, req: ApiRequest, resp: ApiResponse, project: str, webhook_policy_id: str) -> None:
        """List the deliveries of a policy."""
        policy = _policy(req, project, webhook_policy_id)
        listing = req.listing()
        page = delivery_queries.list_deliveries(req.database, policy.id, listing)
        write_page(req, resp, listing, page, execution_view)


class Tasks:
    """/projects/{project}/webhook/policies/{webhook_policy_id}/executions/{execution_id}/tasks."""

    def on_get(
        self, req: ApiRequest, resp: ApiResponse, project: str, webhook_policy_id: str, execution_id: str
    ) -> None:
        """List the attempts of a delivery."""
        policy = _policy(req, project, webhook_policy_id)
        delivery = delivery_queries.get_delivery(req.database, policy.id, identifier(execution_id))
        listing = req.listing()
        page = delivery_queries.list_attempts(req.database, delivery.id, listing)
        write_page(req, resp, listing, page, task_view)


class TaskLog:
    """/projects/{project}/webhook/policies/{webhook_policy_id}/executions/{execution_id}/tasks/{task_id}/log."""

    def on_get(
        self,
        req: ApiRequest,
        resp: ApiResponse,
        project: str,
        webhook_policy_id: str,
        execution_id: str,
        task_id: str,
    ) -> None:
        """Show what was sent and what came back."""
        policy = _policy(req, project, webhook_policy_id)
        delivery = delivery_queries.get_delivery(req.database, policy.id, identifier(execution_id))
        resp.content_type = falcon.MEDIA_TEXT
        resp.text = delivery_queries.attempt_log(req.database, delivery.id, identifier(task_id))


class Jobs:
    """/projects/{project}/webhook/jobs."""

    def on_get(self, req: ApiRequest, resp: ApiResponse, project: str) -> None:
        """List the deliveries of a policy in the older form."""
        place = _place(req, project, "list")
        if not req.text("policy_id"):
            raise Unprocessable("policy_id is required")
        try:
            policy = queries.get_policy(req.database, place.project_id, identifier(req.text("policy_id")))
        except NotFound as error:
            raise BadRequest("policy_id names no webhook policy of this project") from error
        listing = req.listing()
        statuses = req.get_param_as_list("status") or []
        if not all(map(str.isprintable, statuses)):
            raise BadRequest("status holds a control character")
        page = delivery_queries.list_deliveries(req.database, policy.id, listing, statuses=statuses)
        write_page(req, resp, listing, page, job_view)


def _place(req: ApiRequest, project: str, action: str) -> Place:
    return require_project(req, project, (_RESOURCE, action))


def _policy(req: ApiRequest, project: str, policy_id: str) -> Policy:
    """A policy that the caller may read; one of another project does not exist here."""
    return queries.get_policy(req.database, _place(req, project, "read").project_id, identifier(policy_id))
