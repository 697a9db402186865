"""Retention policies, their executions and tasks, as the API shows them."""

from typing import Final

from gateway.core.writing import Json, given, time_or_never
from services.api.domain.retention import (
    ACTION,
    ALGORITHM,
    SCOPE_LEVEL,
    TRIGGER_KIND,
    Execution,
    Policy,
    Task,
    Template,
    rule_json,
)
from shared.jobs import JobId, JobType
from shared.selector import KIND, REPOSITORY_DECORATIONS, TAG_DECORATIONS

_TEMPLATES: Final = {
    Template.LATEST_PUSHED: ("the most recently pushed # artifacts", "COUNT"),
    Template.LATEST_PULLED: ("the most recently pulled # artifacts", "COUNT"),
    Template.PUSHED_WITHIN: ("pushed within the last # days", "DAYS"),
    Template.PULLED_WITHIN: ("pulled within the last # days", "DAYS"),
    Template.ALWAYS: ("always", ""),
}


def choices_view() -> Json:
    """What a rule can be made of."""
    return {
        "templates": [
            {
                "rule_template": template.value,
                "display_text": text,
                "action": ACTION,
                "params": [{"type": "int", "unit": unit, "required": True}] if unit else [],
            }
            for template, (text, unit) in _TEMPLATES.items()
        ],
        "scope_selectors": [
            {"display_text": "Repositories", "kind": KIND, "decorations": list(REPOSITORY_DECORATIONS)}
        ],
        "tag_selectors": [{"display_text": "Tags", "kind": KIND, "decorations": list(TAG_DECORATIONS)}],
    }


def policy_view(policy: Policy) -> Json:
    """A policy; the rules are numbered by their places."""
    settings = {"cron": policy.cron}
    if policy.next_at:
        settings["next_scheduled_time"] = time_or_never(policy.next_at)
    return {
        "id": policy.id,
        "algorithm": ALGORITHM,
        "rules": [{"id": number, **rule_json(rule)} for number, rule in enumerate(policy.rules)],
        "trigger": {
            "kind": TRIGGER_KIND,
            "settings": settings,
            "references": given(job_id=policy.schedule_id),
        },
        "scope": {"level": SCOPE_LEVEL, "ref": policy.project_id},
    }


def execution_view(execution: Execution) -> Json:
    """An execution."""
    return {
        "id": execution.id,
        "policy_id": execution.policy_id,
        "start_time": time_or_never(execution.started_at),
        "end_time": time_or_never(execution.finished_at),
        "status": execution.status,
        "trigger": execution.trigger,
        "dry_run": execution.dry_run,
    }


def task_view(task: Task) -> Json:
    """A task; its repository is the full name."""
    return {
        "id": task.id,
        "execution_id": task.execution_id,
        "repository": task.repository,
        "job_id": str(JobId(type=JobType.RETENTION, number=task.id)),
        "status": task.status,
        "status_code": task.status.code,
        "status_revision": task.attempts,
        "start_time": time_or_never(task.started_at),
        "end_time": time_or_never(task.finished_at),
        "total": task.total,
        "retained": task.retained,
    }
