"""A stand-in for the API of a cluster, on a free port of the loopback: `with api(folder) as kubernetes`.

It keeps objects, and answers the real helm and kubectl as Kubernetes does: discovery, the usual verbs, patches,
watches, `scale`, `log`, `exec` of a `cat`, and a port-forward that nobody answers. There is neither a node nor a
container.
"""

from __future__ import annotations

import json
import sys
import threading
import traceback
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import yaml

from tests.clients.kubernetes import streams, wire
from tests.clients.kubernetes.patching import VERSION
from tests.clients.kubernetes.resources import RESOURCES, described
from tests.clients.kubernetes.settling import Settling, is_ready, long_running
from tests.clients.kubernetes.store import RefusedError, Store, Thing, matches
from tests.servers import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One request of a client."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    body: bytes


@dataclass(frozen=True, kw_only=True)
class Place:
    """What a path names."""

    plural: str
    namespace: str = ""
    name: str = ""
    subresource: str = ""


class Kubernetes:
    """The stand-in, with what tests look at, and what they lay into its pods."""

    def __init__(self) -> None:
        self.store = Store()
        self.settling = Settling(self.store)
        self.asked: list[Asked] = []
        self.files: dict[str, bytes] = {}
        """By path: what `cat` finds in any container."""
        self.faults: list[str] = []
        """What went wrong in the stand-in itself."""
        self.ended = threading.Event()


