"""Projects: the record, its metadata, and how long a deleted one's name stays taken."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from services.api.domain.allowlist import Tolerated
from shared.auth.roles import Role
from shared.errors import BadRequest

UNLIMITED: Final = -1
RETENTION_ENTRY: Final = "retention_id"
"""The metadata that names a project's retention policy: made and deleted with it, and by nobody else."""
_SEVERITIES: Final = ("none", "low", "medium", "high", "critical")
_MAX_TEXT: Final = 255


@dataclass(frozen=True, kw_only=True, slots=True)
class Project:
    """A project: who may do what in it depends on its members and on whether it is public."""

    id: int
    name: str
    owner_id: int
    owner_name: str
    public: bool
    metadata: Mapping[str, str]
    repository_count: int
    artifact_count: int
    created_at: datetime
    updated_at: datetime

    @property
    def entries(self) -> dict[str, str]:
        """Its metadata as the API tells them, `public` among them: a project always has that one."""
        return {"public": str(self.public).lower(), **self.metadata}

    @property
    def reuses_system_allowlist(self) -> bool:
        """Whether the system's allowlist holds in it instead of its own."""
        return self.metadata.get("reuse_sys_cve_allowlist") == "true"


@dataclass(frozen=True, kw_only=True, slots=True)
class NewProject:
    """A project to be made."""

    name: str
    metadata: Mapping[str, str] = field(default_factory=dict)
    """`public` among it."""
    storage_limit: int = UNLIMITED
    allowlist: Tolerated = field(default_factory=Tolerated)


@dataclass(frozen=True, kw_only=True, slots=True)
class ProjectSummary:
    """A project in numbers; members by the number of their role."""

    members: Mapping[int, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class HeldRole:
    """The role that somebody has in a project; the strongest of several."""

    project_id: int
    project_name: str
    role: Role


def _flag(text: str) -> str:
    if text.lower() not in {"true", "false", "1", "0", "t", "f"}:
        raise ValueError("'true' or 'false'")
    return "true" if text.lower() in {"true", "1", "t"} else "false"


def _severity(text: str) -> str:
    if text.lower() not in _SEVERITIES:
        raise ValueError(f"one of {', '.join(_SEVERITIES)}")
    return text.lower()


def _whole_number(text: str) -> str:
    if not text.removeprefix("-").isascii() or not text.removeprefix("-").isdigit():
        raise ValueError("a whole number")
    return text


def _short_text(text: str) -> str:
    if len(text) > _MAX_TEXT or not text.isprintable():
        raise ValueError(f"at most {_MAX_TEXT} printable characters")
    return text


METADATA: Final[Mapping[str, Callable[[str], str]]] = MappingProxyType(
    {
        "public": _flag,
        "enable_content_trust": _flag,
        "enable_content_trust_cosign": _flag,
        "prevent_vul": _flag,
        "severity": _severity,
        "auto_scan": _flag,
        "auto_sbom_generation": _flag,
        "reuse_sys_cve_allowlist": _flag,
        "proxy_speed_kb": _whole_number,
        "max_upstream_conn": _whole_number,
        "proxy_cache_local_on_not_found": _flag,
        "proxy_referrer_api": _flag,
        "proxy_cache_filter_pattern": _short_text,
        "proxy_cache_filter_kind": _short_text,
    }
)
"""The metadata a project may have, with what brings a value into its one spelling (ValueError: what it must be)."""


def check_metadata(given: Mapping[str, str]) -> dict[str, str]:
    """The known entries in their one spelling; unknown names are dropped, as Harbor drops them.

    Raises BadRequest where a value does not fit.
    """
    checked = {}
    for name, parse in METADATA.items():
        if name in given:
            try:
                checked[name] = parse(given[name])
            except ValueError as error:
                raise BadRequest(f"metadata {name} must be {error}") from error
    return checked


def check_entry(name: str, value: str) -> str:
    """The value of one entry in its one spelling. Raises BadRequest where it does not fit, or no entry has the name."""
    if name == RETENTION_ENTRY:
        raise BadRequest("the metadata retention_id comes and goes with the project's retention policy")
    if name not in METADATA:
        raise BadRequest(f"there is no project metadata named {name[:80]!r}")
    return check_metadata({name: value})[name]


def check_storage_limit(limit: int, *, name: str = "storage_limit") -> int:
    """The limit itself. Raises BadRequest, under the name it was given by, where it is neither bytes nor UNLIMITED."""
    if limit != UNLIMITED and not 0 < limit < 2**63:
        raise BadRequest(f"{name} must be a number of bytes above 0, or -1 for no limit")
    return limit


def reserved_until(deleted_at: datetime, *, token_lifetime: timedelta, leeway: timedelta) -> datetime:
    """When the last token that names a deleted project is void everywhere.

    The registry knows no projects: until then a project of the same name would open to the old one's pushers.
    """
    return deleted_at + token_lifetime + leeway
