"""The one place where the API reaches other registries."""

from services.replication.domain.registry import Access
from services.replication.remote import connect
from shared.outbound import Guard


def check_registry(access: Access, guard: Guard) -> None:
    """Ask a registry whether it answers and takes the credential. Raises AttemptFailed, UnfitRegistry."""
    connect(access, guard).check()
