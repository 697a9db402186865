"""Where the client goes, by which way, and to whom it shows who we are."""

from __future__ import annotations

import threading
from ipaddress import ip_network

import pytest

from services.replication.domain.registry import Access, RegistryKind
from services.replication.domain.task import Fault
from services.replication.errors import AttemptFailed
from services.replication.remote import connect
from shared.names import Digest
from shared.outbound import Guard, Reach
from shared.secrets import Secret
from tests.clients.faulty import Faulty, faulty
from tests.clients.images import OCI_MANIFEST, Blob
from tests.clients.scripted import Reply, Request, scripted
from tests.integration.remote_rig import catalogue, put, whole

MIB = 1024 * 1024
BLOB = Blob.of(bytes(range(256)) * (5 * MIB // 256), "application/octet-stream")
MANIFEST = Blob.of(b'{"schemaVersion":2}', OCI_MANIFEST)
DIGEST = Digest(BLOB.digest)


# who we are


def test_a_token_is_fetched_once_and_shown_to_the_registry_alone() -> None:
    with faulty(credential=("robot", "canary")) as wrong:
        end = catalogue(wrong.url, access_key="robot", access_secret="canary").end
        threads = [threading.Thread(target=end.has_blob, args=("x", DIGEST)) for _ in range(8)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        put(end, "x", BLOB)
        asked = [each for each in wrong.server.asked if each.path == "/token"]
        assert [each.query["scope"] for each in asked] == [["repository:x:pull"], ["repository:x:pull,push"]]
        others = [each for each in wrong.server.asked if each.path != "/token"]
        assert not [each for each in others if "Basic" in each.headers.get("authorization", "")]


@pytest.mark.parametrize("chunk", [None, MIB])
def test_a_token_that_ends_in_the_middle_of_an_upload_is_fetched_anew(chunk: int | None) -> None:
    with faulty(credential=("robot", "canary")) as wrong:
        method = "PUT" if chunk is None else "PATCH"
        left = [None]

        def end_tokens(asked: Request) -> None:
            if asked.method == "POST" and left:
                left.pop()
                wrong.tokens.clear()

        wrong.faults.append(end_tokens)
        put(catalogue(wrong.url, access_key="robot", access_secret="canary").end, "x", BLOB, chunk=chunk)
        assert wrong.blobs["x", BLOB.digest] == BLOB.content
        lines = [each.method for each in wrong.server.asked if "/uploads/" in each.target]
        assert lines.count("POST") == 2
        assert lines.count(method) >= 2


def test_a_credential_that_is_not_taken_is_denied_and_not_repeated_in_the_sentence() -> None:
    with faulty(credential=("robot", "right")) as wrong:
        listing = catalogue(wrong.url, access_key="robot", access_secret="canary")
        with pytest.raises(AttemptFailed) as failed:
            listing.check()
    assert failed.value.fault is Fault.DENIED
    assert "who is Basic ***" in failed.value.sentence


def test_a_realm_on_another_host_gets_no_credential() -> None:
    with scripted(lambda _asked: Reply.of({"token": "x"})) as foreign, faulty(credential=("robot", "canary")) as wrong:
        wrong.realm = foreign.url.replace("127.0.0.1", "localhost") + "/token"
        with pytest.raises(AttemptFailed, match="another host: the credential is not shown there") as failed:
            catalogue(wrong.url, access_key="robot", access_secret="canary").check()
    assert failed.value.fault is Fault.DENIED
    assert foreign.asked == []


@pytest.mark.parametrize("realm", ["", "file:///etc/passwd", "/token", "http://x:y@127.0.0.1/token"])
def test_a_realm_that_is_no_address_is_not_asked(realm: str) -> None:
    with faulty(credential=("robot", "canary")) as wrong:
        wrong.realm = realm or " "
        with pytest.raises(AttemptFailed) as failed:
            catalogue(wrong.url, access_key="robot", access_secret="canary").check()
    assert failed.value.fault is Fault.DENIED


# where requests go


@pytest.mark.parametrize("header", ["Location", "Link"])
def test_what_leads_to_another_host_is_asked_of_the_registry_itself(wrong: Faulty, header: str) -> None:
    with scripted(lambda _asked: Reply()) as foreign:
        if header == "Link":
            link = {"Link": f'<{foreign.url}/v2/x/tags/list?last=a>; rel="next"'}
            wrong.once("GET", "/tags/", Reply.of({"tags": ["a"]}, **link))
            wrong.manifests["x", "b"] = OCI_MANIFEST, MANIFEST.content
            assert catalogue(wrong.url).end.tags("x") == ["a", "b"]
        else:
            wrong.uploads["9"] = b""
            location = f"{foreign.url}/v2/x/blobs/uploads/9?state=a%2Fb"
            wrong.once("POST", "/uploads/", Reply(status=202, headers={"Location": location}))
            put(catalogue(wrong.url).end, "x", BLOB)
            assert wrong.blobs["x", BLOB.digest] == BLOB.content
    assert foreign.asked == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_blob_is_followed_to_its_storage_without_the_token(status: int) -> None:
    with scripted(lambda _asked: Reply(body=BLOB.content)) as storage, faulty(credential=("robot", "canary")) as wrong:
        wrong.always("GET", "/blobs/", Reply(status=status, headers={"Location": f"{storage.url}/b?signature=s"}))
        wrong.always("HEAD", "/blobs/", Reply(status=307, headers={"Location": f"{storage.url}/b?signature=s"}))
        end = catalogue(wrong.url, access_key="robot", access_secret="canary").end
        assert end.has_blob("x", DIGEST)
        assert whole(end, "x", BLOB.digest) == BLOB.content
    assert storage.lines == ["GET /b?signature=s"]
    assert "authorization" not in storage.asked[0].headers


def test_redirects_end(wrong: Faulty) -> None:
    wrong.always("GET", "/blobs/", Reply(status=307, headers={"Location": f"/v2/x/blobs/{BLOB.digest}"}))
    with pytest.raises(AttemptFailed, match="more than 3 redirects"):
        whole(catalogue(wrong.url).end, "x", BLOB.digest)


@pytest.mark.parametrize("location", ["file:///etc/passwd", "ftp://127.0.0.1/x"])
def test_a_redirect_to_another_protocol_is_not_followed(wrong: Faulty, location: str) -> None:
    wrong.always("GET", "/blobs/", Reply(status=307, headers={"Location": location}))
    with pytest.raises(AttemptFailed, match="not followed"):
        whole(catalogue(wrong.url).end, "x", BLOB.digest)


@pytest.mark.parametrize("host", ["169.254.169.254", "127.0.0.2", "[::1]", "0.0.0.0", "2130706434"])  # noqa: S104
def test_each_hop_is_judged(wrong: Faulty, host: str) -> None:
    wrong.always("GET", "/blobs/", Reply(status=307, headers={"Location": f"http://{host}:1/latest/meta-data"}))
    guard = Guard(Reach.PRIVATE, [ip_network("127.0.0.1/32")])
    end = connect(Access(kind=RegistryKind.DOCKER_REGISTRY, url=wrong.url), guard).end
    with pytest.raises(AttemptFailed, match="requests may not go to the address of"):
        whole(end, "x", BLOB.digest)


def test_loopback_is_refused_unless_it_is_allowed(wrong: Faulty) -> None:
    listing = connect(Access(kind=RegistryKind.DOCKER_REGISTRY, url=wrong.url), Guard(Reach.PRIVATE))
    with pytest.raises(AttemptFailed, match=r"requests may not go to the address of 127\.0\.0\.1"):
        listing.check()
    assert wrong.server.asked == []


# by a proxy


@pytest.mark.parametrize("password", [None, "can ary"])
def test_a_proxy_is_asked_for_the_whole_address(password: str | None) -> None:
    with scripted(lambda _asked: Reply.of({})) as proxy:
        login = "" if password is None else "us%40er:can%20ary@"
        url = Secret(proxy.url.replace("http://", f"http://{login}"))
        catalogue("http://registry.example:5000", proxy=url).check()
    assert proxy.lines == ["GET http://registry.example:5000/v2/"] * 2
    wanted = None if password is None else "Basic dXNAZXI6Y2FuIGFyeQ=="
    assert {each.headers.get("proxy-authorization") for each in proxy.asked} == {wanted}
    assert {each.headers["host"] for each in proxy.asked} == {"registry.example:5000"}


def test_a_registry_behind_tls_is_reached_by_a_tunnel() -> None:
    with scripted(lambda _asked: Reply.refusing(403, "NO")) as proxy, pytest.raises(AttemptFailed) as failed:
        catalogue("https://registry.example", proxy=Secret(proxy.url)).check()
    assert failed.value.fault is Fault.UNREACHABLE
    assert proxy.lines == ["CONNECT registry.example:443"]


def test_a_proxy_is_no_way_to_an_address_that_is_refused() -> None:
    with scripted(lambda _asked: Reply.of({})) as proxy, pytest.raises(AttemptFailed, match="requests may not go"):
        catalogue("http://169.254.169.254/", proxy=Secret(proxy.url)).check()
    assert proxy.asked == []
