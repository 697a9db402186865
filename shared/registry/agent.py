"""The User-Agent as a carrier: the registry repeats it in its notifications, so it takes the request's ids with it.

Form: `<client's own> rid/<request id> gate/<expectation id>`. What a client itself writes in that form is taken out.
"""

import re
from typing import Final
from uuid import UUID

OWN: Final = "breakwater"

_LIMIT: Final = 400
_SUFFIX: Final = re.compile(r"\s*\b(?:rid|gate)/\S*", re.IGNORECASE)
_UNPRINTABLE: Final = re.compile(r"[^\x20-\x7e]")
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")


def carry(user_agent: str | None, *, request_id: str | None, expectation_id: UUID | None = None) -> str:
    """The User-Agent that goes to the registry; a request id of another form is left out."""
    own = _UNPRINTABLE.sub("?", _SUFFIX.sub("", user_agent or "")).strip()[:_LIMIT]
    rid = f" rid/{request_id}" if request_id and _REQUEST_ID.fullmatch(request_id) else ""
    return f"{own or '-'}{rid}{f' gate/{expectation_id}' if expectation_id else ''}"
