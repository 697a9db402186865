"""PyPI's harborapi drives the life of a project against the core mount as it runs, with a registry behind it."""

from collections.abc import Iterator

import pytest
from harborapi import exceptions
from harborapi.models import (
    Access,
    Configurations,
    CVEAllowlist,
    CVEAllowlistItem,
    ImmutableRule,
    ImmutableSelector,
    Label,
    ProjectMember,
    ProjectMetadata,
    ProjectReq,
    QuotaUpdateReq,
    Repository,
    ResourceList,
    RetentionPolicy,
    RetentionPolicyScope,
    RetentionRule,
    RetentionRuleTrigger,
    RetentionSelector,
    RobotCreate,
    RobotPermission,
    Schedule,
    ScheduleObj,
    Tag,
    UserCreationReq,
    UserEntity,
    UserProfile,
)

from gateway.core.request import API
from tests.integration.conftest import Database
from tests.integration.core.gunicorn import core
from tests.integration.core.harbor import IMAGE, REPOSITORY, SIGNATURE, Harbor, Rig
from tests.integration.core.people import NOBODY, PASSWORD, Api
from tests.integration.core.replication import keep_registries, keep_replication
from tests.integration.registry_rig import registry_server, token_mount

NOT_OF_THE_CLIENT = {
    ("GET", "/openapi.json"),
    ("GET", "/statistics/daily"),
    ("GET", "/statistics/quotas"),
    ("POST", "/projects/{project}/immutabletagrules/trial"),
    ("GET", "/system/audit-checks"),
    ("POST", "/system/audit-checks"),
    ("GET", "/internalconfig"),
    ("PUT", "/system/gc/{gc_id}"),
    ("GET", "/auditlog-exts"),
    ("GET", "/auditlog-exts/events"),
    ("GET", "/projects/{project}/auditlog-exts"),
    ("GET", "/users/current/roles"),
    ("GET", "/projects/{project}/repositories/{repository}/_deletable"),
    ("PUT", "/users/{user_id}/disabled"),
    ("GET", "/users/{user_id}/refresh_tokens"),
    ("POST", "/users/{user_id}/refresh_tokens"),
    ("DELETE", "/users/{user_id}/refresh_tokens"),
    ("GET", "/system/queues"),
    ("GET", "/system/queues/{queue}/dead_letters"),
    ("POST", "/system/queues/{queue}/dead_letters"),
    ("GET", "/system/queues/{queue}/dead_letters/{letter_id}"),
    ("GET", "/system/parked_notifications"),
    ("POST", "/system/parked_notifications"),
    ("GET", "/system/parked_notifications/{parked_id}"),
    ("GET", "/jobservice/pools"),
    ("GET", "/jobservice/pools/{pool_id}/workers"),
    ("GET", "/jobservice/queues"),
    ("GET", "/jobservice/jobs/{job_id}/log"),
    ("GET", "/schedules"),
    ("GET", "/schedules/{job_type}/paused"),
    ("DELETE", "/users/{user_id}/refresh_tokens/{token_id}"),
}
"""Built, and harborapi has no method for it."""
APART = ("/webhook/", "/ldap/", "/usergroups")
"""What needs a receiver or a directory is driven in tests of its own."""


@pytest.fixture(scope="module")
def rig(core_database: Database) -> Iterator[Rig]:
    with token_mount(core_database.server) as tokens, registry_server(tokens) as registry:
        variables = {
            "BREAKWATER_REGISTRY_SOCKET": str(registry.socket), "BREAKWATER_TOKEN_SOCKET": str(tokens.socket),
        }  # fmt: skip
        with core(core_database, variables=variables) as running:
            yield Rig(str(running.socket), core_database, tokens, registry)


@pytest.fixture
def harbor(rig: Rig) -> Iterator[Harbor]:
    client = rig.client()
    yield client
    client.close()


