"""Every path of the core mount and the resource behind it."""

from gateway.core.catalogue import Catalogue
from gateway.core.health import HealthCheck
from gateway.core.metrics.components import build_components
from gateway.core.metrics.probes import Prober
from gateway.core.onboarding import Onboarding
from gateway.core.other_registries import check_registry
from gateway.core.request import API, METRICS
from gateway.core.resources import (
    allowlist,
    artifact,
    auditlog,
    configure,
    description,
    event_queue,
    gc,
    health,
    immutable,
    jobservice,
    label,
    member,
    metadata,
    metrics,
    parked_notification,
    permissions,
    ping,
    project,
    purge,
    quota,
    refresh_token,
    registry,
    replication,
    repository,
    retention,
    robot,
    schedule,
    search,
    session,
    systeminfo,
    user,
    usergroup,
    webhook,
)
from gateway.core.resources import ldap as directory
from gateway.core.sign_in import SignIn
from gateway.core.unbuilt import UNBUILT, Unbuilt
from gateway.core.views.audit import audit_log_ext_view, audit_log_view
from shared.auth.login import Login
from shared.readiness import LIVE, READY
from shared.secrets import Sealer
from shared.settings import Settings

Routes = dict[str, object]

_ARTIFACT = "/projects/{project}/repositories/{repository}/artifacts"
_POLICY = "/projects/{project}/webhook/policies/{webhook_policy_id}"


def all_routes(settings: Settings, check: HealthCheck, catalogue: Catalogue, sealer: Sealer, login: Login) -> Routes:
    """Every route but the gate's."""
    built = api_routes(settings, check, catalogue, sealer, login)
    described, readyz = description.Description(), ping.Readyz()
    below = built | {path: Unbuilt(methods) for path, methods in UNBUILT.items()}
    return {API + path: resource for path, resource in below.items()} | {
        API + "/openapi.json": description.OpenApi(described),
        "/api/docs": description.Docs(described),
        "/api/docs/page.css": description.DocsStyle(),
        "/api/version": ping.Version(),
        "/healthz": readyz,
        LIVE: ping.Livez(),
        READY: readyz,
        METRICS: metrics.Metrics(build_components(settings), Prober(settings)),
        "/c/login": session.LogIn(SignIn(login)),
        "/c/log_out": session.LogOut(),
    }


