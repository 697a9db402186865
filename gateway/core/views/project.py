"""Projects as the API shows them."""

from collections.abc import Sequence

from gateway.core.views.allowlist import allowlist_view
from gateway.core.writing import Json, given, time_or_never
from services.api.domain.allowlist import Allowlist
from services.api.domain.project import Project, ProjectSummary
from services.api.domain.quota import Quota
from shared.auth.roles import Role


def project_view(project: Project, roles: Sequence[Role] = (), allowlist: Allowlist | None = None) -> Json:
    """A project, with the caller's roles in it, strongest first, and the allowlist where it was read.

    A list of projects shows none: each may have thousands of items.
    """
    return given(
        project_id=project.id,
        name=project.name,
        owner_id=project.owner_id,
        owner_name=project.owner_name,
        creation_time=time_or_never(project.created_at),
        update_time=time_or_never(project.updated_at),
        deleted=False,
        togglable=True if Role.PROJECT_ADMIN in roles else None,
        current_user_role_id=roles[0].value if roles else None,
        current_user_role_ids=[role.value for role in roles] or None,
        repo_count=project.repository_count,
        metadata=project.entries,
        cve_allowlist=allowlist and allowlist_view(allowlist, list_id=project.id, project_id=project.id),
    )


def summary_view(project: Project, summary: ProjectSummary | None, quota: Quota | None) -> Json:
    """A project in numbers; members and quota only for those who may see them."""
    counts = {}
    if summary is not None:
        counts = {
            "project_admin_count": summary.members.get(Role.PROJECT_ADMIN, 0),
            "maintainer_count": summary.members.get(Role.MAINTAINER, 0),
            "developer_count": summary.members.get(Role.DEVELOPER, 0),
            "guest_count": summary.members.get(Role.GUEST, 0),
            "limited_guest_count": summary.members.get(Role.LIMITED_GUEST, 0),
        }
    storage = quota and {"hard": {"storage": quota.limit}, "used": {"storage": quota.used}}
    return given(repo_count=project.repository_count, **counts, quota=storage)