def test_harborapi_drives_all_that_is_built_and_that_it_knows(rig: Rig, harbor: Harbor, api: Api) -> None:
    """One after the other: what is made is read, changed, used, and deleted."""
    _read_the_system(harbor)
    _change_the_configuration(harbor)
    user_id = _make_a_user(harbor)
    project = _make_a_project(harbor)
    _keep_metadata(harbor, project)
    _keep_members(harbor, project)
    _keep_quotas(harbor, project)
    _keep_robots(harbor, project)
    rig.push(project, "first", "second")
    _keep_artifacts(harbor, project)
    _keep_accessories(rig, harbor, project)
    _keep_labels(harbor, project)
    _keep_immutable_rules(harbor, project)
    _keep_retention(harbor, project)
    registry_id = keep_registries(harbor)
    keep_replication(harbor, api, registry_id)
    _purge_the_record(harbor)
    _collect_garbage(harbor)
    rig.record()
    _read_the_record(harbor, project)
    _take_all_away(harbor, project, user_id)
    asked = {(method, api.template(method, path.replace(REPOSITORY, "a%2Fb"))) for method, path in rig.asked}
    built = {(method, path) for method, path in api.built() if not any(part in path for part in APART)}
    assert asked == built - NOT_OF_THE_CLIENT


def _read_the_system(harbor: Harbor) -> None:
    assert harbor.ping() == "Pong"
    assert {each.name for each in harbor.health_check().components} >= {"core", "database"}
    assert harbor.get_system_info().harbor_version.startswith("v2.")
    assert harbor.get_system_volume_info().storage[0].total > 0
    assert b"NOT_FOUND" in bytes(harbor.get_system_certificate())  # it takes any answer for the file
    assert harbor.get_statistics().total_project_count >= 1
    assert harbor.get_permissions().project
    assert "library" in [each.name for each in harbor.search("library").project]


def _change_the_configuration(harbor: Harbor) -> None:
    assert harbor.get_config().project_creation_restriction.value == "everyone"
    harbor.update_config(Configurations(robot_token_duration=60))
    assert harbor.get_config().robot_token_duration.value == 60
    harbor.update_cve_allowlist(CVEAllowlist(items=[CVEAllowlistItem(cve_id="CVE-2019-10164")]))
    assert [each.cve_id for each in harbor.get_cve_allowlist().items] == ["CVE-2019-10164"]


def _make_a_user(harbor: Harbor) -> int:
    new = UserCreationReq(username="driven", email="driven@example.test", realname="Driven", password=PASSWORD)
    user_id = int(harbor.create_user(new).rpartition("/")[2])
    assert harbor.get_user(user_id).username == "driven"
    assert "driven" in [each.username for each in harbor.get_users()]
    assert [each.user_id for each in harbor.search_users_by_username("drive")] == [user_id]
    harbor.update_user(user_id, UserProfile(email="other@example.test", realname="Driven"))
    assert harbor.get_user_by_username("driven").email == "other@example.test"
    harbor.set_user_admin(user_id, is_admin=True)
    assert harbor.get_user(user_id).sysadmin_flag
    harbor.set_user_admin(user_id, is_admin=False)
    harbor.set_user_password(user_id, "Another1horse")
    assert harbor.get_current_user().username == "admin"
    return user_id


def _make_a_project(harbor: Harbor) -> str:
    location = harbor.create_project(ProjectReq(project_name="driven", metadata=ProjectMetadata(public="false")))
    assert location == f"{API}/projects/driven"
    assert harbor.project_exists("driven")
    assert not harbor.project_exists("missing")
    project_id = harbor.get_project("driven").project_id
    assert harbor.get_project(project_id).name == "driven"
    assert "driven" in [each.name for each in harbor.get_projects(query="name=~driv", page_size=1)]
    allowlist = CVEAllowlist(items=[CVEAllowlistItem(cve_id="CVE-2019-10164")])
    harbor.update_project("driven", ProjectReq(metadata=ProjectMetadata(public="true"), cve_allowlist=allowlist))
    assert harbor.get_project("driven").cve_allowlist.items == allowlist.items
    assert harbor.get_project("driven").metadata.public == "true"
    assert harbor.get_project_summary("driven").repo_count == 0
    assert harbor.get_current_user_permissions("/project/driven")
    assert harbor.get_project_deletable("driven").deletable
    return "driven"


