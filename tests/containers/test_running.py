"""What runs in containers: without rights, behind one port, each reached by those alone that need it."""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING

import pytest
import requests

from compose.local.parts import PARTS
from tests.clients.images import make_image
from tests.clients.polling import eventually
from tests.containers.stack import BASE, ComposeFailedError
from tests.sentences import words_said

if TYPE_CHECKING:
    from pathlib import Path

    from tests.clients.rest import RestClient
    from tests.containers.stack import Stack

# the first test waits until the images are built
pytestmark = pytest.mark.timeout(2400)

KEPT_BY_APT = (
    "find", "/var/cache", "/var/lib/apt", "!", "-readable", "-prune", "-o", "-type", "f", "-size", "+0",
    "(", "-path", "/var/cache/apt/*", "-o", "-path", "/var/lib/apt/lists/*", ")", "-print",
)  # fmt: skip
"""Finds files; whoever asks need not read all folders."""
MOST_BYTES = 2 * 2**30
IMAGE = "library/from-docker:v1"


@pytest.mark.parametrize("part", PARTS)
def test_container_runs_as_nobody_special_on_a_root_it_cannot_write_to(stack: Stack, part: str) -> None:
    container = stack.container(part)
    status = container.status()
    assert "0" not in status["Uid"].split()
    assert {int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {0}
    assert status["NoNewPrivs"] == "1"
    assert container.told["HostConfig"]["ReadonlyRootfs"] is True
    assert 0 < container.told["HostConfig"]["Memory"] <= MOST_BYTES
    written = stack.run_in(part, "sh", "-c", "echo x >/here 2>/dev/null || echo refused")
    assert written.out.strip() == "refused"


@pytest.mark.parametrize("part", [None, "log", "postgres", "rabbitmq", "registry", "core", "proxy"])
def test_image_keeps_neither_lists_nor_packages_of_apt(stack: Stack, part: str | None) -> None:
    """An image of each kind, and the base of all: what that has is in every one, whoever removes it later."""
    found = stack.run_in(part, *KEPT_BY_APT) if part else stack.docker.run("run", "--rm", BASE, *KEPT_BY_APT)
    assert (found.ok, found.out) == (True, ""), found.said


def test_the_proxy_alone_publishes_a_port(stack: Stack) -> None:
    published = {part: stack.container(part).published for part in PARTS}
    assert {part: ports for part, ports in published.items() if ports} == {"proxy": [stack.host]}


@pytest.mark.parametrize(("command", "places", "says"), [
    ("docker compose exec -T log tail -n 50 /var/lib/breakwater/log/NAME.log", {"NAME": "core"}, '"part": "core"'),
    ("docker compose exec -T log tail /var/lib/breakwater/log/migrate.log", {}, "the database is at revision "),
    ("docker compose logs log", {}, "log"),
])  # fmt: skip
def test_operator_reads_what_a_container_says(
    stack: Stack, command: str, places: dict[str, str], says: str
) -> None:
    assert says in stack.compose(*words_said(command, places))


def test_engine_tells_where_it_keeps_its_data(stack: Stack) -> None:
    """That is BREAKWATER_ENGINE_ROOT."""
    _, *words = words_said("docker info")
    assert f"Docker Root Dir: {stack.engine.root}\n" in stack.docker.run(*words).out


@pytest.mark.parametrize("part", ["proxy", "registry", "log"])
def test_who_has_no_business_there_reaches_neither_database_nor_broker(stack: Stack, part: str) -> None:
    assert "database" not in stack.container(part).volumes
    assert not stack.run_in(part, "bash", "-c", "exec 3<>/dev/tcp/rabbitmq/5672").ok
    address = stack.container("rabbitmq").told["NetworkSettings"]["Networks"]["breakwater-test_broker"]["IPAddress"]
    assert not stack.run_in(part, "timeout", "3", "bash", "-c", f"exec 3<>/dev/tcp/{address}/5672").ok


def test_who_has_business_there_does_reach_the_broker(stack: Stack) -> None:
    assert stack.run_in("relay", "bash", "-c", "exec 3<>/dev/tcp/rabbitmq/5672").ok


@pytest.mark.parametrize("part", PARTS)
def test_signing_key_lies_in_the_token_mount_alone(stack: Stack, part: str) -> None:
    found = stack.run_in(part, "sh", "-c", "ls /var/lib/breakwater/secrets/token/signing/*.key 2>/dev/null")
    assert bool(found.out.strip()) == (part == "token")
    assert "root.key" not in found.out


def test_docker_logs_in_pushes_and_pulls_and_it_is_on_record(stack: Stack, admin: RestClient, password: str) -> None:
    docker, name = stack.docker, f"{stack.host}/{IMAGE}"
    assert (done := docker.login(stack.host, "admin", password)).ok, done.said
    assert (done := docker.import_image(make_image("containers").layers[0].content, name)).ok, done.said
    assert (done := docker.run("push", name)).ok, done.said
    assert (done := docker.run("rmi", name)).ok, done.said
    assert (done := docker.run("pull", name)).ok, done.said
    assert (done := docker.run("rmi", name)).ok, done.said
    eventually(
        lambda: {row["operation"] for row in admin.audit("library") if IMAGE.partition(":")[0] in row["resource"]}
        >= {"create", "pull"},
        within=30, what="the push and the pull are on record", every=0.5,
    )
    assert eventually(lambda: admin.artifacts(IMAGE.partition(":")[0]), within=30, what="it is catalogued")


@pytest.mark.parametrize("part", sorted({*PARTS, "migrate"} - {"log"}))
def test_the_log_holds_what_the_part_says(stack: Stack, part: str) -> None:
    assert eventually(lambda: stack.lines(part), within=30, what=f"a line of {part}", every=0.5)


def test_the_log_has_the_request_that_the_proxy_took(stack: Stack, admin: RestClient) -> None:
    identity = "in-containers-1"
    admin.must("GET", "/projects", headers={"X-Request-Id": identity})
    eventually(
        lambda: [line for line in stack.lines("proxy") if identity in line], within=15, what="its line", every=0.5,
    )


def test_what_prepare_refuses_is_in_the_log_too(stack: Stack) -> None:
    with pytest.raises(ComposeFailedError, match="BREAKWATER_TLS_NAMES is not valid"):
        prepare(stack, "no name")
    eventually(
        lambda: [line for line in stack.lines("prepare") if " BREAKWATER_TLS_NAMES is not valid" in line],
        within=15, what="its line", every=0.5,
    )


def test_what_all_containers_read_holds_nobody_s_secret(stack: Stack) -> None:
    files = [path for path in stack.volume("secrets").rglob("*") if path.is_file()]
    secrets = {path.read_bytes().strip() for path in files if path.suffix not in {".json", ".pem", ".yml"}}
    assert len(secrets) > len(PARTS)
    shared = [path for path in stack.volume("conf").rglob("*") if path.is_file()]
    assert "nginx.conf" in {path.name for path in shared}
    telling = [path for path in shared if any(secret in path.read_bytes() for secret in secrets)]
    assert [path.name for path in telling if path.stat().st_uid or path.stat().st_mode & 0o077] == []


def test_the_api_describes_itself(admin: RestClient) -> None:
    described = admin.must("GET", "/openapi.json").json()
    assert described["paths"]["/projects"]["get"]["summary"].endswith(".")


def test_a_second_up_changes_nothing(stack: Stack, password: str) -> None:
    before = {part: stack.container(part).told["Id"] for part in PARTS}
    identity = stack.run_in("core", "cat", "/var/lib/breakwater/instance-id").out
    stack.compose("up", "-d", seconds=240)
    stack.compose("up", "-d", "--force-recreate", "--no-deps", "prepare", seconds=120)
    stack.await_health()
    assert {part: stack.container(part).told["Id"] for part in PARTS} == before
    assert stack.run_in("core", "cat", "/var/lib/breakwater/instance-id").out == identity
    assert stack.admin_password() == password


def names_shown(stack: Stack, authority: Path) -> list[str]:
    """Those of the certificate that a client is shown which trusts the authority."""
    address, _, port = stack.host.partition(":")
    context = ssl.create_default_context(cafile=str(authority))
    plain = socket.create_connection((address, int(port)), timeout=10)
    with plain, context.wrap_socket(plain, server_hostname=address) as connection:
        certificate = connection.getpeercert()
    assert certificate
    return [value for _, value in certificate["subjectAltName"]]


def prepare(stack: Stack, names: str, *, redirect_port: int = 0) -> None:
    settings = (f"BREAKWATER_TLS_NAMES={names}", f"BREAKWATER_REDIRECT_PORT={redirect_port}")
    given = [word for setting in settings for word in ("-e", setting)]
    stack.compose("run", "--rm", "--no-deps", "-T", *given, "prepare")


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_certificate_is_made_handed_out_and_replaced_without_a_restart(stack: Stack, tmp_path: Path) -> None:
    address, authority = stack.host.partition(":")[0], tmp_path / "ca.crt"

    def handed_out() -> bytes:
        url = f"https://{stack.host}/api/v2.0/systeminfo/getcert"
        try:
            answer = requests.get(url, verify=False, timeout=10)  # noqa: S501 - it is fetched to be trusted then
        except requests.RequestException:
            return b""
        return answer.content if answer.ok else b""

    try:
        prepare(stack, address)
        stack.compose("restart", "--timeout", "5", "proxy")
        authority.write_bytes(eventually(handed_out, within=60, what="the authority is handed out", every=0.5))
        assert names_shown(stack, authority) == [address]
        started = stack.container("proxy").told["State"]["StartedAt"]
        prepare(stack, f"{address},registry.test")
        assert names_shown(stack, authority) == [address, "registry.test"]
        assert stack.container("proxy").told["State"]["StartedAt"] == started
        prepare(stack, address, redirect_port=8081)
        stack.compose("restart", "--timeout", "5", "proxy")
        eventually(handed_out, within=60, what="the proxy is back", every=0.5)
        # the port that compose.redirect.yaml publishes, asked where it is inside
        (network,) = stack.container("proxy").told["NetworkSettings"]["Networks"].values()
        page = requests.get(f"http://{network['IPAddress']}:8081/trust", allow_redirects=False, timeout=10)
        assert (page.status_code, page.headers["Location"]) == (308, f"https://{network['IPAddress']}/trust")
    finally:
        prepare(stack, "")
        stack.compose("restart", "--timeout", "5", "proxy")
        stack.await_health()
