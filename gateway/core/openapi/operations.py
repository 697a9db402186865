"""Every operation that is built, with what goes in and what comes out.

Tests hold this table against the routes, and against what the operations read and answer.
"""

from collections.abc import Mapping
from typing import Any, Final

from gateway.core.bodies.allowlist import AllowlistBody
from gateway.core.bodies.event_queue import SettlementBody
from gateway.core.bodies.group import UserGroupBody
from gateway.core.bodies.immutable import ImmutableRuleBody
from gateway.core.bodies.label import LabelBody, LabelNumberBody, NewLabelBody
from gateway.core.bodies.ldap import LdapConfBody, LdapImportBody
from gateway.core.bodies.member import MemberBody, RoleBody
from gateway.core.bodies.parked_notification import ParkedActionBody
from gateway.core.bodies.project import ProjectBody
from gateway.core.bodies.quota import QuotaBody
from gateway.core.bodies.registry import RegistryBody, RegistryPingBody, RegistryUpdateBody
from gateway.core.bodies.replication import ReplicationPolicyBody, StartBody
from gateway.core.bodies.repository import NewTagBody, RepositoryBody
from gateway.core.bodies.retention import ActionBody, ExecutionBody, RetentionBody
from gateway.core.bodies.robot import NewRobotBody, RobotBody, SecretBody
from gateway.core.bodies.schedule import ScheduleBody
from gateway.core.bodies.user import (
    AdministratorBody,
    DisabledBody,
    NewRefreshTokenBody,
    NewUserBody,
    PasswordBody,
    ProfileBody,
)
from gateway.core.bodies.webhook import PolicyBody
from gateway.core.openapi import catalogue_shapes as catalogue
from gateway.core.openapi import configuration_shapes as configuration
from gateway.core.openapi import directory_shapes as directory
from gateway.core.openapi import event_queue_shapes as event_queue
from gateway.core.openapi import jobservice_shapes as jobservice
from gateway.core.openapi import replication_shapes as replication
from gateway.core.openapi import retention_shapes as retention
from gateway.core.openapi import shapes
from gateway.core.openapi import webhook_shapes as webhook
from gateway.core.openapi.operation import BY_NAME, LIST, Operation, Parameter, flag, number, text
from gateway.core.resources.artifact import NOT_BUILT
from gateway.core.writing import CURSOR

_PROJECT: Final = "/projects/{project}"
_REPOSITORY: Final = _PROJECT + "/repositories/{repository}"
_ARTIFACT: Final = _REPOSITORY + "/artifacts/{reference}"

_WEBHOOK: Final = _PROJECT + "/webhook"
_POLICY: Final = _WEBHOOK + "/policies/{webhook_policy_id}"

_WITH: Final = (
    flag("with_tag", "Show the tags.", default=True),
    flag("with_label", "Show the labels.", default=False),
    flag("with_accessory", "Show what is about it, such as signatures.", default=False),
    flag("with_immutable_status", "Tell which tags are immutable.", default=False),
    *(flag(name, "Changes nothing: no artifact has it here.", default=False) for name in NOT_BUILT),
)
_PROJECT_FILTERS: Final = (
    text("name", "A part of the name."),
    text("owner", "The owner's name."),
    Parameter(name="public", meaning="Only public ones, or only private ones.", schema={"type": "boolean"}),
)
_RECORD: Final = (*LIST, text(CURSOR, "A place in the list, as the link to the next page carries it."))


def _list(shape: Any, *more: Parameter) -> Operation:  # noqa: ANN401 - a type, TypedDicts among them
    return Operation(answer=list[shape], parameters=(*LIST, *more))