def _keep_metadata(harbor: Harbor, project: str) -> None:
    harbor.set_project_metadata(project, ProjectMetadata(prevent_vul="true"))
    assert harbor.get_project_metadata(project).prevent_vul == "true"
    harbor.update_project_metadata_entry(project, "prevent_vul", ProjectMetadata(prevent_vul="false"))
    assert harbor.get_project_metadata_entry(project, "prevent_vul") == {"prevent_vul": "false"}
    harbor.delete_project_metadata_entry(project, "prevent_vul")
    assert harbor.get_project_metadata(project).prevent_vul is None


def _keep_members(harbor: Harbor, project: str) -> None:
    location = harbor.add_project_member_user(project, "driven", 2)
    member_id = int(location.rpartition("/")[2])
    with pytest.raises(exceptions.Conflict):
        harbor.add_project_member(project, ProjectMember(role_id=2, member_user=UserEntity(username="driven")))
    harbor.update_project_member_role(project, member_id, 4)
    assert harbor.get_project_member(project, member_id).role_name == "maintainer"
    assert {each.entity_name for each in harbor.get_project_members(project)} == {"admin", "driven"}
    harbor.remove_project_member(project, member_id)
    assert {each.entity_name for each in harbor.get_project_members(project)} == {"admin"}


def _keep_quotas(harbor: Harbor, project: str) -> None:
    project_id = harbor.get_project(project).project_id
    [quota] = harbor.get_quotas(reference="project", reference_id=str(project_id))
    harbor.update_quota(quota.id, QuotaUpdateReq(hard=ResourceList(storage=10**9)))
    assert harbor.get_quota(quota.id).hard.model_dump()["storage"] == 10**9


def _keep_robots(harbor: Harbor, project: str) -> None:
    access = [Access(resource="repository", action="pull"), Access(resource="repository", action="push")]
    permission = RobotPermission(kind="project", namespace=project, access=access)
    made = harbor.create_robot(RobotCreate(name="ci", level="project", duration=30, permissions=[permission]))
    assert made.secret
    project_id = harbor.get_project(project).project_id
    [listed] = harbor.get_robots(query=f"Level=project,ProjectID={project_id}")
    robot = harbor.get_robot(made.id)
    assert (listed.name, robot.name) == ("robot$driven+ci", "robot$driven+ci")
    robot.disable, robot.description = True, "of the pipeline"
    harbor.update_robot(made.id, robot)
    assert harbor.get_robot(made.id).disable
    assert harbor.refresh_robot_secret(made.id, "").secret not in {"", made.secret}
    harbor.delete_robot(made.id)
    with pytest.raises(exceptions.NotFound):
        harbor.get_robot(made.id)


def _keep_artifacts(harbor: Harbor, project: str) -> None:
    where = (project, REPOSITORY)
    assert [each.name for each in harbor.get_repositories(project)] == [f"{project}/{REPOSITORY}"]
    assert f"{project}/{REPOSITORY}" in [each.name for each in harbor.get_repositories()]
    harbor.update_repository(*where, Repository(description="described"))
    assert harbor.get_repository(*where).description == "described"
    [artifact] = harbor.get_artifacts(*where)
    assert artifact.digest == IMAGE.digest
    assert {tag.name for tag in artifact.tags} == {"first", "second"}
    assert harbor.get_project_artifacts(project)[0].digest == IMAGE.digest
    assert harbor.get_artifact(*where, "first", with_immutable_status=True).tags[0].immutable is False
    harbor.create_artifact_tag(*where, IMAGE.digest, Tag(name="third"))
    assert len(harbor.get_artifact_tags(*where, "third", page_size=1)) == 3  # following the links
    harbor.delete_artifact_tag(*where, "first", "third")
    assert harbor.get_artifact_build_history(*where, "first")
    harbor.copy_artifact(project, "copy", f"{project}/{REPOSITORY}:second")
    assert harbor.get_artifact(project, "copy", "second").digest == IMAGE.digest


