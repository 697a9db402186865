"""The registries that a process works with: this one, and others, each opened once and kept until it is changed."""

from collections import OrderedDict
from datetime import datetime
from typing import Final

from services.replication.domain.registry import Registry
from services.replication.ends import Catalogue
from services.replication.local import local_end
from services.replication.queries.rows import access_of
from services.replication.remote import connect
from shared.metrics.tally import Tally
from shared.outbound import Guard
from shared.secrets import Sealer
from shared.settings import Settings

_MOST_OPEN: Final = 64


class Registries:
    """Opens other registries through the guard: they may be in a private network, never here."""

    def __init__(self, settings: Settings, guard: Guard, tally: Tally) -> None:
        self.local = local_end(settings, tally=tally)
        self._guard = guard
        self._sealer = Sealer.read(settings.secrets / "config-key")
        self._open: OrderedDict[int, tuple[datetime, Catalogue]] = OrderedDict()

    def remote(self, registry: Registry) -> Catalogue:
        """Another registry as it is set up now. Raises ConfigurationError."""
        known = self._open.get(registry.id)
        if known is None or known[0] != registry.updated_at:
            known = (registry.updated_at, connect(access_of(registry, self._sealer), self._guard))
            self._open[registry.id] = known
            while len(self._open) > _MOST_OPEN:
                self._open.popitem(last=False)
        self._open.move_to_end(registry.id)
        return known[1]
