"""Every page of the portal that an administrator can open by its address: what is measured, shown and judged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

PLACES: Final[Mapping[str, str]] = {
    "home": "/",
    "projects": "/projects",
    "new project": "/projects-new",
    "search": "/search?q=a",
    "repositories": "/projects/{project}",
    "push commands": "/projects/{project}/push-commands",
    "artifacts": "/projects/{project}/repositories/{repository}",
    "artifact": "/projects/{project}/artifacts/{digest}/{repository}",
    "delete repository": "/projects/{project}/delete-repository/{repository}",
    "members": "/projects/{project}/members",
    "robot accounts": "/projects/{project}/robots",
    "labels": "/projects/{project}/labels",
    "tag retention": "/projects/{project}/retention",
    "immutable tags": "/projects/{project}/immutable-tags",
    "webhooks": "/projects/{project}/webhooks",
    "audit log of a project": "/projects/{project}/log",
    "settings": "/projects/{project}/settings",
    "replication": "/replication",
    "registries": "/replication/registries",
    "audit log": "/audit",
    "live events": "/events",
    "profile": "/profile",
    "users": "/admin/users",
    "groups": "/admin/groups",
    "system robot accounts": "/admin/robots",
    "global labels": "/admin/labels",
    "quotas": "/admin/quotas",
    "directory": "/admin/directory",
    "configuration": "/admin/settings",
    "queues": "/admin/queues",
    "health": "/admin/health",
    "about": "/about",
}
"""By what each is; `{project}`, `{repository}` and `{digest}` stand for one artifact that is there."""
