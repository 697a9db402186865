"""The pod of the chart, as it is rendered, on a docker engine: what a kubelet does with it, as far as one engine can.

Containers of one pod share a network, that of a container which does nothing. A kubelet lays volumes open to all where
they are an emptyDir, and mounts a claim as its file system was made: root's, and nobody else's to write to. It makes a
folder that a mount names (`subPath`) with the mode of its volume. No container has an owner set for what it mounts.
Several pods of one instance have a claim in common.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

from tests.clients.polling import eventually
from tests.containers.stack import BASE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.clients.docker import DockerClient
    from tests.clients.helm import Rendered
    from tests.clients.skopeo import Outcome

IMAGES: Final = {
    name: {"repository": repository, "tag": "latest"}
    for name, repository in {
        "breakwater": "breakwater", "postgres": "breakwater-postgres", "rabbitmq": "breakwater-rabbitmq",
        "registry": "breakwater-registry", "proxy": "breakwater-nginx",
    }.items()
}
"""Those that the tests build, as values of the chart."""
PAUSE: Final = BASE
STARTED_SECONDS: Final = 180


class Pod:
    """One pod, and the claims that outlive it."""

    def __init__(
        self, docker: DockerClient, rendered: Rendered, *, folder: Path, port: int, secrets: Mapping[str, str],
        name: str = "breakwater-pod", number: int = 0, shared: Path | None = None,
    ) -> None:
        """`shared` is where claims lie, where that is not beside all else of this pod."""
        self._docker = docker
        self._rendered = rendered
        self._folder = folder
        self.port = port
        self._secrets = secrets
        self._name = f"{name}-{number}" if number else name
        self._hostname = f"{name}-{number}"
        self._shared = shared
        self.url = f"http://127.0.0.1:{port}"

    @property
    def _network(self) -> str:
        return f"{self._name}-network"

    def start(self) -> None:
        """As a kubelet starts it, init containers in their order."""
        self._must(
            "run", "--detach", "--name", self._network, "--hostname", self._hostname,
            "--publish", f"127.0.0.1:{self.port}:8080", PAUSE, "sleep", "infinity",
        )
        for container in self._rendered.pod["initContainers"]:
            self._run(container)
            if container.get("restartPolicy") != "Always":
                code = self._must("wait", self._of(container["name"]), timeout=STARTED_SECONDS).strip()
                assert code == "0", f"{container['name']} ended with {code}: {self.said(container['name'])}"
            elif "startupProbe" in container:
                self._await(container["name"], container["startupProbe"])
        for container in self._rendered.pod["containers"]:
            self._run(container)
        self.await_ready()

    def await_ready(self) -> None:
        """Until every readiness probe is content."""
        for name, container in self._rendered.containers.items():
            if "readinessProbe" in container:
                self._await(name, container["readinessProbe"])

    def stop(self) -> float:
        """As a kubelet ends it; returns how many seconds that took."""
        began = time.monotonic()
        containers = self._rendered.pod["containers"]
        sidecars = [each for each in self._rendered.pod["initContainers"] if each.get("restartPolicy") == "Always"]
        with ThreadPoolExecutor(len(containers) + len(sidecars)) as all_of_them:
            # what goes before the end is done for all at once, also for those whose turn has not come
            waiting = [all_of_them.submit(self._before_end, sidecar) for sidecar in sidecars]
            list(all_of_them.map(self._end, containers))
            for done in waiting:
                done.result()
        for sidecar in reversed(sidecars):
            self._stop(sidecar)
        return time.monotonic() - began

    def remove(self) -> None:
        """Containers and what does not outlive a pod; the claims stay."""
        for name in [*self._rendered.containers, "network"]:
            self._docker.run("rm", "--force", self._of(name))
        for volume in self._rendered.pod["volumes"]:
            if "persistentVolumeClaim" in volume:
                continue
            self._docker.run(
                "run", "--rm", "--volume", f"{self._folder}:/there", PAUSE, "rm", "-rf", f"/there/{volume['name']}"
            )

    def run_in(self, container: str, *words: str, timeout: float = 60) -> Outcome:
        return self._docker.run("exec", self._of(container), *words, timeout=timeout)

    def said(self, container: str) -> str:
        return self._docker.run("logs", "--tail", "60", self._of(container)).said

    def kill(self) -> None:
        """As when its node is lost: whom it was connected to is told nothing."""
        self._must("network", "disconnect", "--force", "bridge", self._network)
        self._docker.run("kill", *(self._of(name) for name in ["network", *self._rendered.containers]))

    def restart(self, container: str) -> None:
        """Ends it from within, and starts it anew with what is mounted as it is, as after a crash."""
        self._must("kill", "--signal", "KILL", self._of(container))
        self._must("start", self._of(container))

    @property
    def grace_seconds(self) -> float:
        """What a kubelet gives it before it kills."""
        return float(self._rendered.pod["terminationGracePeriodSeconds"])

    @property
    def address(self) -> str:
        """Of the pod, as others in the cluster would reach it."""
        return self._must("inspect", "--format", "{{.NetworkSettings.IPAddress}}", self._network).strip()

    def _of(self, container: str) -> str:
        return f"{self._name}-{container}"

    def _must(self, *words: str, timeout: float = 120) -> str:
        done = self._docker.run(*words, timeout=timeout)
        assert done.ok, done.said
        return done.out

    def _await(self, name: str, probe: dict[str, Any]) -> None:
        try:
            eventually(
                lambda: self.run_in(name, *probe["exec"]["command"]).ok, within=STARTED_SECONDS, what=name, every=0.5
            )
        except AssertionError as error:
            raise AssertionError(f"{name} is not well: {self.said(name)}") from error

    def _end(self, container: dict[str, Any]) -> None:
        self._before_end(container)
        self._stop(container)

    def _before_end(self, container: dict[str, Any]) -> None:
        before = container.get("lifecycle", {}).get("preStop")
        if before:
            self._docker.run("exec", self._of(container["name"]), *before["exec"]["command"])

    def _stop(self, container: dict[str, Any]) -> None:
        self._docker.run("stop", "--time", "60", self._of(container["name"]))

    def _run(self, container: dict[str, Any]) -> None:
        context = container["securityContext"]
        words = [
            "run", "--detach", "--name", self._of(container["name"]), "--network", f"container:{self._network}",
            "--user", f"{context['runAsUser']}:{context['runAsGroup']}",
            *(f"--cap-drop={name}" for name in context["capabilities"]["drop"]),
            *(f"--cap-add={name}" for name in context["capabilities"].get("add", ())),
            *(f"--group-add={group}" for group in self._rendered.pod["securityContext"]["supplementalGroups"]),
            "--memory", container["resources"]["limits"]["memory"].removesuffix("i").lower(),
        ]
        if context["readOnlyRootFilesystem"]:
            words += ["--read-only"]
        if not context["allowPrivilegeEscalation"]:
            words += ["--security-opt", "no-new-privileges:true"]
        for variable in container.get("env", ()):
            words += ["--env", f"{variable['name']}={self._value(variable)}"]
        for mount in container["volumeMounts"]:
            mode = "ro" if mount.get("readOnly") else "rw"
            words += ["--volume", f"{self._source(mount)}:{mount['mountPath']}:{mode}"]
        command = container.get("command", [])
        if command:
            words += ["--entrypoint", command[0]]
        self._must(*words, container["image"], *command[1:], *container.get("args", ()))

    def _value(self, variable: dict[str, Any]) -> str:
        if "value" in variable:
            return str(variable["value"])
        if "fieldRef" in variable["valueFrom"]:
            assert variable["valueFrom"]["fieldRef"] == {"fieldPath": "metadata.name"}
            return self._hostname
        reference = variable["valueFrom"]["secretKeyRef"]
        return self._secrets[f"{reference['name']}/{reference['key']}"]

    def _source(self, mount: dict[str, Any]) -> Path:
        volumes = {volume["name"]: volume for volume in self._rendered.pod["volumes"]}
        claimed = "persistentVolumeClaim" in volumes.get(mount["name"], {"persistentVolumeClaim": {}})
        mode = 0o755 if claimed else 0o777
        source = (self._shared if claimed and self._shared else self._folder) / mount["name"]
        for step in (source, *(source / name for name in _steps(mount.get("subPath", "")))):
            if not step.exists():
                step.mkdir()
                step.chmod(mode)
        return source / mount.get("subPath", "")


def _steps(path: str) -> list[str]:
    """`a/b` as `a`, `a/b`."""
    names = path.split("/") if path else []
    return ["/".join(names[: index + 1]) for index in range(len(names))]
