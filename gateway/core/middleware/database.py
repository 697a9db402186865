"""One database session a request: committed at the edge when all went well, rolled back otherwise."""

from typing import Final

from sqlalchemy.orm import Session, sessionmaker

from gateway.core.request import ApiRequest, ApiResponse

INNER_SESSION: Final = "breakwater.database"
"""Set in the environment of what a page reads of the API in its own process: no header can be that key."""


class DatabaseSession:
    """A session takes a connection at its first statement only; a request that needs none costs none.

    What a page reads is read by the page's own session: one connection, taken once, serves all of it.
    """

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._sessions = sessions

    def process_request(self, req: ApiRequest, _resp: ApiResponse) -> None:
        """Open it."""
        lent: Session | None = req.env.get(INNER_SESSION)
        req.database = self._sessions() if lent is None else lent

    def process_response(self, req: ApiRequest, _resp: ApiResponse, _resource: object, succeeded: bool) -> None:  # noqa: FBT001 - Falcon's signature
        """Commit before the answer leaves: a client is never told of a success that did not happen."""
        session: Session | None = getattr(req, "database", None)
        if session is None:
            return
        if req.env.get(INNER_SESSION) is not None:
            if not succeeded:
                session.rollback()  # a statement that failed would make all that follow fail
            return
        try:
            if succeeded:
                session.commit()
        finally:
            session.close()
