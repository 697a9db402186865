"""The chart's pod is the containers of the compose file: held against it, service by service, as Helm renders it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import pytest
import yaml

from compose.local import asking
from compose.local.options import CHECKOUT
from compose.local.parts import PARTS, SERVICES, STOP_ORDER
from shared.messaging.liveness import PATIENCE_SECONDS
from tests.clients import helm

if TYPE_CHECKING:
    from tests.clients.helm import Rendered

HOME: Final = "/var/lib/breakwater"
COMPOSE: Final[dict[str, Any]] = yaml.safe_load(CHECKOUT.joinpath("compose", "docker", "compose.yaml").read_text())
SERVICE: Final[dict[str, dict[str, Any]]] = {
    name: service for name, service in COMPOSE["services"].items() if name not in {"log", "operate"}
}
"""All but the log, as what a container says is the kubelet's to keep, and but the verbs, which no pod has."""
ONCE: Final = ("prepare", "migrate")
SIDECARS: Final = ("rabbitmq", "postgres")
COMPARED: Final = {
    "image", "command", "entrypoint", "user", "group_add", "cap_drop", "cap_add", "security_opt", "read_only", "tmpfs",
    "volumes", "healthcheck", "mem_limit", "stop_grace_period", "stop_signal", "shm_size", "environment", "ports",
}
ELSEWHERE: Final = {
    "build": "images are built by compose",
    "restart": "a pod's containers are always started again",
    "depends_on": "the order of init containers",
    "logging": "the kubelet takes what a container says",
    "networks": "containers of a pod share one, which the NetworkPolicy guards",
    "network_mode": "the same",
    "pids_limit": "the kubelet has one for whole pods",
}
"""What compose says of a service, and what stands for it in a pod."""
NOT_RESTARTED: Final = {"registry": "its check asks the storage too, and a restart mends no other part"}
"""Parts that are not ended for what their check says."""


@pytest.fixture(scope="module")
def rendered() -> Rendered:
    return helm.render()


@pytest.fixture(scope="module")
def containers(rendered: Rendered) -> dict[str, dict[str, Any]]:
    return rendered.containers


def default(text: str) -> str:
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)


def seconds(text: str) -> int:
    return int(text[:-1]) * {"s": 1, "m": 60}[text[-1]]


def test_nothing_that_compose_says_of_a_service_is_passed_over() -> None:
    assert {key for service in SERVICE.values() for key in service} == COMPARED | set(ELSEWHERE)
    assert not COMPARED & set(ELSEWHERE)


def test_every_service_has_its_container(rendered: Rendered, containers: dict[str, Any]) -> None:
    assert {*containers} == {*SERVICE} == {*PARTS, *ONCE} - {"log"}
    assert len(containers) == len(rendered.pod["initContainers"]) + len(rendered.pod["containers"])


@pytest.mark.parametrize("name", SERVICE)
def test_container_runs_the_same_image_and_command(containers: dict[str, Any], name: str) -> None:
    service, container = SERVICE[name], containers[name]
    version = yaml.safe_load(helm.CHART.joinpath("Chart.yaml").read_text())["appVersion"]
    image = service["image"]
    assert container["image"] == (image if ":" in image else f"{image}:{version}")
    assert container.get("command") == service.get("entrypoint")
    assert container.get("args") == service.get("command")


@pytest.mark.parametrize("name", SERVICE)
def test_container_has_the_same_user_and_rights(rendered: Rendered, containers: dict[str, Any], name: str) -> None:
    service, context = SERVICE[name], containers[name]["securityContext"]
    user = f"{context['runAsUser']}:{context['runAsGroup']}"
    assert user == service["user"]
    assert context["runAsNonRoot"] is (user != "0:0")
    assert {*service.get("group_add", ())} <= {*map(str, rendered.pod["securityContext"]["supplementalGroups"])}
    assert context["readOnlyRootFilesystem"] is service["read_only"] is True
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert context["allowPrivilegeEscalation"] is False
    assert context["capabilities"]["drop"] == service["cap_drop"] == ["ALL"]
    wanted = service.get("cap_add", [])
    if name == "migrate":
        # Pod Security's baseline knows no DAC_READ_SEARCH. To write takes more than a right where all is read-only
        assert wanted == ["DAC_READ_SEARCH"]
        wanted = ["DAC_OVERRIDE"]
        assert [path for path, (_, mode) in mounts(containers[name]).items() if mode == "rw"] == [
            "/tmp", f"{HOME}/database"  # noqa: S108 - a path in a container
        ]
    assert context["capabilities"].get("add", []) == wanted
    assert not context.keys() - {
        "runAsUser", "runAsGroup", "runAsNonRoot", "readOnlyRootFilesystem", "allowPrivilegeEscalation", "capabilities"
    }


