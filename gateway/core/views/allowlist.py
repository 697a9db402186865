"""The allowlist of vulnerabilities as the API shows it."""

from gateway.core.writing import Json, given, time_or_never
from services.api.domain.allowlist import Allowlist


def allowlist_view(allowlist: Allowlist) -> Json:
    """The system's list; a project's number is 0 there."""
    return given(
        id=1,
        project_id=0,
        items=[{"cve_id": name} for name in allowlist.cves],
        expires_at=allowlist.expires_at,
        creation_time=time_or_never(allowlist.created_at),
        update_time=time_or_never(allowlist.updated_at),
    )
