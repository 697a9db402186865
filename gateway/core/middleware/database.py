"""One database session a request: committed at the edge when all went well, rolled back otherwise."""

from sqlalchemy.orm import Session, sessionmaker

from gateway.core.request import ApiRequest, ApiResponse


class DatabaseSession:
    """A session takes a connection at its first statement only; a request that needs none costs none."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._sessions = sessions

    def process_request(self, req: ApiRequest, _resp: ApiResponse) -> None:
        """Open it."""
        req.database = self._sessions()

    def process_response(self, req: ApiRequest, _resp: ApiResponse, _resource: object, succeeded: bool) -> None:  # noqa: FBT001 - Falcon's signature
        """Commit before the answer leaves: a client is never told of a success that did not happen."""
        session: Session | None = getattr(req, "database", None)
        if session is None:
            return
        try:
            if succeeded:
                session.commit()
        finally:
            session.close()
