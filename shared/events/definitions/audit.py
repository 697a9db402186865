"""The audit record itself."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from shared.events.event import Event, Visibility


@dataclass(frozen=True, kw_only=True)
class AuditPurged(Event):
    """Old content was dropped from the audit record; its chain stays."""

    noun: ClassVar[str] = "audit"
    verb: ClassVar[str] = "purged"
    permission: ClassVar[Visibility] = Visibility.ADMINISTRATOR

    older_than: Annotated[str, "records from before this time were dropped, RFC 3339"]
    records: Annotated[int, "how many records were dropped"]
    through: Annotated[int, "the last chain sequence whose content was dropped"]
    anchor: Annotated[str, "MAC of that link, in hexadecimal: what the purged part ended in"]
    kinds: Annotated[tuple[str, ...], "the kinds of records that were dropped, `create_artifact`; empty for all"] = ()

    @property
    def subject(self) -> str:
        """Always `audit`."""
        return "audit"
