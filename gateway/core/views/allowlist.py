"""The allowlist of vulnerabilities as the API shows it."""

from gateway.core.writing import Json, given, time_or_never
from services.api.domain.allowlist import Allowlist


def allowlist_view(allowlist: Allowlist, *, list_id: int = 1, project_id: int = 0) -> Json:
    """The system's list unless a project is named, whose number the list shares."""
    return given(
        id=list_id,
        project_id=project_id,
        items=[{"cve_id": name} for name in allowlist.cves],
        expires_at=allowlist.expires_at,
        creation_time=time_or_never(allowlist.created_at),
        update_time=time_or_never(allowlist.updated_at),
    )
