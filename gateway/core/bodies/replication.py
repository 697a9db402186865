"""Bodies about replication policies and their executions."""

from pydantic import Field

from gateway.core.reading import Body
from services.replication.domain.mapping import WHOLE
from services.replication.domain.policy import Trigger
from services.replication.domain.wanted_policy import WantedFilter, WantedPolicy


class SideBody(Body):
    """A registry that is copied from or to, by its number; 0 is this one."""

    id: int = 0


class FilterBody(Body):
    """A filter: of a label the value is a list of names."""

    type: str = ""
    value: str | list[str] = ""
    decoration: str = ""

    def wanted(self) -> WantedFilter:
        """The filter asked for; of labels an empty value may come in either form."""
        value = [] if self.type == "label" and self.value == "" else self.value
        return WantedFilter(kind=self.type, value=value, decoration=self.decoration)


class SettingsBody(Body):
    """When a schedule is due."""

    cron: str = ""


class ReplicationTriggerBody(Body):
    """What begins executions."""

    type: str = ""
    trigger_settings: SettingsBody = SettingsBody()


class ReplicationPolicyBody(Body):
    """A policy as it shall be: what is not named is empty or false, as Harbor has it.

    `concurrency`, `copy_labels` and `copy_retention` are ours.
    """

    name: str = ""
    description: str = ""
    src_registry: SideBody = SideBody()
    dest_registry: SideBody = SideBody()
    dest_namespace: str = ""
    dest_namespace_replace_count: int = WHOLE
    filters: list[FilterBody] = Field(default=[], max_length=100)
    trigger: ReplicationTriggerBody = ReplicationTriggerBody()
    deletion: bool = False
    replicate_deletion: bool = False
    override: bool = False
    enabled: bool = False
    speed: int = 0
    copy_by_chunk: bool = False
    single_active_replication: bool = False
    concurrency: int = 16
    copy_labels: bool = False
    copy_retention: bool = False

    def wanted(self) -> WantedPolicy:
        """The policy asked for."""
        return WantedPolicy(
            name=self.name,
            description=self.description,
            source=self.src_registry.id,
            target=self.dest_registry.id,
            namespace=self.dest_namespace,
            replace_count=self.dest_namespace_replace_count,
            filters=tuple(each.wanted() for each in self.filters),
            trigger=self.trigger.type or Trigger.MANUAL,
            cron=self.trigger.trigger_settings.cron,
            deletion=self.deletion or self.replicate_deletion,
            override=self.override,
            enabled=self.enabled,
            speed=self.speed,
            copy_by_chunk=self.copy_by_chunk,
            single_active=self.single_active_replication,
            concurrency=self.concurrency,
            copy_labels=self.copy_labels,
            copy_retention=self.copy_retention,
        )


class StartBody(Body):
    """Which policy is to be carried out; `dry_run`, which is ours, only lists what would be done."""

    policy_id: int = 0
    dry_run: bool = False
