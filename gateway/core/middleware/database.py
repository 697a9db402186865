"""One database session a request: committed at the edge when all went well, rolled back otherwise."""

from sqlalchemy.orm import Session, sessionmaker

from gateway.core.inner import inner_of
from gateway.core.request import ApiRequest, ApiResponse


class DatabaseSession:
    """A session takes a connection at its first statement only; a request that needs none costs none."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._sessions = sessions

    def process_request(self, req: ApiRequest, _resp: ApiResponse) -> None:
        """Open it, or go on with the one that was lent."""
        req.database = _lent(req) or self._sessions()

    def process_response(self, req: ApiRequest, _resp: ApiResponse, _resource: object, succeeded: bool) -> None:  # noqa: FBT001 - Falcon's signature
        """Commit before the answer leaves: a client is never told of a success that did not happen."""
        session: Session | None = getattr(req, "database", None)
        if session is None:
            return
        if _lent(req) is not None:
            if not succeeded:
                session.rollback()  # a statement that failed would make all that follow fail
            return
        try:
            if succeeded:
                session.commit()
        finally:
            session.close()


def _lent(req: ApiRequest) -> Session | None:
    inner = inner_of(req.env)
    return inner.database if inner else None
