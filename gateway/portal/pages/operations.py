"""The first page, replication, the audit log and live events: every page of theirs and its address."""

from typing import Any

from gateway.portal.pages import events
from gateway.portal.pages.audit import export
from gateway.portal.pages.audit import pages as audit
from gateway.portal.pages.home import attention, first
from gateway.portal.pages.replication import executions, policies, policy_form, registries
from gateway.portal.portal import Portal


def operation_pages(portal: Portal) -> dict[str, Any]:
    """The pages by their addresses."""
    return {
        "/": first.Home(portal),
        "/attention": attention.Attention(portal),
        "/events": events.Events(portal),
        **_audit(portal),
        **_replication(portal),
    }


def _audit(portal: Portal) -> dict[str, Any]:
    return {
        "/audit": audit.AuditLog(portal),
        "/audit/records/{number}": audit.OneRecord(portal),
        "/audit/integrity": audit.Integrity(portal),
        "/audit/export.csv": export.Export(portal, kind="csv"),
        "/audit/export.jsonl": export.Export(portal, kind="jsonl"),
    }


def _replication(portal: Portal) -> dict[str, Any]:
    policy, execution = "/replication/policies/{number}", "/replication/executions/{number}"
    return {
        "/replication": policies.Policies(portal),
        "/replication/policies-new": policy_form.NewPolicy(portal),
        "/replication/example": policy_form.Example(portal),
        policy: policies.OnePolicy(portal),
        policy + "/edit": policy_form.EditPolicy(portal),
        policy + "/run": policies.StartPolicy(portal, dry_run=False),
        policy + "/dry-run": policies.StartPolicy(portal, dry_run=True),
        policy + "/switch": policies.SwitchPolicy(portal),
        policy + "/delete": policies.DeletePolicy(portal),
        execution: executions.OneExecution(portal),
        execution + "/stop": executions.StopExecution(portal),
        execution + "/tasks/{task}/log": executions.TaskLog(portal),
        "/replication/registries": registries.Registries(portal),
        "/replication/registries-new": registries.NewRegistry(portal),
        "/replication/registries-test": registries.TryRegistry(portal),
        "/replication/registries/{number}": registries.EditRegistry(portal),
        "/replication/registries/{number}/delete": registries.DeleteRegistry(portal),
    }