def _keep_accessories(rig: Rig, harbor: Harbor, project: str) -> None:
    where = (project, REPOSITORY)
    assert harbor.get_artifact_accessories(*where, "first") == []
    rig.push_signature(project)
    [accessory] = harbor.get_artifact_accessories(*where, "first")
    assert (accessory.digest, accessory.type) == (SIGNATURE.digest, "signature.notation")
    assert accessory.subject_artifact_digest == IMAGE.digest
    assert accessory.artifact_id == harbor.get_artifact(*where, SIGNATURE.digest).id
    assert harbor.get_artifact(*where, "first", with_accessory=True).accessories == [accessory]
    harbor.delete_artifact(*where, SIGNATURE.digest)
    assert harbor.get_artifact_accessories(*where, "first") == []


def _keep_labels(harbor: Harbor, project: str) -> None:
    project_id = harbor.get_project(project).project_id
    label_id = int(harbor.create_label(Label(name="stable", scope="p", project_id=project_id)).rpartition("/")[2])
    harbor.update_label(label_id, Label(name="steady", scope="p", project_id=project_id))
    assert harbor.get_label(label_id).name == "steady"
    assert [each.id for each in harbor.get_labels(scope="p", project_id=project_id)] == [label_id]
    harbor.add_artifact_label(project, REPOSITORY, "first", Label(id=label_id))
    assert [each.id for each in harbor.get_artifact(project, REPOSITORY, "first", with_label=True).labels] == [label_id]
    harbor.delete_artifact_label(project, REPOSITORY, "first", label_id)
    harbor.delete_label(label_id)
    assert harbor.get_labels(scope="p", project_id=project_id) == []


def _keep_immutable_rules(harbor: Harbor, project: str) -> None:
    tags = [ImmutableSelector(kind="doublestar", decoration="matches", pattern="fir*")]
    everywhere = [ImmutableSelector(kind="doublestar", decoration="repoMatches", pattern="**")]
    rule = ImmutableRule(tag_selectors=tags, scope_selectors={"repository": everywhere})
    rule_id = int(harbor.create_project_immutable_tag_rule(project, rule).rpartition("/")[2])
    with pytest.raises(exceptions.PreconditionFailed):
        harbor.delete_artifact_tag(project, REPOSITORY, "first", "first")
    [listed] = harbor.get_project_immutable_tag_rules(project)
    listed.disabled = True
    harbor.update_project_immutable_tag_rule(project, rule_id, listed)
    harbor.delete_artifact_tag(project, REPOSITORY, "first", "first")
    harbor.delete_project_immutable_tag_rule(project, rule_id)
    assert harbor.get_project_immutable_tag_rules(project) == []


def _keep_retention(harbor: Harbor, project: str) -> None:
    assert "always" in [each.rule_template for each in harbor.get_retention_metadata().templates]
    tags = [RetentionSelector(kind="doublestar", decoration="matches", pattern="**")]
    everywhere = [RetentionSelector(kind="doublestar", decoration="repoMatches", pattern="**")]
    rule = RetentionRule(
        action="retain", template="always", priority=0, tag_selectors=tags, scope_selectors={"repository": everywhere}
    )
    scope = RetentionPolicyScope(level="project", ref=harbor.get_project(project).project_id)
    trigger = RetentionRuleTrigger(kind="Schedule", settings={"cron": ""})
    harbor.create_retention_policy(RetentionPolicy(algorithm="or", rules=[rule], trigger=trigger, scope=scope))
    policy_id = harbor.get_project_retention_id(project)
    policy = harbor.get_retention_policy(policy_id)
    assert policy.rules[0].template == "always"
    harbor.update_retention_policy(policy_id, policy)
    harbor.start_retention_execution(policy_id, dry_run=True)
    [execution] = harbor.get_retention_executions(policy_id)
    task = next(each for each in harbor.get_retention_tasks(policy_id, execution.id) if REPOSITORY in each.repository)
    assert harbor.get_retention_execution_task_log(policy_id, execution.id, task.id) is not None
    harbor.stop_retention_execution(policy_id, execution.id)
    harbor.delete_retention_policy(policy_id)