def api_routes(
    settings: Settings, check: HealthCheck, catalogue: Catalogue, sealer: Sealer, login: Login
) -> Routes:
    """What is built of the API, below /api/v2.0."""
    ldap = login.ldap
    onboarding = Onboarding(ldap)
    return {
        "/ping": ping.Ping(),
        "/health": health.Health(check),
        "/systeminfo": systeminfo.SystemInfo(settings),
        "/systeminfo/volumes": systeminfo.Volumes(settings),
        "/systeminfo/getcert": systeminfo.RootCertificate(settings),
        "/statistics": search.Statistics(),
        "/statistics/daily": search.DailyStatistics(),
        "/statistics/quotas": search.QuotaStatistics(),
        "/search": search.Search(),
        "/configurations": configure.Configurations(settings, sealer),
        "/internalconfig": configure.InternalConfiguration(settings),
        "/system/CVEAllowlist": allowlist.SystemAllowlist(),
        "/system/gc": gc.Collections(),
        "/system/gc/schedule": gc.CollectionSchedule(settings),
        "/system/gc/{gc_id}": gc.OneCollection(),
        "/system/gc/{gc_id}/log": gc.CollectionLog(),
        "/system/purgeaudit": purge.Purges(),
        "/system/purgeaudit/schedule": purge.PurgeSchedule(),
        "/system/purgeaudit/{purge_id}": purge.OnePurge(),
        "/system/purgeaudit/{purge_id}/log": purge.PurgeLog(),
        "/system/queues": event_queue.EventQueues(settings),
        "/system/queues/{queue}/dead_letters": event_queue.DeadLetters(settings),
        "/system/queues/{queue}/dead_letters/{letter_id}": event_queue.OneDeadLetter(settings),
        "/system/parked_notifications": parked_notification.ParkedNotifications(),
        "/system/parked_notifications/{parked_id}": parked_notification.OneParkedNotification(),
        "/permissions": permissions.Permissions(),
        "/users": user.Users(),
        "/users/current": user.CurrentUser(),
        "/users/current/roles": user.CurrentRoles(),
        "/users/current/permissions": user.CurrentPermissions(),
        "/users/search": user.UserSearch(),
        "/users/{user_id}": user.OneUser(),
        "/users/{user_id}/sysadmin": user.UserAdministrator(),
        "/users/{user_id}/disabled": user.UserDisabled(),
        "/users/{user_id}/password": user.UserPassword(SignIn(login)),
        "/users/{user_id}/refresh_tokens": refresh_token.RefreshTokens(),
        "/users/{user_id}/refresh_tokens/{token_id}": refresh_token.OneRefreshToken(),
        "/usergroups": usergroup.UserGroups(onboarding),
        "/usergroups/search": usergroup.UserGroupSearch(),
        "/usergroups/{group_id}": usergroup.OneUserGroup(),
        "/ldap/ping": directory.LdapPing(ldap),
        "/ldap/users/search": directory.LdapUserSearch(ldap),
        "/ldap/users/import": directory.LdapUserImport(onboarding),
        "/ldap/groups/search": directory.LdapGroupSearch(ldap),
        "/projects": project.Projects(settings),
        "/projects/{project}": project.OneProject(),
        "/projects/{project}/_deletable": project.ProjectDeletable(),
        "/projects/{project}/summary": project.ProjectSummary(),
        "/projects/{project}/members": member.Members(onboarding),
        "/projects/{project}/members/{member_id}": member.OneMember(),
        "/projects/{project}/metadatas": metadata.Metadata(),
        "/projects/{project}/metadatas/{meta_name}": metadata.OneEntry(),
        "/projects/{project}/immutabletagrules": immutable.ImmutableRules(),
        "/projects/{project}/immutabletagrules/trial": immutable.ImmutableRuleTrial(),
        "/projects/{project}/immutabletagrules/{immutable_rule_id}": immutable.OneImmutableRule(),
        "/projects/{project}/artifacts": artifact.ProjectArtifacts(),
        "/projects/{project}/logs": auditlog.ProjectLogs(audit_log_view),
        "/projects/{project}/auditlog-exts": auditlog.ProjectLogs(audit_log_ext_view),
        "/projects/{project}/repositories": repository.Repositories(),
        "/projects/{project}/repositories/{repository}": repository.OneRepository(catalogue),
        "/projects/{project}/repositories/{repository}/_deletable": repository.RepositoryDeletable(),
        _ARTIFACT: artifact.Artifacts(catalogue),
        _ARTIFACT + "/{reference}": artifact.OneArtifact(catalogue),
        _ARTIFACT + "/{reference}/tags": artifact.Tags(catalogue),
        _ARTIFACT + "/{reference}/tags/{tag}": artifact.OneTag(catalogue),
        _ARTIFACT + "/{reference}/accessories": artifact.Accessories(),
        _ARTIFACT + "/{reference}/additions/{addition}": artifact.Addition(catalogue),
        _ARTIFACT + "/{reference}/labels": artifact.Labels(),
        _ARTIFACT + "/{reference}/labels/{label_id}": artifact.OneLabel(),
        "/labels": label.Labels(),
        "/labels/{label_id}": label.OneLabel(),
        "/repositories": repository.AllRepositories(),
        "/robots": robot.Robots(),
        "/robots/{robot_id}": robot.OneRobot(),
        "/quotas": quota.Quotas(),
        "/quotas/{quota_id}": quota.OneQuota(),
        "/retentions": retention.Retentions(),
        "/retentions/metadatas": retention.RetentionChoices(),
        "/retentions/{id}": retention.OneRetention(),
        "/retentions/{id}/executions": retention.Executions(),
        "/retentions/{id}/executions/{eid}": retention.OneExecution(),
        "/retentions/{id}/executions/{eid}/tasks": retention.Tasks(),
        "/retentions/{id}/executions/{eid}/tasks/{tid}": retention.TaskLog(),
        "/registries": registry.Registries(settings, sealer),
        "/registries/ping": registry.Ping(settings, sealer, check_registry),
        "/registries/{id}": registry.OneRegistry(settings, sealer),
        "/registries/{id}/info": registry.Info(),
        "/replication/adapters": registry.Adapters(),
        "/replication/adapterinfos": registry.AdapterInfos(),
        "/replication/policies": replication.Policies(),
        "/replication/policies/{id}": replication.OnePolicy(),
        "/replication/executions": replication.Executions(),
        "/replication/executions/{id}": replication.OneExecution(),
        "/replication/executions/{id}/tasks": replication.Tasks(),
        "/replication/executions/{id}/tasks/{task_id}/log": replication.TaskLog(),
        "/schedules": schedule.Schedules(),
        "/schedules/{job_type}/paused": schedule.Paused(),
        "/jobservice/pools": jobservice.Pools(),
        "/jobservice/pools/{pool_id}/workers": jobservice.Workers(),
        "/jobservice/queues": jobservice.Queues(),
        "/jobservice/jobs/{job_id}/log": jobservice.JobLog(),
        "/audit-logs": auditlog.AuditLogs(audit_log_view),
        "/auditlog-exts": auditlog.AuditLogs(audit_log_ext_view),
        "/system/audit-checks": auditlog.Checks(),
        "/auditlog-exts/events": auditlog.AuditEventTypes(),
        "/projects/{project}/webhook/events": webhook.EventTypes(),
        "/projects/{project}/webhook/lasttrigger": webhook.LastTriggers(),
        "/projects/{project}/webhook/jobs": webhook.Jobs(),
        "/projects/{project}/webhook/policies": webhook.Policies(settings, sealer),
        _POLICY: webhook.OnePolicy(settings, sealer),
        _POLICY + "/test": webhook.Trial(settings),
        _POLICY + "/redelivery": webhook.Redeliveries(),
        _POLICY + "/executions": webhook.Executions(),
        _POLICY + "/executions/{execution_id}/redelivery": webhook.Redelivery(),
        _POLICY + "/executions/{execution_id}/tasks": webhook.Tasks(),
        _POLICY + "/executions/{execution_id}/tasks/{task_id}/log": webhook.TaskLog(),
    }
