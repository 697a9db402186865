"""What an administrator lets everybody read at the top of each page."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final

from gateway.portal.errors import Refused

KEPT_SECONDS: Final = 5.0
"""For so long a process shows what it has read: every page has the banner."""
KINDS: Final = {"info": "Information", "success": "Good news", "warning": "Warning", "danger": "Danger"}
_MOST: Final = 1_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Banner:
    """A message, and how urgent it is."""

    message: str
    kind: str = "info"

    def stored(self) -> str:
        """As the configuration keeps it, in the form of Harbor's clients."""
        if not self.message:
            return ""
        return json.dumps({"message": self.message, "type": self.kind, "closable": False})


def parse_banner(stored: str) -> Banner:
    """Read the configuration's form; whatever is not understood there is no message."""
    try:
        found = json.loads(stored) if stored else {}
    except ValueError:
        found = {}
    message, kind = (found.get("message"), found.get("type")) if isinstance(found, dict) else (None, None)
    return Banner(
        message=message[:_MOST] if isinstance(message, str) else "",
        kind=kind if isinstance(kind, str) and kind in KINDS else "info",
    )


class BannerBoard:
    """The banner as of some seconds ago; while it cannot be read the last one stays."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._shown = Banner(message="")
        self._read_at: float | None = None

    def shown(self, read: Callable[[], Mapping[str, Any]]) -> Banner:
        """The banner; `read` asks the API what the system is."""
        now = self._clock()
        if self._read_at is None or now - self._read_at >= KEPT_SECONDS:
            self._read_at = now
            try:
                self._shown = parse_banner(str(read()["banner_message"]))
            except Refused:
                return self._shown
        return self._shown

    def forget(self) -> None:
        """Read it anew: it was changed here."""
        self._read_at = None