def place_of(path: str) -> Place:
    """Raises RefusedError where there is no such resource."""
    steps = path.strip("/").split("/")
    version, rest = (steps[1], steps[2:]) if steps[0] == "api" else ("/".join(steps[1:3]), steps[3:])
    namespace = ""
    if len(rest) > 2 and rest[0] == "namespaces":
        namespace, rest = rest[1], rest[2:]
    resource = RESOURCES.get(rest[0]) if rest else None
    if resource is None or resource.version != version or resource.namespaced != bool(namespace) or len(rest) > 3:
        raise RefusedError(404, "NotFound", f"the stand-in has no {path}")
    name, subresource = (*rest[1:], "", "")[:2]
    return Place(plural=rest[0], namespace=namespace, name=name, subresource=subresource)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    @property
    def kubernetes(self) -> Kubernetes:
        return self.server.kubernetes

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of http.server's own
        """Tests read `asked`."""

    def _handle(self) -> None:
        parts = urlsplit(self.path)
        query = parse_qs(parts.query)
        size = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(size)
        self.kubernetes.asked.append(Asked(method=self.command, path=parts.path, query=query, body=body))
        try:
            if found := described(f"{VERSION}.0").get(parts.path):
                self._answer(200, found)
            else:
                self._serve(place_of(parts.path), {name: values[-1] for name, values in query.items()}, body)
        except RefusedError as refusal:
            self._answer(refusal.status, refusal.body())

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _handle  # noqa: N815 - names that http.server looks for

    def _serve(self, place: Place, query: dict[str, str], body: bytes) -> None:
        store, at = self.kubernetes.store, (place.plural, place.namespace, place.name)
        if place.subresource:
            getattr(self, f"_serve_{place.subresource}")(place, query, body)
            return
        match self.command:
            case "GET" if place.name:
                self._answer(200, self._shown(store.get(*at)))
            case "GET" if query.get("watch", "false") in {"true", "1"}:
                self._watch(place, query)
            case "GET":
                self._list(place, query)
            case "POST":
                self._answer(201, store.create(place.plural, place.namespace, wire.read(body)))
            case "PUT":
                self._answer(200, store.replace(*at, wire.read(body)))
            case "PATCH":
                self._answer(200, store.patch(*at, self.headers["Content-Type"], json.loads(body)))
            case "DELETE":
                uid = store.get(*at)["metadata"]["uid"]
                if place.plural == "pods":
                    self.kubernetes.settling.delete_pod(place.namespace, place.name)
                else:
                    store.delete(*at)
                details = {"name": place.name, "kind": place.plural, "uid": uid}
                self._answer(200, {"kind": "Status", "apiVersion": "v1", "status": "Success", "details": details})

    def _list(self, place: Place, query: dict[str, str]) -> None:
        store, resource = self.kubernetes.store, RESOURCES[place.plural]
        with store.changed:
            found = store.all(
                place.plural, place.namespace,
                labels=query.get("labelSelector", ""), fields=query.get("fieldSelector", ""),
            )
            version = {"resourceVersion": str(store.number)}
        if place.plural == "pods" and "as=Table" in self.headers.get("Accept", ""):
            self._answer(200, _table(found) | {"metadata": version})
            return
        kind = {"kind": f"{resource.kind}List", "apiVersion": resource.version}
        self._answer(200, kind | {"metadata": version, "items": found})

    def _shown(self, thing: Thing) -> Thing:
        if thing["kind"] == "Pod" and "as=Table" in self.headers.get("Accept", ""):
            return _table([thing])
        return thing

    def _watch(self, place: Place, query: dict[str, str]) -> None:
        store, seen = self.kubernetes.store, int(query.get("resourceVersion") or 0)
        field, _, name = query.get("fieldSelector", "").partition("=")
        if (place.plural, field) == ("pods", "metadata.name"):
            self.kubernetes.settling.watch_pod(place.namespace, name, seen)
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        while not self.kubernetes.ended.is_set():
            with store.changed:
                store.changed.wait_for(lambda last=seen: store.number > last, timeout=1)
                events, seen = store.events[seen:], store.number
            for event in events:
                thing = event.thing
                if (
                    event.plural == place.plural
                    and thing["metadata"].get("namespace", "") == place.namespace
                    and matches(thing, labels=query.get("labelSelector", ""), fields=query.get("fieldSelector", ""))
                ):
                    self.wfile.write(json.dumps({"type": event.kind, "object": thing}).encode() + b"\n")
                    self.wfile.flush()

    def _serve_scale(self, place: Place, _: dict[str, str], body: bytes) -> None:
        store, at = self.kubernetes.store, (place.plural, place.namespace, place.name)
        if self.command != "GET":
            store.patch(*at, "application/merge-patch+json", {"spec": json.loads(body)["spec"]})
        thing = store.get(*at)
        scale = {"kind": "Scale", "apiVersion": "autoscaling/v1", "spec": {"replicas": thing["spec"]["replicas"]}}
        names = ("name", "namespace", "uid", "resourceVersion")
        self._answer(200, scale | {"metadata": {name: thing["metadata"][name] for name in names}})

    def _container(self, place: Place, query: dict[str, str]) -> str:
        pod = self.kubernetes.store.get(place.plural, place.namespace, place.name)
        names = [each["name"] for each in (*pod["spec"]["initContainers"], *pod["spec"]["containers"])]
        if (container := query.get("container", names[0])) not in names:
            said = f"container {container} is not valid for pod {place.name}"
            raise RefusedError(400, "BadRequest", said)
        return container

    def _serve_log(self, place: Place, query: dict[str, str], _: bytes) -> None:
        container = self._container(place, query)
        self._send(200, f"{container} of {place.name}\n".encode(), "text/plain")

    def _serve_exec(self, place: Place, query: dict[str, str], _: bytes) -> None:
        self._container(place, query)
        program, *paths = parse_qs(urlsplit(self.path).query)["command"]
        found = [self.kubernetes.files[path] for path in paths if path in self.kubernetes.files]
        streams.accept(self, streams.EXEC)
        if program == "cat" and len(found) == len(paths):
            streams.say(self, b"".join(found), {"metadata": {}, "status": "Success"})
            return
        failure = {"status": "Failure", "reason": "NonZeroExitCode", "message": "command terminated with exit code 1"}
        streams.say(self, b"", failure | {"details": {"causes": [{"reason": "ExitCode", "message": "1"}]}})

    def _serve_portforward(self, place: Place, *_: object) -> None:
        self.kubernetes.store.get(place.plural, place.namespace, place.name)
        streams.accept(self, streams.FORWARD)
        streams.hold(self)

    def _answer(self, status: int, body: Thing) -> None:
        self._send(status, json.dumps(body).encode(), "application/json")

    def _send(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class _Server(ThreadingHTTPServer):
    block_on_close = False
    kubernetes: Kubernetes

    def handle_error(self, *_: object) -> None:
        """A client that goes is no fault: that is how a watch ends."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            self.kubernetes.faults.append(traceback.format_exc())


def _table(pods: list[Thing]) -> Thing:
    """Pods as the API lays them out for people."""
    names = ("Name", "Ready", "Status", "Restarts", "Age")
    columns = [{"name": name, "type": "string", "format": "", "description": "", "priority": 0} for name in names]
    rows: list[dict[str, Any]] = []
    for pod in pods:
        count = len(long_running(pod))
        cells = [pod["metadata"]["name"], f"{count if is_ready(pod) else 0}/{count}", pod["status"]["phase"], "0", "1s"]
        rows.append({"cells": cells, "object": {"kind": "PartialObjectMetadata", "metadata": pod["metadata"]}})
    return {"kind": "Table", "apiVersion": "meta.k8s.io/v1", "columnDefinitions": columns, "rows": rows}


@contextmanager
def api(kubeconfig: Path) -> Iterator[Kubernetes]:
    """Serves one while the block runs, and writes the file that tells clients of it. Fails for faults of its own."""
    kubernetes = Kubernetes()
    with _Server(("127.0.0.1", free_port()), _Handler) as server:
        server.kubernetes = kubernetes
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        serving.start()
        kubernetes.settling.start()
        cluster = {"name": "stand-in", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}
        context = {"name": "stand-in", "context": {"cluster": "stand-in", "user": ""}}
        kubeconfig.write_text(
            yaml.safe_dump(
                {
                    "apiVersion": "v1", "kind": "Config", "current-context": "stand-in",
                    "clusters": [cluster], "contexts": [context],
                }
            )
        )
        kubeconfig.chmod(0o600)
        try:
            yield kubernetes
        finally:
            kubernetes.ended.set()
            kubernetes.settling.end()
            server.shutdown()
            serving.join()
    assert not kubernetes.faults, "\n".join(kubernetes.faults)
