"""The one place where the API reaches other registries."""

from importlib import import_module

from services.replication.domain.registry import Access
from shared.outbound import Guard


def check_registry(access: Access, guard: Guard) -> None:
    """Ask a registry whether it answers and takes the credential. Raises AttemptFailed."""
    import_module("services.replication.remote").connect(access, guard).check()