def _purge_the_record(harbor: Harbor) -> None:
    parameters = {"audit_retention_hour": 24, "dry_run": True, "include_event_types": "pull_artifact"}
    nightly = Schedule(schedule=ScheduleObj(type="Daily", cron="0 0 0 * * *"), parameters=parameters)
    harbor.create_purge_job_schedule(nightly)
    assert harbor.get_purge_job_schedule().schedule.cron == "0 0 0 * * *"
    harbor.update_purge_job_schedule(Schedule(schedule=ScheduleObj(type="None"), parameters=parameters))
    harbor.create_purge_job_schedule(Schedule(schedule=ScheduleObj(type="Manual"), parameters=parameters))
    [purge] = harbor.get_purge_job_history()
    assert harbor.get_purge_job(purge.id).job_name == "PURGE_AUDIT_LOG"
    assert harbor.get_purge_job_log(purge.id) == ""
    harbor.stop_purge_job(purge.id)


def _collect_garbage(harbor: Harbor) -> None:
    parameters = {"delete_untagged": True, "dry_run": True, "workers": 1}
    nightly = Schedule(schedule=ScheduleObj(type="Daily", cron="0 0 0 * * *"), parameters=parameters)
    harbor.create_gc_schedule(nightly)
    assert harbor.get_gc_schedule().schedule.cron == "0 0 0 * * *"
    harbor.update_gc_schedule(Schedule(schedule=ScheduleObj(type="None"), parameters=parameters))
    harbor.create_gc_schedule(Schedule(schedule=ScheduleObj(type="Manual"), parameters=parameters))
    [collection] = harbor.get_gc_jobs()
    assert harbor.get_gc_job(collection.id).job_name == "GARBAGE_COLLECTION"
    assert harbor.get_gc_log(collection.id) in ("", [])


def _read_the_record(harbor: Harbor, project: str) -> None:
    made = harbor.get_project_logs(project, sort="op_time")[0]
    assert (made.username, made.resource, made.resource_type, made.operation) == ("admin", project, "project", "create")
    assert "driven" in [each.resource for each in harbor.get_audit_logs(query="operation=create,resource_type=user")]


def _take_all_away(harbor: Harbor, project: str, user_id: int) -> None:
    with pytest.raises(exceptions.PreconditionFailed):
        harbor.delete_project(project)
    harbor.delete_artifact(project, REPOSITORY, IMAGE.digest)
    assert harbor.get_repository(project, REPOSITORY).artifact_count == 0
    harbor.delete_repository(project, REPOSITORY)
    harbor.delete_repository(project, "copy")
    harbor.delete_project(project)
    assert not harbor.project_exists(project)
    harbor.delete_user(user_id)
    with pytest.raises(exceptions.NotFound):
        harbor.get_user(user_id)


@pytest.mark.parametrize(
    ("refusal", "call"),
    [
        (exceptions.BadRequest, lambda harbor: harbor.create_project(ProjectReq(project_name="NO NAME"))),
        (exceptions.Conflict, lambda harbor: harbor.create_project(ProjectReq(project_name="library"))),
        (exceptions.NotFound, lambda harbor: harbor.get_project("missing")),
        (exceptions.UnprocessableEntity, lambda harbor: harbor.get_projects(page_size=101)),
        (exceptions.BadRequest, lambda harbor: harbor.get_projects(query="name")),
        (exceptions.Forbidden, lambda harbor: harbor.delete_user(1)),
    ],
    ids=["name", "taken", "missing", "page_size", "q", "own account"],
)
def test_a_refusal_is_the_error_that_the_client_knows(
    harbor: Harbor, refusal: type[Exception], call: object
) -> None:
    assert callable(call)
    with pytest.raises(refusal) as caught:
        call(harbor)
    assert caught.value.errors[0].message


def test_a_stranger_reads_what_is_public_and_no_more(rig: Rig) -> None:
    stranger = rig.client(NOBODY)
    assert "library" in [each.name for each in stranger.get_projects()]
    with pytest.raises(exceptions.Unauthorized):
        stranger.get_users()
    stranger.close()


def test_who_is_no_administrator_is_forbidden_what_administrators_do(rig: Rig, api: Api) -> None:
    somebody = rig.client(api.user())
    with pytest.raises(exceptions.Forbidden):
        somebody.get_config()
    with pytest.raises(exceptions.Forbidden):
        somebody.get_project("missing")
    somebody.close()
