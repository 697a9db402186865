"""TLS with a made certificate: trusted by its authority, taken over anew without a restart and without a cut."""

from __future__ import annotations

import dataclasses
import html
import os
import re
import socket
import ssl
import subprocess
import tomllib
from typing import TYPE_CHECKING

import pytest
import requests

from compose.local.instance import Instance
from compose.local.supervision import Supervisor
from tests.clients.images import make_image, write_layout
from tests.documented import run_commands
from tests.e2e.conftest import end
from tests.sentences import said
from tests.servers import free_port, short_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.fault

ADDRESS = "127.0.0.1"


@pytest.fixture(scope="module")
def instance() -> Iterator[Instance]:
    with short_folder() as folder:
        second = {"BREAKWATER_REDIRECT_PORT": str(free_port())}
        made = Instance(home=folder / "home", port=free_port(), variables={"BREAKWATER_TLS_NAMES": ADDRESS} | second)
        try:
            made.up()
            yield made
        finally:
            end(made)


@pytest.fixture(scope="module")
def authority(instance: Instance, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As a client fetches it: in a folder that skopeo takes for a registry's."""
    file: Path = tmp_path_factory.mktemp("certs") / "ca.crt"
    with pytest.warns(match="Unverified HTTPS request"):
        answer = requests.get(
            f"{instance.url}/api/v2.0/systeminfo/getcert", timeout=10, verify=False,  # noqa: S501 - to be trusted then
        )
    file.write_bytes(answer.content)
    return file


def test_a_browser_that_left_out_the_s_finds_the_portal_by_the_second_port(
    instance: Instance, authority: Path
) -> None:
    second = f"http://{ADDRESS}:{instance.variables['BREAKWATER_REDIRECT_PORT']}"
    page = requests.get(f"{second}/trust", timeout=10, verify=authority)
    assert (page.status_code, page.url) == (200, f"{instance.url}/trust")
    assert requests.get(f"{second}/v2/", timeout=10, auth=("admin", "sent in the open")).status_code == 400


def names_shown(instance: Instance, authority: Path) -> list[str]:
    context = ssl.create_default_context(cafile=str(authority))
    plain = socket.create_connection((ADDRESS, instance.port), timeout=10)
    with plain, context.wrap_socket(plain, server_hostname=ADDRESS) as connection:
        certificate = connection.getpeercert()
    assert certificate
    return [value for _, value in certificate["subjectAltName"]]


def test_client_that_trusts_the_authority_logs_in_and_pushes(
    instance: Instance, authority: Path, tmp_path: Path
) -> None:
    host, login = f"{ADDRESS}:{instance.port}", tmp_path / "auth.json"
    layout = write_layout(tmp_path / "image", {"v1": make_image("tls")})
    for words in (
        ["login", "--cert-dir", authority.parent, "--authfile", login, "--username", "admin", "--password-stdin", host],
        [
            "copy", "--insecure-policy", "--dest-cert-dir", authority.parent, "--authfile", login,
            f"oci:{layout}:v1", f"docker://{host}/library/tls:v1",
        ],
    ):
        done = subprocess.run(
            ["skopeo", *words], input=instance.admin_password, capture_output=True, text=True, check=False, timeout=60,
        )
        assert done.returncode == 0, done.stderr


def test_page_on_trust_tells_every_client_what_makes_it_trust(
    instance: Instance, authority: Path, tmp_path: Path
) -> None:
    page = requests.get(f"{instance.url}/trust", timeout=10, verify=str(authority)).text
    lines = [html.unescape(line) for line in re.findall(r'<div class="command"><code tabindex="0">(.*?)</code>', page)]
    for line in lines:
        if "update-ca" not in line:
            here = line.replace("sudo ", "").replace(" /", f" {tmp_path}/").replace("install -m", "install -D -m")
            subprocess.run(["sh", "-e", "-c", here], cwd=tmp_path, check=True, timeout=30)
    assert (tmp_path / "ca.crt").read_bytes() == authority.read_bytes()
    told = subprocess.run(
        ["sh", "-c", next(line for line in lines if line.startswith("openssl"))],
        cwd=tmp_path, capture_output=True, text=True, check=True, timeout=30,
    )  # fmt: skip
    assert told.stdout.strip().rpartition("=")[2] in page

    host = f"{ADDRESS}:{instance.port}"
    folders = ("etc/docker/certs.d", "etc/containers/certs.d", "etc/containerd/certs.d")
    for file in (
        *(tmp_path / folder / host / "ca.crt" for folder in folders),
        tmp_path / "usr/local/share/ca-certificates/breakwater.crt",
        tmp_path / "etc/pki/ca-trust/source/anchors/breakwater.crt",
    ):
        assert file.read_bytes() == authority.read_bytes()
    written = tomllib.loads((tmp_path / "etc/containerd/certs.d" / host / "hosts.toml").read_text())
    assert written == {
        "server": instance.url,
        "host": {instance.url: {"ca": f"/etc/containerd/certs.d/{host}/ca.crt"}},
    }


def test_whole_of_debian_trusts_it_by_its_own_command(instance: Instance, authority: Path, tmp_path: Path) -> None:
    """With folders of its own in the place of this machine's."""
    (tmp_path / "conf").touch()
    options = f"--certsconf {tmp_path / 'conf'}"
    for name in ("localcertsdir", "etccertsdir", "hooksdir"):
        (tmp_path / name).mkdir()
        options += f" --{name} {tmp_path / name}"
    bundle = tmp_path / "etccertsdir" / "ca-certificates.crt"
    for trusted in (False, True):
        if trusted:
            tmp_path.joinpath("localcertsdir", "breakwater.crt").write_bytes(authority.read_bytes())
        run_commands(f"{said('update-ca-certificates')} {options}", os.environ)
        done = subprocess.run(
            ["curl", "--silent", "--fail", "--cacert", bundle, f"{instance.url}/healthz"], check=False, timeout=30,
        )  # fmt: skip
        assert (done.returncode == 0) is trusted


def test_client_that_does_not_trust_it_is_not_talked_into_it(instance: Instance) -> None:
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(f"{instance.url}/healthz", timeout=10)


def test_authority_s_key_and_the_proxy_s_are_read_by_nobody_else(instance: Instance) -> None:
    layout = instance.layout
    for file in (layout.made_certificate / "authority.key", layout.made_certificate / "tls.key", layout.certificate):
        assert not file.stat().st_mode & 0o077
    assert b"PRIVATE" not in layout.public_certificate.read_bytes()


def test_up_with_other_names_is_in_force_at_once_and_a_stream_goes_on(instance: Instance, authority: Path) -> None:
    proxy = Supervisor(instance.layout).children()["proxy"].pid
    assert names_shown(instance, authority) == [ADDRESS]
    more = {"BREAKWATER_TLS_NAMES": f"{ADDRESS},registry.test"}
    session = requests.Session()
    session.verify, session.auth = str(authority), ("admin", instance.admin_password)
    session.trust_env = False  # a bundle named by the environment would go before
    with session, session.get(f"{instance.url}/api/v2.0/events/stream", stream=True, timeout=60) as stream:
        dataclasses.replace(instance, variables=more).up()
        assert names_shown(instance, authority) == [ADDRESS, "registry.test"]
        assert Supervisor(instance.layout).children()["proxy"].pid == proxy
        session.post(f"{instance.url}/api/v2.0/projects", json={"project_name": "renewed"}, timeout=10)
        lines = stream.iter_lines(decode_unicode=True)
        assert any("renewed" in line for line in lines)