OPERATIONS: Final[Mapping[tuple[str, str], Operation]] = {
    ("GET", "/ping"): Operation(answer=str, media_type="text/plain", for_strangers=True),
    ("GET", "/health"): Operation(answer=shapes.HealthStatus, for_strangers=True),
    ("GET", "/systeminfo"): Operation(answer=shapes.SystemInformation, for_strangers=True),
    ("GET", "/systeminfo/volumes"): Operation(answer=shapes.VolumeList),
    ("GET", "/systeminfo/getcert"): Operation(answer=bytes, media_type="application/octet-stream", for_strangers=True),
    ("GET", "/statistics"): Operation(answer=shapes.StatisticNumbers),
    ("GET", "/statistics/daily"): Operation(
        answer=list[shapes.DayNumbers],
        parameters=(
            Parameter(
                name="days", meaning="How many days; today is the last. 14 where it is not said.",
                schema={"type": "integer", "minimum": 1, "maximum": 90},
            ),
        ),
    ),
    ("GET", "/statistics/quotas"): Operation(answer=list[shapes.NearlyFull]),
    ("GET", "/search"): Operation(
        answer=catalogue.Found, parameters=(text("q", "A part of a name.", required=True),), for_strangers=True
    ),
    ("GET", "/configurations"): Operation(answer=configuration.Configuration),
    ("PUT", "/configurations"): Operation(body=configuration.NewConfiguration),
    ("GET", "/internalconfig"): Operation(answer=configuration.InternalConfiguration),
    ("GET", "/system/CVEAllowlist"): Operation(answer=shapes.CVEAllowlist),
    ("PUT", "/system/CVEAllowlist"): Operation(body=AllowlistBody),
    ("GET", "/permissions"): Operation(answer=shapes.GrantablePermissions),
    # user
    ("GET", "/users"): _list(shapes.UserAccount),
    ("POST", "/users"): Operation(body=NewUserBody, status=201, located=True),
    ("GET", "/users/current"): Operation(answer=shapes.UserAccount),
    ("GET", "/users/current/roles"): _list(shapes.HeldRole),
    ("GET", "/users/current/permissions"): Operation(
        answer=list[shapes.PermissionPair],
        parameters=(
            text("scope", "/project/{project}, or nothing for the system."),
            flag("relative", "Leave the scope out of the answer.", default=False),
            BY_NAME,
        ),
    ),
    ("GET", "/users/search"): _list(shapes.FoundUser, text("username", "A part of the name.", required=True)),
    ("GET", "/users/{user_id}"): Operation(answer=shapes.UserAccount),
    ("PUT", "/users/{user_id}"): Operation(body=ProfileBody),
    ("DELETE", "/users/{user_id}"): Operation(),
    ("PUT", "/users/{user_id}/sysadmin"): Operation(body=AdministratorBody),
    ("PUT", "/users/{user_id}/disabled"): Operation(body=DisabledBody),
    ("PUT", "/users/{user_id}/password"): Operation(body=PasswordBody),
    ("GET", "/users/{user_id}/refresh_tokens"): _list(shapes.RefreshTokenEntry),
    ("POST", "/users/{user_id}/refresh_tokens"): Operation(
        body=NewRefreshTokenBody, answer=shapes.MadeRefreshToken, status=201, located=True
    ),
    ("DELETE", "/users/{user_id}/refresh_tokens"): Operation(),
    ("DELETE", "/users/{user_id}/refresh_tokens/{token_id}"): Operation(),
    # project
    ("GET", "/projects"): _list(
        shapes.ProjectEntry, *_PROJECT_FILTERS, flag("with_detail", "Show the caller's roles.", default=True)
    ),
    ("HEAD", "/projects"): Operation(parameters=(text("project_name", "The name in question.", required=True),)),
    ("POST", "/projects"): Operation(
        body=ProjectBody,
        status=201,
        located=True,
        parameters=(
            flag("X-Resource-Name-In-Location", "Answer a path with the name in it.", default=False, place="header"),
        ),
    ),
    ("GET", _PROJECT): Operation(answer=shapes.ProjectEntry, parameters=(BY_NAME,)),
    ("PUT", _PROJECT): Operation(body=ProjectBody, parameters=(BY_NAME,)),
    ("DELETE", _PROJECT): Operation(parameters=(BY_NAME,)),
    ("GET", _PROJECT + "/_deletable"): Operation(answer=shapes.Deletable, parameters=(BY_NAME,)),
    ("GET", _PROJECT + "/summary"): Operation(answer=shapes.ProjectNumbers, parameters=(BY_NAME,)),
    # member
    ("GET", _PROJECT + "/members"): _list(
        shapes.MemberEntry, text("entityname", "A part of the member's name."), BY_NAME
    ),
    ("POST", _PROJECT + "/members"): Operation(body=MemberBody, status=201, located=True, parameters=(BY_NAME,)),
    ("GET", _PROJECT + "/members/{member_id}"): Operation(answer=shapes.MemberEntry, parameters=(BY_NAME,)),
    ("PUT", _PROJECT + "/members/{member_id}"): Operation(body=RoleBody, parameters=(BY_NAME,)),
    ("DELETE", _PROJECT + "/members/{member_id}"): Operation(parameters=(BY_NAME,)),
    # projectMetadata
    ("GET", _PROJECT + "/metadatas"): Operation(answer=dict[str, str], parameters=(BY_NAME,)),
    ("POST", _PROJECT + "/metadatas"): Operation(body=dict[str, str], parameters=(BY_NAME,)),
    ("GET", _PROJECT + "/metadatas/{meta_name}"): Operation(answer=dict[str, str], parameters=(BY_NAME,)),
    ("PUT", _PROJECT + "/metadatas/{meta_name}"): Operation(body=dict[str, str], parameters=(BY_NAME,)),
    ("DELETE", _PROJECT + "/metadatas/{meta_name}"): Operation(parameters=(BY_NAME,)),
    # immutable
    ("GET", _PROJECT + "/immutabletagrules"): _list(shapes.ImmutableRuleEntry, BY_NAME),
    ("POST", _PROJECT + "/immutabletagrules"): Operation(
        body=ImmutableRuleBody, status=201, located=True, parameters=(BY_NAME,)
    ),
    ("POST", _PROJECT + "/immutabletagrules/trial"): Operation(
        body=ImmutableRuleBody, answer=shapes.HeldTags, parameters=(BY_NAME,)
    ),
    ("PUT", _PROJECT + "/immutabletagrules/{immutable_rule_id}"): Operation(
        body=ImmutableRuleBody, parameters=(BY_NAME,)
    ),
    ("DELETE", _PROJECT + "/immutabletagrules/{immutable_rule_id}"): Operation(parameters=(BY_NAME,)),
    # quota
    ("GET", "/quotas"): _list(
        shapes.QuotaEntry,
        Parameter(name="reference", meaning="What has a quota.", schema={"type": "string", "enum": ["project"]}),
        number("reference_id", "The number of the project."),
    ),
    ("GET", "/quotas/{quota_id}"): Operation(answer=shapes.QuotaEntry),
    ("PUT", "/quotas/{quota_id}"): Operation(body=QuotaBody),
    # repository
    ("GET", "/repositories"): _list(catalogue.RepositoryEntry),
    ("GET", _PROJECT + "/repositories"): _list(catalogue.RepositoryEntry),
    ("GET", _REPOSITORY): Operation(answer=catalogue.RepositoryEntry),
    ("GET", _REPOSITORY + "/_deletable"): Operation(answer=catalogue.DeletableRepository),
    ("PUT", _REPOSITORY): Operation(body=RepositoryBody),
    ("DELETE", _REPOSITORY): Operation(),
    # artifact
    ("GET", _PROJECT + "/artifacts"): _list(
        catalogue.ArtifactEntry,
        *_WITH,
        flag("latest_in_repository", "Only the newest of each repository.", default=False),
        BY_NAME,
    ),
    ("GET", _REPOSITORY + "/artifacts"): _list(catalogue.ArtifactEntry, *_WITH),
    ("POST", _REPOSITORY + "/artifacts"): Operation(
        status=201,
        located=True,
        parameters=(text("from", "project/repository:tag, or project/repository@digest.", required=True),),
    ),
    ("GET", _ARTIFACT): Operation(answer=catalogue.ArtifactEntry, parameters=_WITH),
    ("DELETE", _ARTIFACT): Operation(),
    ("GET", _ARTIFACT + "/tags"): _list(
        catalogue.TagEntry, flag("with_immutable_status", "Tell which are immutable.", default=False)
    ),
    ("POST", _ARTIFACT + "/tags"): Operation(body=NewTagBody, status=201),
    ("DELETE", _ARTIFACT + "/tags/{tag}"): Operation(),
    ("GET", _ARTIFACT + "/accessories"): _list(catalogue.AccessoryEntry),
    ("GET", _ARTIFACT + "/additions/{addition}"): Operation(answer=list[catalogue.BuildStep]),
    ("POST", _ARTIFACT + "/labels"): Operation(body=LabelNumberBody),
    ("DELETE", _ARTIFACT + "/labels/{label_id}"): Operation(),
    # label
    ("GET", "/labels"): _list(
        shapes.LabelEntry,
        text("name", "A part of the name."),
        Parameter(
            name="scope",
            meaning="g for global ones, p for those of a project.",
            schema={"type": "string", "enum": ["g", "p"]},
            required=True,
        ),
        number("project_id", "The project, where the scope is p."),
    ),
    ("POST", "/labels"): Operation(body=NewLabelBody, status=201, located=True),
    ("GET", "/labels/{label_id}"): Operation(answer=shapes.LabelEntry),
    ("PUT", "/labels/{label_id}"): Operation(body=LabelBody),
    ("DELETE", "/labels/{label_id}"): Operation(),
    # robot
    ("GET", "/robots"): _list(shapes.RobotAccount, BY_NAME),
    ("POST", "/robots"): Operation(body=NewRobotBody, answer=shapes.MadeRobot, status=201, located=True),
    ("GET", "/robots/{robot_id}"): Operation(answer=shapes.RobotAccount),
    ("PUT", "/robots/{robot_id}"): Operation(body=RobotBody),
    ("PATCH", "/robots/{robot_id}"): Operation(body=SecretBody, answer=shapes.RobotSecret),
    ("DELETE", "/robots/{robot_id}"): Operation(),
    # webhook
    ("GET", _WEBHOOK + "/events"): Operation(answer=webhook.SupportedEvents, parameters=(BY_NAME,)),
    ("GET", _WEBHOOK + "/lasttrigger"): Operation(answer=list[webhook.LastTriggerEntry], parameters=(BY_NAME,)),
    ("GET", _WEBHOOK + "/jobs"): _list(
        webhook.JobEntry,
        Parameter(name="policy_id", meaning="The policy.", schema={"type": "integer"}, required=True),
        Parameter(
            name="status", meaning="Only those in one of these states.",
            schema={"type": "array", "items": {"type": "string"}},
        ),
        BY_NAME,
    ),
    ("GET", _WEBHOOK + "/policies"): _list(webhook.PolicyEntry, BY_NAME),
    ("POST", _WEBHOOK + "/policies"): Operation(body=PolicyBody, status=201, located=True, parameters=(BY_NAME,)),
    ("GET", _POLICY): Operation(answer=webhook.PolicyEntry, parameters=(BY_NAME,)),
    ("PUT", _POLICY): Operation(body=PolicyBody, parameters=(BY_NAME,)),
    ("DELETE", _POLICY): Operation(parameters=(BY_NAME,)),
    ("POST", _POLICY + "/test"): Operation(answer=webhook.Trials, status=202, parameters=(BY_NAME,)),
    ("POST", _POLICY + "/redelivery"): Operation(answer=webhook.Redelivered, status=202, parameters=(BY_NAME,)),
    ("POST", _POLICY + "/executions/{execution_id}/redelivery"): Operation(status=202, parameters=(BY_NAME,)),
    ("GET", _POLICY + "/executions"): _list(webhook.ExecutionEntry, BY_NAME),
    ("GET", _POLICY + "/executions/{execution_id}/tasks"): _list(webhook.TaskEntry, BY_NAME),
    ("GET", _POLICY + "/executions/{execution_id}/tasks/{task_id}/log"): Operation(
        answer=str, media_type="text/plain", parameters=(BY_NAME,)
    ),
    # usergroup
    ("GET", "/usergroups"): _list(
        directory.GroupEntry,
        text("ldap_group_dn", "The group of this distinguished name."),
        text("group_name", "A part of the name."),
    ),
    ("POST", "/usergroups"): Operation(body=UserGroupBody, status=201, located=True),
    ("GET", "/usergroups/search"): _list(
        directory.FoundGroup, text("groupname", "A part of the name.", required=True)
    ),
    ("GET", "/usergroups/{group_id}"): Operation(answer=directory.GroupEntry),
    ("PUT", "/usergroups/{group_id}"): Operation(body=UserGroupBody),
    ("DELETE", "/usergroups/{group_id}"): Operation(),
    # Ldap
    ("POST", "/ldap/ping"): Operation(body=LdapConfBody, answer=directory.PingResult),
    ("GET", "/ldap/users/search"): Operation(
        answer=list[directory.DirectoryUser], parameters=(text("username", "A part of the name; nothing is all."),)
    ),
    ("POST", "/ldap/users/import"): Operation(body=LdapImportBody),
    ("GET", "/ldap/groups/search"): Operation(
        answer=list[directory.DirectoryGroup],
        parameters=(
            text("groupname", "A part of the name; nothing is all."),
            text("groupdn", "The distinguished name of one, where no name is given."),
        ),
    ),
    # Retention
    ("GET", "/retentions/metadatas"): Operation(answer=retention.RetentionChoice),
    ("POST", "/retentions"): Operation(body=RetentionBody, status=201, located=True),
    ("GET", "/retentions/{id}"): Operation(answer=retention.RetentionEntry),
    ("PUT", "/retentions/{id}"): Operation(body=RetentionBody),
    ("DELETE", "/retentions/{id}"): Operation(),
    ("GET", "/retentions/{id}/executions"): _list(retention.RetentionExecution),
    ("POST", "/retentions/{id}/executions"): Operation(body=ExecutionBody, status=201, located=True),
    ("PATCH", "/retentions/{id}/executions/{eid}"): Operation(body=ActionBody),
    ("GET", "/retentions/{id}/executions/{eid}/tasks"): _list(retention.RetentionTask),
    ("GET", "/retentions/{id}/executions/{eid}/tasks/{tid}"): Operation(answer=str, media_type="text/plain"),
    # registry
    ("GET", "/registries"): _list(replication.RegistryEntry, text("name", "A part of the name.")),
    ("POST", "/registries"): Operation(body=RegistryBody, status=201, located=True),
    ("POST", "/registries/ping"): Operation(body=RegistryPingBody),
    ("GET", "/registries/{id}"): Operation(answer=replication.RegistryEntry),
    ("PUT", "/registries/{id}"): Operation(body=RegistryUpdateBody),
    ("DELETE", "/registries/{id}"): Operation(),
    ("GET", "/registries/{id}/info"): Operation(answer=replication.RegistryCapabilities),
    ("GET", "/replication/adapters"): Operation(answer=list[str]),
    ("GET", "/replication/adapterinfos"): Operation(answer=dict[str, replication.AdapterInfo]),
    # replication
    ("GET", "/replication/policies"): _list(
        replication.ReplicationPolicyEntry, text("name", "A part of the name.")
    ),
    ("POST", "/replication/policies"): Operation(body=ReplicationPolicyBody, status=201, located=True),
    ("GET", "/replication/policies/{id}"): Operation(answer=replication.ReplicationPolicyEntry),
    ("PUT", "/replication/policies/{id}"): Operation(body=ReplicationPolicyBody),
    ("DELETE", "/replication/policies/{id}"): Operation(),
    ("GET", "/replication/executions"): _list(
        replication.ReplicationExecutionEntry,
        number("policy_id", "The executions of this policy."),
        text("status", "InProgress, Succeed, Failed or Stopped."),
        text("trigger", "manual, scheduled or event_based."),
    ),
    ("POST", "/replication/executions"): Operation(body=StartBody, status=201, located=True),
    ("GET", "/replication/executions/{id}"): Operation(answer=replication.ReplicationExecutionEntry),
    ("PUT", "/replication/executions/{id}"): Operation(),
    ("GET", "/replication/executions/{id}/tasks"): _list(
        replication.ReplicationTaskEntry,
        text("status", "Pending, InProgress, Succeed, Failed or Stopped."),
        text("resource_type", "image or artifact."),
    ),
    ("GET", "/replication/executions/{id}/tasks/{task_id}/log"): Operation(answer=str, media_type="text/plain"),
    # schedule
    ("GET", "/schedules"): _list(retention.ScheduleEntry),
    ("GET", "/schedules/{job_type}/paused"): Operation(answer=retention.PausedState),
    # jobservice
    ("GET", "/jobservice/pools"): Operation(answer=list[jobservice.PoolEntry]),
    ("GET", "/jobservice/pools/{pool_id}/workers"): Operation(answer=list[jobservice.WorkerEntry]),
    ("GET", "/jobservice/queues"): Operation(answer=list[jobservice.QueueEntry]),
    ("GET", "/jobservice/jobs/{job_id}/log"): Operation(answer=str, media_type="text/plain"),
    # gc
    ("GET", "/system/gc"): _list(retention.CollectionEntry),
    ("GET", "/system/gc/schedule"): Operation(answer=retention.CollectionEntry | retention.NoEntry),
    ("POST", "/system/gc/schedule"): Operation(body=ScheduleBody, status=201, located=True),
    ("PUT", "/system/gc/schedule"): Operation(body=ScheduleBody),
    ("GET", "/system/gc/{gc_id}"): Operation(answer=retention.CollectionEntry),
    ("PUT", "/system/gc/{gc_id}"): Operation(),
    ("GET", "/system/gc/{gc_id}/log"): Operation(answer=str, media_type="text/plain"),
    # purge
    ("GET", "/system/purgeaudit"): _list(retention.PurgeEntry),
    ("GET", "/system/purgeaudit/schedule"): Operation(answer=retention.PurgeEntry | retention.NoEntry),
    ("POST", "/system/purgeaudit/schedule"): Operation(body=ScheduleBody, status=201, located=True),
    ("PUT", "/system/purgeaudit/schedule"): Operation(body=ScheduleBody),
    ("GET", "/system/purgeaudit/{purge_id}"): Operation(answer=retention.PurgeEntry),
    ("PUT", "/system/purgeaudit/{purge_id}"): Operation(),
    ("GET", "/system/purgeaudit/{purge_id}/log"): Operation(answer=str, media_type="text/plain"),
    # event_queue
    ("GET", "/system/queues"): Operation(answer=list[event_queue.EventQueueEntry]),
    ("GET", "/system/queues/{queue}/dead_letters"): Operation(answer=list[event_queue.DeadLetterEntry]),
    ("POST", "/system/queues/{queue}/dead_letters"): Operation(body=SettlementBody, answer=event_queue.SettledCount),
    ("GET", "/system/queues/{queue}/dead_letters/{letter_id}"): Operation(answer=event_queue.OpenedDeadLetter),
    # parked_notification
    ("GET", "/system/parked_notifications"): _list(event_queue.ParkedNotificationEntry),
    ("POST", "/system/parked_notifications"): Operation(body=ParkedActionBody, answer=event_queue.SettledParked),
    ("GET", "/system/parked_notifications/{parked_id}"): Operation(answer=event_queue.OpenedParkedNotification),
    # auditlog
    ("GET", "/audit-logs"): Operation(answer=list[catalogue.AuditEntry], parameters=_RECORD),
    ("GET", "/system/audit-checks"): Operation(answer=list[catalogue.AuditCheck]),
    ("POST", "/system/audit-checks"): Operation(status=202),
    ("GET", "/auditlog-exts"): Operation(answer=list[catalogue.AuditExtEntry], parameters=_RECORD),
    ("GET", "/auditlog-exts/events"): Operation(answer=list[catalogue.EventTypeEntry]),
    ("GET", _PROJECT + "/logs"): Operation(answer=list[catalogue.AuditEntry], parameters=_RECORD),
    ("GET", _PROJECT + "/auditlog-exts"): Operation(answer=list[catalogue.AuditExtEntry], parameters=_RECORD),
}
"""Method and path below /api/v2.0 → what goes in and what comes out."""
