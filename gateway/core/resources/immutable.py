"""Tag immutable: /projects/{project}/immutabletagrules."""

from typing import Final

from gateway.core.access import require_project
from gateway.core.bodies.immutable import ImmutableRuleBody
from gateway.core.reading import read_body
from gateway.core.request import API, ApiRequest, ApiResponse, identifier
from gateway.core.views.immutable import held_view, immutable_rule_view
from gateway.core.writing import write_page
from services.api.commands import immutability as commands
from services.api.queries import immutability as queries

_FIRST: Final = 100


class ImmutableRules:
    """/projects/{project}/immutabletagrules."""

    def on_get(self, req: ApiRequest, resp: ApiResponse, project: str) -> None:
        """List the rules."""
        place = require_project(req, project, ("immutable-tag", "list"))
        listing = req.listing()
        page = queries.list_rules(req.database, place.project_id, listing)
        write_page(req, resp, listing, page, immutable_rule_view)

    def on_post(self, req: ApiRequest, resp: ApiResponse, project: str) -> None:
        """Make a rule."""
        place = require_project(req, project, ("immutable-tag", "create"))
        rule_id = commands.create_rule(
            req.database,
            read_body(req, ImmutableRuleBody).draft(),
            project_id=place.project_id,
            project=place.name,
            public=place.public,
            now=req.now,
            context=req.event_context,
        )
        resp.created(f"{API}/projects/{project}/immutabletagrules/{rule_id}")


class ImmutableRuleTrial:
    """/projects/{project}/immutabletagrules/trial, which is ours."""

    def on_post(self, req: ApiRequest, resp: ApiResponse, project: str) -> None:
        """Tell which tags a rule would hold, and make nothing."""
        place = require_project(req, project, ("immutable-tag", "create"))
        draft = read_body(req, ImmutableRuleBody).draft().checked()
        resp.media = held_view(queries.held_by(req.database, place.project_id, draft, first=_FIRST))


class OneImmutableRule:
    """/projects/{project}/immutabletagrules/{immutable_rule_id}."""

    def on_put(self, req: ApiRequest, _resp: ApiResponse, project: str, immutable_rule_id: str) -> None:
        """Put another rule in a rule's place, or switch it."""
        place = require_project(req, project, ("immutable-tag", "update"))
        rule = queries.get_rule(req.database, place.project_id, identifier(immutable_rule_id))
        commands.update_rule(
            req.database,
            rule,
            read_body(req, ImmutableRuleBody).change_of(rule),
            project=place.name,
            public=place.public,
            now=req.now,
            context=req.event_context,
        )

    def on_delete(self, req: ApiRequest, _resp: ApiResponse, project: str, immutable_rule_id: str) -> None:
        """Delete a rule."""
        place = require_project(req, project, ("immutable-tag", "delete"))
        rule = queries.get_rule(req.database, place.project_id, identifier(immutable_rule_id))
        commands.delete_rule(
            req.database, rule, project=place.name, public=place.public, context=req.event_context
        )
