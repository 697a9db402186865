"""Sessions on the database for nameko services; beside the other dependencies, for those who load SQLAlchemy anyway."""

from nameko.extensions import DependencyProvider
from sqlalchemy.orm import Session, sessionmaker

from shared.db import engine, session_factory
from shared.messaging.dependencies import settings_of


class Database(DependencyProvider):  # type: ignore[misc]  # nameko has no types
    """A session factory over an engine of the process's role."""

    def __init__(self, *, pool_size: int = 4) -> None:
        self._pool_size = pool_size

    def setup(self) -> None:
        """Build the engine; nothing connects yet, so a database that is away does not hold the service up."""
        self._engine = engine(settings_of(self.container), pool_size=self._pool_size)
        self._sessions = session_factory(self._engine)

    def stop(self) -> None:
        """Close what the pool holds."""
        self._engine.dispose()

    def get_dependency(self, _worker: object) -> sessionmaker[Session]:
        """The same for every worker."""
        return self._sessions
