"""A collection of garbage, asked for as an administrator asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tests.clients.polling import eventually

if TYPE_CHECKING:
    from tests.clients.rest import RestClient

SENTENCE: Final = "garbage is being collected: nothing is pushed or deleted until it ends"
"""What whoever pushes meanwhile is told."""
ENDED: Final = {"Success", "Error", "Stopped"}


def begin(admin: RestClient, **parameters: bool) -> str:
    """Returns the collection's number."""
    body = {"schedule": {"type": "Manual"}, "parameters": parameters}
    return str(admin.must("POST", "/system/gc/schedule", json=body).headers["Location"].rpartition("/")[2])


def ended(admin: RestClient, number: str, *, within: float = 90) -> dict[str, Any]:
    """What is shown of it at its end."""

    def look() -> dict[str, Any] | None:
        shown: dict[str, Any] = admin.get(f"/system/gc/{number}")
        return shown if shown["job_status"] in ENDED else None

    return eventually(look, within=within, what=f"the end of collection {number}", every=0.1)


def log_of(admin: RestClient, number: str) -> str:
    """What it has said."""
    return str(admin.must("GET", f"/system/gc/{number}/log").text)


def collect(admin: RestClient, **parameters: bool) -> dict[str, Any]:
    """One collection, to its good end."""
    number = begin(admin, **parameters)
    done = ended(admin, number)
    assert done["job_status"] == "Success", log_of(admin, number)
    return done
