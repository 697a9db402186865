"""What answers look like: the JSON that the views write, as types for the API's description.

Nothing is made from them but the description; a test holds every operation's answer against its shape. A field that is
not required is left out where it has no value, and nothing is null.
"""

from typing import Annotated, Any, NotRequired

from pydantic import WithJsonSchema
from typing_extensions import TypedDict  # pydantic takes typing's own only from Python 3.12 on

Time = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]
"""RFC 3339 in UTC with milliseconds; a time that is not set is 0001-01-01T00:00:00.000Z."""


class Error(TypedDict):
    """One thing that went wrong."""

    code: str
    message: str


class Errors(TypedDict):
    """Every refusal."""

    errors: list[Error]


class Component(TypedDict):
    """A part of the system."""

    name: str
    status: str
    error: NotRequired[str]


class HealthStatus(TypedDict):
    """How the parts are."""

    status: str
    components: list[Component]


class SystemInformation(TypedDict):
    """What this system is; strangers see what is required here."""

    auth_mode: str
    primary_auth_mode: bool
    self_registration: bool
    banner_message: str
    oidc_provider_name: str
    current_time: NotRequired[Time]
    external_url: NotRequired[str]
    registry_url: NotRequired[str]
    project_creation_restriction: NotRequired[str]
    has_ca_root: NotRequired[bool]
    harbor_version: NotRequired[str]
    registry_storage_provider_name: NotRequired[str]
    read_only: NotRequired[bool]
    notification_enable: NotRequired[bool]


class Volume(TypedDict):
    """Room for blobs, in bytes."""

    total: int
    free: int


class VolumeList(TypedDict):
    """The volumes of the system."""

    storage: list[Volume]


class StatisticNumbers(TypedDict):
    """What the caller may see, counted; totals are 0 for all but administrators."""

    public_project_count: int
    private_project_count: int
    public_repo_count: int
    private_repo_count: int
    total_project_count: int
    total_repo_count: int
    total_storage_consumption: int


class DayNumbers(TypedDict):
    """A day in UTC: what was pushed and pulled, and the bytes held at its end, where they were sampled."""

    day: str
    pushes: int
    pulls: int
    storage: NotRequired[int]


class NearlyFull(TypedDict):
    """A project that has used much of its quota; storage in bytes."""

    project: str
    used: int
    limit: int
    percent: int


class ScanAllPolicy(TypedDict):
    """When everything is scanned: never."""

    type: str


class PermissionPair(TypedDict):
    """What may be done to what."""

    resource: str
    action: str


class GrantedPermission(PermissionPair):
    """The same as a robot account has it: it allows, and nothing else."""

    effect: str


class GrantablePermissions(TypedDict):
    """What robot accounts can be given."""

    system: list[PermissionPair]
    project: list[PermissionPair]


class Vulnerability(TypedDict):
    """A vulnerability by its number."""

    cve_id: str


class CVEAllowlist(TypedDict):
    """Vulnerabilities that are tolerated."""

    id: int
    project_id: int
    items: list[Vulnerability]
    expires_at: NotRequired[int]
    creation_time: Time
    update_time: Time


class UserAccount(TypedDict):
    """An account as its owner and administrators see it."""

    user_id: int
    username: str
    email: str
    realname: str
    comment: str
    sysadmin_flag: bool
    admin_role_in_auth: bool
    disabled: bool
    creation_time: Time
    update_time: Time


class FoundUser(TypedDict):
    """An account as everybody sees it who looks for a name."""

    user_id: int
    username: str


class HeldRole(TypedDict):
    """A project, and the strongest role that the caller has in it."""

    project_id: int
    project_name: str
    role_id: int
    role_name: str


class RefreshTokenEntry(TypedDict):
    """A refresh token; it cannot be read back."""

    id: str
    client_id: str
    address: NotRequired[str]
    creation_time: Time
    last_used_time: Time
    expiration_time: Time


class MadeRefreshToken(TypedDict):
    """A new refresh token, the only time that it can be read."""

    id: str
    refresh_token: str
    expiration_time: Time


class ProjectEntry(TypedDict):
    """A project, with the caller's roles in it, strongest first; shown alone, with its allowlist."""

    project_id: int
    name: str
    owner_id: NotRequired[int]
    owner_name: NotRequired[str]
    creation_time: Time
    update_time: Time
    deleted: bool
    togglable: NotRequired[bool]
    current_user_role_id: NotRequired[int]
    current_user_role_ids: NotRequired[list[int]]
    repo_count: int
    metadata: dict[str, str]
    cve_allowlist: NotRequired[CVEAllowlist]


class Deletable(TypedDict):
    """Whether a project could be deleted now, and why not."""

    deletable: bool
    message: NotRequired[str]


Resources = dict[str, int]
"""Amounts by resource; storage in bytes, -1 where there is no limit."""


class Usage(TypedDict):
    """A limit and what is used of it."""

    hard: Resources
    used: Resources


class ProjectNumbers(TypedDict):
    """A project in numbers; members and quota only for those who may see them."""

    repo_count: int
    project_admin_count: NotRequired[int]
    maintainer_count: NotRequired[int]
    developer_count: NotRequired[int]
    guest_count: NotRequired[int]
    limited_guest_count: NotRequired[int]
    quota: NotRequired[Usage]


class MemberEntry(TypedDict):
    """A member of a project."""

    id: int
    project_id: int
    entity_id: int
    entity_name: str
    entity_type: str
    role_id: int
    role_name: str


class QuotaReference(TypedDict):
    """The project of a quota."""

    id: int
    name: str
    owner_name: str


class QuotaEntry(TypedDict):
    """A project's quota."""

    id: int
    ref: QuotaReference
    hard: Resources
    used: Resources
    creation_time: Time
    update_time: Time


class RobotPermissions(TypedDict):
    """Permissions in one place."""

    kind: str
    namespace: str
    access: list[GrantedPermission]


class RobotAccount(TypedDict):
    """A robot account; its secret is not known any more."""

    id: int
    name: str
    description: str
    level: str
    duration: int
    editable: bool
    disable: bool
    expires_at: int
    permissions: list[RobotPermissions]
    creator_type: NotRequired[str]
    creator_ref: NotRequired[int]
    creation_time: Time
    update_time: Time


class MadeRobot(TypedDict):
    """A robot account right after it was made: the secret is shown this once."""

    id: int
    name: str
    secret: str
    creation_time: Time
    expires_at: int


class RobotSecret(TypedDict):
    """A new secret, shown this once; empty where the caller has chosen it."""

    secret: str


class LabelEntry(TypedDict):
    """A label; a global one's project is 0."""

    id: int
    name: str
    description: str
    color: str
    scope: str
    project_id: int
    creation_time: Time
    update_time: Time


class SelectorEntry(TypedDict):
    """A pattern that takes in, or leaves out."""

    kind: str
    decoration: str
    pattern: str
    extras: str


class ImmutableRuleEntry(TypedDict):
    """A rule that makes tags immutable."""

    id: int
    priority: int
    disabled: bool
    action: str
    template: str
    params: dict[str, Any]
    tag_selectors: list[SelectorEntry]
    scope_selectors: dict[str, list[SelectorEntry]]


class HeldTag(TypedDict):
    """A tag that a rule would hold."""

    repository: str
    tag: str


class HeldTags(TypedDict):
    """What a rule would hold: how many tags, and the first hundred in the order of their names."""

    total: int
    tags: list[HeldTag]
