"""harborapi's life of other registries and of what is copied to them."""

import pytest
from harborapi import exceptions
from harborapi.models import (
    Registry,
    RegistryCredential,
    RegistryPing,
    RegistryUpdate,
    ReplicationFilter,
    ReplicationPolicy,
    ReplicationTrigger,
    ReplicationTriggerSettings,
)

from tests.integration.core.harbor import Harbor
from tests.integration.core.people import Api
from tests.integration.core.rows import execution_of, line_of


def keep_registries(harbor: Harbor) -> int:
    """Returns the number of one that stays."""
    credential = RegistryCredential(type="basic", access_key="robot", access_secret="secret")
    wanted = Registry(name="elsewhere", type="harbor", url="https://elsewhere.example.test", credential=credential)
    registry_id = int(harbor.create_registry(wanted).rpartition("/")[2])
    harbor.update_registry(registry_id, RegistryUpdate(description="of the branch office"))
    registry = harbor.get_registry(registry_id)
    assert (registry.description, registry.credential.access_secret) == ("of the branch office", "*****")
    assert [each.id for each in harbor.get_registries(query="name=elsewhere")] == [registry_id]
    assert harbor.get_registry_info(registry_id).supported_triggers == ["manual", "scheduled"]
    assert "docker-registry" in harbor.get_registry_adapters()
    assert harbor.get_registry_providers().root["docker-hub"].endpoint_pattern.endpoints[0].key == "hub.docker.com"
    with pytest.raises(exceptions.BadRequest):
        harbor.check_registry_status(RegistryPing(type="harbor", url="http://127.0.0.1:1"))
    other = int(harbor.create_registry(Registry(name="other", type="quay", url="https://quay.io")).rpartition("/")[2])
    harbor.delete_registry(other)
    with pytest.raises(exceptions.NotFound):
        harbor.get_registry(other)
    return registry_id


def keep_replication(harbor: Harbor, api: Api, registry_id: int) -> None:
    """Takes the registry away in the end."""
    nightly = ReplicationTrigger(
        type="scheduled", trigger_settings=ReplicationTriggerSettings(cron="0 0 2 * * *")
    )
    policy = ReplicationPolicy(
        name="copies", dest_registry=Registry(id=registry_id), trigger=nightly, enabled=True, dest_namespace="copies",
        filters=[ReplicationFilter(type="name", value="library/**")],
    )  # fmt: skip
    policy_id = int(harbor.create_replication_policy(policy).rpartition("/")[2])
    kept = harbor.get_replication_policy(policy_id)
    assert (kept.dest_registry.name, kept.src_registry.id, kept.trigger.type) == ("elsewhere", 0, "scheduled")
    kept.override = True
    harbor.update_replication_policy(policy_id, kept)
    assert [each.override for each in harbor.get_replication_policies(query="name=copies")] == [True]
    execution_id = int(harbor.start_replication(policy_id).rpartition("/")[2])
    assert harbor.get_replication(execution_id).status == "InProgress"
    assert [each.id for each in harbor.get_replications(policy_id=policy_id)] == [execution_id]
    with pytest.raises(exceptions.PreconditionFailed):
        harbor.delete_replication_policy(policy_id)
    harbor.stop_replication(execution_id)
    assert harbor.get_replication(execution_id).status == "Stopped"
    ended, [task_id] = execution_of(api, policy_id, "succeeded", "succeeded")
    line_of(api, task_id, "copied")
    assert [each.status for each in harbor.get_replication_tasks(ended)] == ["Succeed"]
    assert harbor.get_replication_task_log(ended, task_id).endswith(" copied\n")
    with pytest.raises(exceptions.PreconditionFailed):
        harbor.delete_registry(registry_id)
    harbor.delete_replication_policy(policy_id)
    harbor.delete_registry(registry_id)
