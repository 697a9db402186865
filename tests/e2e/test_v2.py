"""The registry's protocol without docker's token dance: curl with a name and a password, and the lists beside it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import requests

from tests.clients.images import OCI_INDEX, OCI_MANIFEST, Blob, make_image, make_referrer, write_layout
from tests.clients.polling import eventually, settled
from tests.clients.registry import RegistryClient
from tests.servers import stand_still

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.clients.docker import DockerEngine
    from tests.e2e.system import Person, System


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What curl got."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:  # noqa: ANN401 - whatever JSON holds
        return json.loads(self.body)

    @property
    def message(self) -> str:
        return str(self.json["errors"][0]["message"])


class Curl:
    """curl with a name and a password on the command line, as scripts have it."""

    def __init__(self, system: System, folder: Path, name: str, password: str) -> None:
        self._url = system.url
        self._folder = folder
        self._user = f"{name}:{password}"

    def __call__(self, method: str, path: str, *headers: str, body: bytes | None = None) -> Answer:
        """One request; a HEAD is made as curl makes it."""
        files = {name: self._folder / f"curl.{name}" for name in ("head", "body", "sent")}
        how = ["--head"] if method == "HEAD" else ["-X", method]
        if body is not None:
            files["sent"].write_bytes(body)
            how += ["--data-binary", f"@{files['sent']}"]
        done = subprocess.run(
            [
                "curl", "--silent", "--show-error", "--max-time", "30", "--user", self._user, *how,
                *(word for header in headers for word in ("-H", header)),
                "-D", files["head"], "-o", files["body"], path if path.startswith("http") else f"{self._url}{path}",
            ],
            capture_output=True, text=True, check=False,
        )
        assert done.returncode == 0, done.stderr
        *_, last = files["head"].read_text().strip().split("\n\n")
        first, *rest = last.splitlines()
        pairs = (line.partition(": ") for line in rest)
        return Answer(
            status=int(first.split()[1]),
            headers={name.lower(): value.strip() for name, _, value in pairs},
            body=files["body"].read_bytes() if files["body"].exists() and method != "HEAD" else b"",
        )

    def push_blob(self, repository: str, blob: Blob) -> Answer:
        begun = self("POST", f"/v2/{repository}/blobs/uploads/", "Content-Length: 0")
        if begun.status != requests.codes.accepted:
            return begun
        sign = "&" if "?" in (location := begun.headers["location"]) else "?"
        return self(
            "PUT", f"{location}{sign}digest={blob.digest}", "Content-Type: application/octet-stream", body=blob.content
        )

    def push_manifest(self, repository: str, reference: str, manifest: Blob) -> Answer:
        path = f"/v2/{repository}/manifests/{reference}"
        return self("PUT", path, f"Content-Type: {manifest.media_type}", body=manifest.content)


def curl(system: System, folder: Path, person: Person | None = None) -> Curl:
    if person is None:
        return Curl(system, folder, system.admin_name, system.admin_password)
    return Curl(system, folder, person.name, person.password)


def test_curl_pushes_pulls_lists_and_deletes_with_a_password(
    system: System, project: str, person: Callable[[str, str], Person], tmp_path: Path,
) -> None:
    maintainer = person(project, "maintainer")
    mine, name, image = curl(system, tmp_path, maintainer), f"{project}/app", make_image(f"curl/{project}", layers=2)
    assert mine("GET", "/v2/").status == requests.codes.ok
    for blob in image.blobs:
        assert mine.push_blob(name, blob).status == requests.codes.created
    for tag in ("v1", "v2"):
        assert mine.push_manifest(name, tag, image.manifest).status == requests.codes.created
    assert mine("GET", f"/v2/{name}/tags/list").json == {"name": name, "tags": ["v1", "v2"]}
    pulled = mine("GET", f"/v2/{name}/manifests/v1", f"Accept: {OCI_MANIFEST}")
    assert (pulled.status, pulled.body) == (requests.codes.ok, image.manifest.content)
    assert mine("GET", f"/v2/{name}/blobs/{image.layers[0].digest}").body == image.layers[0].content
    assert mine("HEAD", f"/v2/{name}/manifests/v1", f"Accept: {OCI_MANIFEST}").status == requests.codes.ok
    mounted = mine(
        "POST", f"/v2/{project}/copy/blobs/uploads/?mount={image.layers[0].digest}&from={name}", "Content-Length: 0"
    )
    assert mounted.status == requests.codes.created

    assert mine("DELETE", f"/v2/{name}/manifests/v1").status == requests.codes.accepted
    assert mine("GET", f"/v2/{name}/tags/list").json["tags"] == ["v2"]
    settled(
        lambda: [[tag["name"] for tag in found["tags"] or ()] for found in system.admin.artifacts(name)], [["v2"]],
        within=15, what="the catalogue has the other tag and the artifact",
    )
    settled(
        lambda: sorted(
            (row["operation"], row["resource_type"], row["resource"], row["username"])
            for row in system.admin.audit(project) if row["operation"] != "pull" and row["resource_type"] != "member"
            and row["resource"].startswith(name)
        ),
        [
            ("create", "artifact", f"{name}:v1", maintainer.name),
            ("create", "artifact", f"{name}:v2", maintainer.name),
            ("delete", "tag", f"{name}:v1", maintainer.name),
        ],
        within=15, what="each write in the record once, and nothing of what took the tag off",
    )
    assert [event["data"]["digest"] for event in system.events_of(project, "tag.deleted")] == [image.digest]
    assert system.events_of(project, "artifact.deleted") == []


def test_curl_is_told_what_it_may_not_do(
    system: System, project: str, person: Callable[[str, str], Person], tmp_path: Path,
) -> None:
    name, image = f"{project}/app", make_image(f"refused/{project}")
    assert system.registry().push(name, "v1", image).ok
    developer, guest = (curl(system, tmp_path, person(project, role)) for role in ("developer", "guest"))
    stranger = curl(system, tmp_path, system.new_person())
    for answer, action in (
        (guest.push_manifest(name, "v2", image.manifest), "push"),
        (guest("POST", f"/v2/{name}/blobs/uploads/", "Content-Length: 0"), "push"),
        (developer("DELETE", f"/v2/{name}/manifests/v1"), "delete"),
        (developer("DELETE", f"/v2/{name}/manifests/{image.digest}"), "delete"),
        (stranger("GET", f"/v2/{name}/manifests/v1"), "pull"),
        (stranger("GET", f"/v2/{name}/tags/list"), "pull"),
        (stranger("GET", f"/v2/{name}/referrers/{image.digest}"), "pull"),
        (stranger("GET", f"/v2/{name}/blobs/{image.layers[0].digest}"), "pull"),
    ):
        assert answer.status == requests.codes.unauthorized
        assert answer.headers["www-authenticate"] == 'Basic realm="Breakwater"'
        assert answer.message == f"unauthorized to access repository: {name}, action: {action}"
    target = system.new_project(public=True)
    mine = curl(system, tmp_path, person(target, "developer"))
    mount = f"?mount={image.layers[0].digest}&from={name}"
    stolen = mine("POST", f"/v2/{target}/x/blobs/uploads/{mount}", "Content-Length: 0")
    assert stolen.status == requests.codes.unauthorized
    assert stolen.message == f"unauthorized to access repository: {name}, action: pull"
    wrong = Curl(system, tmp_path, system.admin_name, "not the password")("GET", "/v2/")
    assert (wrong.status, wrong.headers["www-authenticate"]) == (401, 'Basic realm="Breakwater"')
    assert wrong.message == "incorrect username or password"
    assert system.registry().tags(name) == ["v1"]


def test_a_robot_uses_its_secret_on_v2(system: System, project: str, tmp_path: Path) -> None:
    robot, secret, _ = system.admin.create_robot("ci", project, ("pull", "push"))
    mine, image = Curl(system, tmp_path, robot, secret), make_image(f"robot/{project}")
    for blob in image.blobs:
        assert mine.push_blob(f"{project}/app", blob).status == requests.codes.created
    assert mine.push_manifest(f"{project}/app", "v1", image.manifest).status == requests.codes.created
    assert mine("DELETE", f"/v2/{project}/app/manifests/v1").status == requests.codes.unauthorized
    (row,) = eventually(
        lambda: [row for row in system.admin.audit(project) if row["resource_type"] == "artifact"], within=15,
        what="the push in the record",
    )
    assert row["username"] == robot


def test_everybody_has_a_catalog_of_his_own(
    system: System, project: str, person: Callable[[str, str], Person], tmp_path: Path,
) -> None:
    assert system.registry().push(f"{project}/app", "v1", make_image(f"catalog/{project}")).ok
    eventually(lambda: system.admin.artifacts(f"{project}/app"), within=15, what="the repository is catalogued")
    member = curl(system, tmp_path, person(project, "limitedGuest"))
    stranger = curl(system, tmp_path, system.new_person())
    seen = [f"{project}/app"]
    assert set(seen) <= set(curl(system, tmp_path)("GET", "/v2/_catalog?n=1000").json["repositories"])
    assert set(seen) <= set(member("GET", "/v2/_catalog?n=1000").json["repositories"])
    assert not set(seen) & set(stranger("GET", "/v2/_catalog?n=1000").json["repositories"])
    admin = system.registry()
    found = admin.send("GET", f"/v2/_catalog?n=1&last={project}", "registry:catalog:*")
    assert found.json() == {"repositories": seen}
    assert requests.get(f"{system.url}/v2/_catalog", timeout=10).status_code == requests.codes.unauthorized


def test_a_tag_is_listed_the_moment_it_is_pushed(system: System, project: str, tmp_path: Path) -> None:
    skopeo = system.skopeo(tmp_path / "auth.json")
    assert skopeo.login(system.admin_name, system.admin_password).ok
    image = make_image(f"lists/{project}")
    layout = write_layout(tmp_path / "image", {"v1": image})
    pushed = []
    for number in (3, 1, 2):
        assert (done := skopeo.push(layout, "v1", f"{project}/app:v{number}")).ok, done.said
        pushed.append(f"v{number}")
        assert skopeo.tags(f"{project}/app") == sorted(pushed)
    assert skopeo.delete(f"{project}/app:v1").ok
    assert system.registry().tags(f"{project}/app") == []


def test_docker_pushes_and_a_script_lists_at_once(
    system: System, engine: DockerEngine, project: str, person: Callable[[str, str], Person], tmp_path: Path,
) -> None:
    developer = person(project, "developer")
    docker, name = engine.client(tmp_path / "docker"), f"{system.host}/{project}/hello"
    assert (done := docker.login(system.host, developer.name, developer.password)).ok, done.said
    layer = make_image(f"docker-list/{project}").layers[0].content
    assert (done := docker.import_image(layer, f"{name}:1")).ok, done.said
    assert (done := docker.run("push", f"{name}:1")).ok, done.said
    mine = curl(system, tmp_path, developer)
    assert mine("GET", f"/v2/{project}/hello/tags/list").json["tags"] == ["1"]
    assert curl(system, tmp_path)("DELETE", f"/v2/{project}/hello/manifests/1").status == requests.codes.accepted
    refused = docker.run("pull", f"{name}:1")
    assert not refused.ok
    assert "manifest unknown" in refused.said or "not found" in refused.said


def test_a_signature_is_found_the_moment_it_is_pushed_and_still_once_it_is_catalogued(
    system: System, project: str, tmp_path: Path,
) -> None:
    name, registry, mine = f"{project}/app", system.registry(), curl(system, tmp_path)
    image = make_image(f"signed/{project}")
    assert registry.push(name, "v1", image).ok
    signature = make_referrer(image.manifest, annotations={"org.example.by": "anna"})
    pushed = registry.push(name, signature.digest, signature)
    assert pushed.headers["OCI-Subject"] == image.digest
    path = f"/v2/{name}/referrers/{image.digest}?artifactType=application%2Fvnd.example.signature"
    first = registry.send("GET", path, f"repository:{name}:pull")
    assert first.status_code == requests.codes.ok
    assert first.headers["Content-Type"] == OCI_INDEX
    assert first.headers["OCI-Filters-Applied"] == "artifactType"
    assert [each["digest"] for each in first.json()["manifests"]] == [signature.digest]
    eventually(
        lambda: [each["digest"] for each in system.admin.accessories(name, image.digest)] == [signature.digest],
        within=15, what="the signature is catalogued",
    )
    assert mine("GET", path).json == first.json()
    assert mine("DELETE", f"/v2/{name}/manifests/{signature.digest}").status == requests.codes.accepted
    assert mine("GET", path).json["manifests"] == []


def test_pulls_with_a_token_go_on_while_all_python_of_the_gateway_stands_still(fragile: System) -> None:
    """Neither the gate nor the exchange of passwords is on their way."""
    project = fragile.new_project()
    image, registry = make_image(f"still/{project}", layers=3), fragile.registry()
    assert registry.push(f"{project}/app", "v1", image).ok
    token = registry.token(f"repository:{project}/app:pull")
    pids = [pid for part in ("core", "token", "events") for pid in fragile.pids_by_part()[part]]
    stand_still(*pids)
    try:
        for path in (f"manifests/{image.digest}", "manifests/v1", *(f"blobs/{blob.digest}" for blob in image.blobs)):
            answer = requests.get(
                f"{fragile.url}/v2/{project}/app/{path}", timeout=5,
                headers={"Authorization": f"Bearer {token}", "Accept": OCI_MANIFEST},
            )
            assert answer.status_code == requests.codes.ok
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    assert RegistryClient(fragile.url, fragile.admin_name, fragile.admin_password).pull(f"{project}/app", "v1").ok
