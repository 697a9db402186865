"""Doors between the parts, on the core mount's own socket: the proxy lets nobody through to them.

A part shows the same bearer as for the registry itself.
"""

from datetime import timedelta
from typing import Final

import falcon

from gateway.core.gate import context_of
from gateway.core.request import ApiRequest, ApiResponse
from services.api.commands.project import create_project
from services.api.domain.project import NewProject
from services.api.queries import configuration
from shared.auth.bearer import Bearer, Verifier
from shared.auth.principals import SYSTEM_PREFIX, Principal, PrincipalKind
from shared.directory import plain, project_rights
from shared.errors import Forbidden, Unauthorized
from shared.names import RepositoryName
from shared.settings import CLOCK_LEEWAY, Settings

ANYBODY: Final = Principal.anonymous()


class IncomingRepository:
    """/internal/repositories/{repository}: where replication is about to bring something."""

    def __init__(self, settings: Settings, verifier: Verifier) -> None:
        self._token_lifetime = timedelta(seconds=settings.token_lifetime_seconds)
        self._verifier = verifier

    def on_put(self, req: ApiRequest, resp: ApiResponse, repository: str) -> None:
        """See to it that its project exists: one that is made belongs to the first administrator and is private.

        Raises Unauthorized, Forbidden, InvalidName, and ProjectExists while its name is reserved.
        """
        name = RepositoryName.parse(repository)
        bearer = self._verifier.read(req.auth)
        if not isinstance(bearer, Bearer):
            raise Unauthorized
        if bearer.kind is not PrincipalKind.SYSTEM or not bearer.allows("push", name.text):
            raise Forbidden
        resp.status = falcon.HTTP_204
        if not project_rights(plain(req.database), ANYBODY, [name.project])[name.project].exists:
            self._make(req, bearer, name.project)
            resp.status = falcon.HTTP_201

    def _make(self, req: ApiRequest, bearer: Bearer, project: str) -> None:
        create_project(
            req.database,
            NewProject(name=project, storage_limit=int(configuration.value(req.database, "storage_per_project"))),
            creator=Principal.system(bearer.subject.removeprefix(SYSTEM_PREFIX)),
            now=req.now,
            token_lifetime=self._token_lifetime,
            leeway=CLOCK_LEEWAY,
            context=context_of(req, bearer),
        )