def test_pod_has_no_account_no_group_of_its_volumes_and_the_runtime_s_seccomp_profile(rendered: Rendered) -> None:
    assert rendered.pod["securityContext"] == {
        "supplementalGroups": [10000], "seccompProfile": {"type": "RuntimeDefault"}
    }
    assert rendered.pod["automountServiceAccountToken"] is False
    assert rendered.pod["enableServiceLinks"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace"} & rendered.pod.keys()


def test_a_namespace_may_enforce_pod_security_s_baseline(rendered: Rendered, containers: dict[str, Any]) -> None:
    allowed = {
        "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP",
        "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
    }  # fmt: skip
    for container in containers.values():
        assert {*container["securityContext"]["capabilities"].get("add", ())} <= allowed
        assert "hostPort" not in str(container.get("ports"))
    assert all({*volume} <= {"name", "emptyDir"} for volume in rendered.pod["volumes"])


def mounts(container: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """The volume with the folder in it, and the mode, by path."""
    return {
        mount["mountPath"]: (
            "/".join(filter(None, (mount["name"], mount.get("subPath")))), "ro" if mount.get("readOnly") else "rw"
        )
        for mount in container["volumeMounts"]
    }


def as_in_a_pod(volume: str) -> str:
    """Where a volume of compose lies there."""
    match volume.removeprefix("for-"):
        case "secrets" | "conf" | "audit" as kept:
            return f"secrets/{kept}"
        case part if volume.startswith("for-"):
            return f"handed-out/{part}"
        case same:
            return same


@pytest.mark.parametrize("name", SERVICE)
def test_container_mounts_the_same_volumes_and_writes_to_the_same(containers: dict[str, Any], name: str) -> None:
    wanted = {}
    for entry in map(default, SERVICE[name]["volumes"]):
        volume, path, *mode = entry.split(":")
        wanted[path] = (as_in_a_pod(volume), mode[0] if mode else "rw")
    for entry in SERVICE[name].get("tmpfs", ["/tmp"]):  # noqa: S108 - a path in a container
        path = entry.partition(":")[0]
        wanted[path] = (f"scratch/{name}/{'home' if path == HOME else path.rpartition('/')[2]}", "rw")
    # nobody restores into a pod
    wanted.pop(f"{HOME}/restored", None)
    if name == "prepare":
        # the volumes of all parts are folders of one, but for the one that has to last
        wanted = {path: it for path, it in wanted.items() if not it[0].startswith("handed-out/")}
        wanted["/handed-out"] = ("handed-out", "rw")
        # no log keeps lines there, and by default no certificate is given and nothing is outside
        for path in (f"{HOME}/log", f"{HOME}/lines", "/given", "/given-for-database", "/given-for-broker"):
            del wanted[path]
    if "shm_size" in SERVICE[name]:
        wanted["/dev/shm"] = ("shared-memory", "rw")  # noqa: S108 - a path in a container
    assert mounts(containers[name]) == wanted


@pytest.mark.parametrize("part", sorted({*PARTS} - {"log"}))
def test_part_mounts_its_own_secrets_and_nobody_else_s(containers: dict[str, Any], part: str) -> None:
    secret = {
        volume for volume, _ in mounts(containers[part]).values() if volume.startswith(("handed-out", "secrets"))
    } - {"secrets/conf"}
    assert secret <= {f"handed-out/{part}", "secrets/audit" if part == "audit" else ""}
    assert bool(secret) == (f"for-{part}" in COMPOSE["volumes"])


@pytest.mark.parametrize("name", sorted({*SERVICE} - {*ONCE}))
def test_probes_are_the_health_checks(containers: dict[str, Any], name: str) -> None:
    check, container = SERVICE[name]["healthcheck"], containers[name]
    command = {"command": check["test"][1:]}
    assert check["test"][0] == "CMD"
    assert container["readinessProbe"] == {
        "exec": command, "periodSeconds": seconds(check["interval"]), "timeoutSeconds": seconds(check["timeout"]),
        "failureThreshold": check["retries"],
    }
    for kind in ("startupProbe", "livenessProbe"):
        if kind in container:
            # a part in Python is asked whether it turns, whatever else is away
            alive = kind == "livenessProbe" and name in SERVICES
            assert container[kind]["exec"] == {"command": [*command["command"], *(["--alive"] if alive else [])]}
            assert container[kind]["timeoutSeconds"] == seconds(check["timeout"])
            assert container[kind]["failureThreshold"] >= check["retries"]
    assert ("livenessProbe" in container) == (name not in NOT_RESTARTED)


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_part_that_stands_still_is_given_minutes_before_it_is_ended(containers: dict[str, Any], name: str) -> None:
    """More than its own watch takes, which ends a service that stands still and says where."""
    probe = containers[name]["livenessProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] > PATIENCE_SECONDS
    assert probe["initialDelaySeconds"] >= asking.SILENT_SECONDS


def test_nobody_waits_for_the_broker_and_the_migration_for_the_database(containers: dict[str, Any]) -> None:
    assert [name for name, container in containers.items() if "startupProbe" in container] == ["postgres"]
    # a sidecar without a startup probe lets the next one start at once; and an hour is enough for any recovery
    probe = containers["postgres"]["startupProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] == 3600


def test_init_containers_come_in_the_order_in_which_they_need_each_other(rendered: Rendered) -> None:
    order = [(each["name"], each.get("restartPolicy")) for each in rendered.pod["initContainers"]]
    assert order == [("prepare", None), *((name, "Always") for name in SIDECARS), ("migrate", None)]
    version = yaml.safe_load(helm.CHART.joinpath("Chart.yaml").read_text())["kubeVersion"]
    # sidecars are on by default, and end after the others, from then on
    assert version == f">={helm.OLDEST}.0-0"


def waits(container: dict[str, Any]) -> int:
    """The most seconds before it is told to end."""
    hook = container.get("lifecycle", {}).get("preStop")
    if hook is None:
        return 0
    shell, option, script = hook["exec"]["command"]
    assert (shell, option) == ("/bin/sh", "-c")
    return int((re.search(r"\$n -lt (\d+)", script) or re.search(r"sleep (\d+)", script) or [0, 0])[1])


def test_parts_end_in_the_order_of_the_local_run(rendered: Rendered, containers: dict[str, Any]) -> None:
    stage = {part: number for number, parts in enumerate(STOP_ORDER) for part in parts}
    first, behind, registry, then, servers, _ = STOP_ORDER
    assert {*servers} == {*SIDECARS}
    assert waits(containers[first[0]]) < min(waits(containers[part]) for part in (*behind, *registry))
    assert max(waits(containers[part]) for part in (*behind, *registry)) < waits(containers["intake"])
    # to these nobody tells anything while they end
    assert {part for part in then if not waits(containers[part])} == {*then} - {"intake"}
    assert all(stage[each["name"]] < stage["postgres"] for each in rendered.pod["containers"])


def test_signal_that_a_server_ends_well_by_is_sent_before_the_common_one(containers: dict[str, Any]) -> None:
    signals = {name: service["stop_signal"] for name, service in SERVICE.items() if "stop_signal" in service}
    # PostgreSQL needs none there: with TERM it waits for its clients, and they have ended by then
    assert signals == {"postgres": "SIGINT", "proxy": "SIGQUIT"}
    script = containers["proxy"]["lifecycle"]["preStop"]["exec"]["command"][-1]
    assert script.partition(";")[0] == "kill -s QUIT 1"


def test_no_sidecar_is_told_of_the_end_before_the_others_have_ended(containers: dict[str, Any]) -> None:
    """A kubelet runs every such hook as soon as the pod begins to end, and not when it is that container's turn."""
    assert [name for name in SIDECARS if "lifecycle" in containers[name]] == []


def test_database_that_hangs_is_given_as_long_to_end_as_by_compose(containers: dict[str, Any]) -> None:
    grace = containers["postgres"]["livenessProbe"]["terminationGracePeriodSeconds"]
    assert grace == seconds(SERVICE["postgres"]["stop_grace_period"])


def test_pod_is_given_the_time_that_all_may_take(rendered: Rendered, containers: dict[str, Any]) -> None:
    grace = {name: seconds(service.get("stop_grace_period", "10s")) for name, service in SERVICE.items()}
    parts = max(waits(each) + grace[each["name"]] for each in rendered.pod["containers"])
    servers = sum(waits(containers[name]) + grace[name] for name in SIDECARS)
    assert rendered.pod["terminationGracePeriodSeconds"] >= parts + servers


@pytest.mark.parametrize("name", sorted({*SERVICE} - {*ONCE}))
def test_container_has_the_same_limit_of_memory_and_asks_for_less(containers: dict[str, Any], name: str) -> None:
    limit = default(SERVICE[name]["mem_limit"])
    resources = containers[name]["resources"]
    assert resources["limits"] == {"memory": f"{limit[:-1]}{limit[-1].upper()}i"}
    assert resources["requests"].keys() == {"cpu", "memory"}


def test_what_runs_once_is_limited_too(containers: dict[str, Any]) -> None:
    """Else a namespace with a quota would refuse the pod."""
    assert all(containers[name]["resources"]["limits"]["memory"] for name in ONCE)


def test_shared_memory_is_as_large(rendered: Rendered) -> None:
    (volume,) = [each for each in rendered.pod["volumes"] if each["name"] == "shared-memory"]
    assert volume["emptyDir"] == {"medium": "Memory", "sizeLimit": "256Mi"}
    assert {service["shm_size"] for service in SERVICE.values() if "shm_size" in service} == {"256m"}


def test_what_has_to_last_is_claimed_and_stays_when_the_release_is_removed(rendered: Rendered) -> None:
    spec = rendered.objects["StatefulSet"]["spec"]
    claimed = {claim["metadata"]["name"] for claim in spec["volumeClaimTemplates"]}
    assert claimed == {"postgres", "rabbitmq", "registry", "secrets"}
    assert spec["persistentVolumeClaimRetentionPolicy"] == {"whenDeleted": "Retain", "whenScaled": "Retain"}
    in_memory = {volume["name"] for volume in rendered.pod["volumes"]}
    used = {volume.partition("/")[0] for each in rendered.containers.values() for volume, _ in mounts(each).values()}
    assert used == claimed | in_memory
    assert {each["emptyDir"]["medium"] for each in rendered.pod["volumes"]} == {"Memory"}
    assert spec["replicas"] == 1


WITH_WHAT_IS_OUTSIDE = {
    "BREAKWATER_DATABASE_OWNER_PASSWORD", "BREAKWATER_S3_ACCESS_KEY", "BREAKWATER_S3_SECRET_KEY",
}  # fmt: skip
"""Out of Secrets that are named only then."""
FOLDERS_OF_A_HOST = {"BREAKWATER_TLS_FOLDER", "BREAKWATER_DATABASE_CA_FOLDER", "BREAKWATER_AMQP_CA_FOLDER"}
"""Secrets and ConfigMaps stand for them: no pod starts where one of their keys is missing."""


@pytest.mark.parametrize("name", SERVICE)
def test_container_has_the_same_settings(containers: dict[str, Any], name: str) -> None:
    given = {variable["name"] for variable in containers[name].get("env", ())}
    wanted = {*SERVICE[name].get("environment", ())} - {
        "BREAKWATER_LOG_FORWARD", *WITH_WHAT_IS_OUTSIDE, *FOLDERS_OF_A_HOST,
    }
    # the pod tells that it is one, of how many, and which; and it passes on what compose does not
    more = {"BREAKWATER_POD", "BREAKWATER_PODS", "BREAKWATER_DISK_RESERVE_PERCENT", "BREAKWATER_DISK_RESERVE_BYTES"}
    assert given == (wanted | more | ({"BREAKWATER_POD_NAME"} if name == "prepare" else set()) if wanted else set())


def test_the_proxy_s_port_alone_is_open(rendered: Rendered, containers: dict[str, Any]) -> None:
    published = [name for name, service in SERVICE.items() if "ports" in service]
    assert published == [name for name, container in containers.items() if "ports" in container] == ["proxy"]
    target = int(SERVICE["proxy"]["ports"][0].rpartition(":")[2])
    (port,) = rendered.objects["Service"]["spec"]["ports"]
    assert port == {"name": "http", "port": 80, "targetPort": target}
    assert [each["containerPort"] for each in containers["proxy"]["ports"]] == [target]
    policy = rendered.objects["NetworkPolicy"]["spec"]
    assert policy["ingress"] == [{"ports": [{"port": target, "protocol": "TCP"}]}]
    assert policy["policyTypes"] == ["Ingress"]


def test_service_and_policy_select_the_pod_and_nothing_less(rendered: Rendered) -> None:
    labels = rendered.objects["StatefulSet"]["spec"]["template"]["metadata"]["labels"]
    for selector in (
        rendered.objects["Service"]["spec"]["selector"],
        rendered.objects["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"],
        rendered.objects["StatefulSet"]["spec"]["selector"]["matchLabels"],
    ):
        assert selector == {
            "app.kubernetes.io/name": "breakwater", "app.kubernetes.io/instance": helm.RELEASE
        }  # fmt: skip
        assert selector.items() <= labels.items()


def test_clients_reach_the_proxy_while_another_part_is_away(rendered: Rendered) -> None:
    """Readiness is that of all containers: else a consumer that is down would take pulls along."""
    assert rendered.objects["Service"]["spec"]["publishNotReadyAddresses"] is True


def test_no_secret_is_in_what_is_rendered(rendered: Rendered, containers: dict[str, Any]) -> None:
    assert {*rendered.objects} == {"StatefulSet", "Service", "NetworkPolicy"}
    secret = [
        (name, variable)
        for name, container in containers.items()
        for variable in container.get("env", ())
        if re.search("PASSWORD|SECRET|TOKEN$|KEY", variable["name"])
    ]
    reference = {"secretKeyRef": {"name": "breakwater-admin", "key": "password"}}
    assert secret == [("prepare", {"name": "BREAKWATER_ADMIN_PASSWORD", "valueFrom": reference})]
    # what Helm would make up is another one each time
    assert helm.render().text == rendered.text
