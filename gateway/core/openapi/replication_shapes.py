"""What answers about other registries and replication look like; see `shapes`."""

from typing import NotRequired

from typing_extensions import TypedDict  # pydantic takes typing's own only from Python 3.12 on

from gateway.core.openapi.shapes import Time


class RegistryCredential(TypedDict):
    """What a registry is told; of the secret it is only told that there is one."""

    type: str
    access_key: NotRequired[str]
    access_secret: NotRequired[str]


class RegistryEntry(TypedDict):
    """Another registry; this one has no more than number 0, name, type and status."""

    id: int
    name: NotRequired[str]
    description: NotRequired[str]
    type: NotRequired[str]
    url: NotRequired[str]
    credential: NotRequired[RegistryCredential]
    insecure: NotRequired[bool]
    ca_certificate: NotRequired[str]
    proxy: NotRequired[str]
    concurrency: NotRequired[int]
    status: NotRequired[str]
    status_text: NotRequired[str]
    check_time: NotRequired[Time]
    creation_time: NotRequired[Time]
    update_time: NotRequired[Time]


class FilterStyle(TypedDict):
    """What a filter can look at, and how it is told."""

    type: str
    style: str
    values: NotRequired[list[str]]


class RegistryCapabilities(TypedDict):
    """What can be asked of a registry."""

    type: str
    description: str
    supported_resource_filters: list[FilterStyle]
    supported_triggers: list[str]
    supported_copy_by_chunk: bool


class RegistryEndpoint(TypedDict):
    """Where registries of a type are found."""

    key: str
    value: str


class EndpointPattern(TypedDict):
    """Whether the place is fixed, one of several, or any."""

    endpoint_type: str
    endpoints: list[RegistryEndpoint]


class CredentialPattern(TypedDict):
    """What registries of a type are told."""

    access_key_type: str
    access_key_data: str
    access_secret_type: str
    access_secret_data: str


class AdapterInfo(TypedDict):
    """A type of registry."""

    endpoint_pattern: EndpointPattern
    credential_pattern: CredentialPattern


class ReplicationFilterEntry(TypedDict):
    """A filter."""

    type: str
    value: str | list[str]
    decoration: NotRequired[str]


class ReplicationTriggerSettings(TypedDict):
    """When a schedule is due."""

    cron: str


class ReplicationTriggerEntry(TypedDict):
    """What begins executions."""

    type: str
    trigger_settings: NotRequired[ReplicationTriggerSettings]


class LastReplicationExecution(TypedDict):
    """What came of the last time that a policy was carried out."""

    id: int
    status: str
    dry_run: bool
    start_time: Time


class ReplicationPolicyEntry(TypedDict):
    """A replication policy."""

    id: int
    name: str
    description: str
    src_registry: RegistryEntry
    dest_registry: RegistryEntry
    dest_namespace: str
    dest_namespace_replace_count: int
    filters: list[ReplicationFilterEntry]
    trigger: ReplicationTriggerEntry
    deletion: bool
    replicate_deletion: bool
    override: bool
    enabled: bool
    speed: int
    copy_by_chunk: bool
    single_active_replication: bool
    concurrency: int
    copy_labels: bool
    copy_retention: bool
    waiting: int
    waiting_since: NotRequired[Time]
    last_execution: NotRequired[LastReplicationExecution]
    creation_time: Time
    update_time: Time


class ReplicationProgress(TypedDict):
    """How far something is; in a dry run, how far there would be to go."""

    blobs_total: int
    blobs_done: int
    bytes_total: int
    bytes_done: int
    bytes_sent: int


class ReplicationExecutionEntry(ReplicationProgress):
    """An execution of a policy."""

    id: int
    policy_id: int
    status: str
    status_text: str
    trigger: str
    operator: str
    dry_run: bool
    total: int
    in_progress: int
    succeed: int
    failed: int
    stopped: int
    start_time: Time
    end_time: Time


class ReplicationTaskEntry(ReplicationProgress):
    """A task of an execution."""

    id: int
    execution_id: int
    status: str
    status_text: NotRequired[str]
    fault: NotRequired[str]
    job_id: str
    operation: str
    resource_type: str
    src_resource: str
    dst_resource: str
    digest: NotRequired[str]
    attempts: int
    start_time: Time
    end_time: Time
