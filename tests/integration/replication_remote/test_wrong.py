"""The client against registries that do wrong: what each fault is called, and what is done about it."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from datetime import timedelta

import pytest

from services.replication.domain.task import Fault
from services.replication.ends import End
from services.replication.errors import AttemptFailed
from shared.names import Digest, TagName
from tests.clients.faulty import Faulty
from tests.clients.images import OCI_MANIFEST, Blob
from tests.clients.scripted import Reply, Request, scripted
from tests.integration.remote_rig import catalogue, content, descriptor, opener, put, whole

MIB = 1024 * 1024
BLOB = Blob.of(bytes(range(256)) * (5 * MIB // 256), "application/octet-stream")
MANIFEST = Blob.of(b'{"schemaVersion":2}', OCI_MANIFEST)
DIGEST = Digest(BLOB.digest)
Act = Callable[[End], object]

ACTS: dict[str, tuple[str, Act]] = {
    "resolve": ("HEAD", lambda end: end.resolve("x", TagName("v1"))),
    "manifest": ("GET", lambda end: end.manifest("x", TagName("v1"))),
    "referrers": ("GET", lambda end: end.referrers("x", DIGEST)),
    "tags": ("GET", lambda end: end.tags("x")),
    "has_blob": ("HEAD", lambda end: end.has_blob("x", DIGEST)),
    "open_blob": ("GET", lambda end: whole(end, "x", DIGEST.text)),
    "put_blob": ("POST", lambda end: put(end, "x", Blob.of(b"x", "x"))),
    "put_manifest": ("PUT", lambda end: end.put_manifest("x", TagName("v1"), content(MANIFEST))),
    "delete_tag": ("DELETE", lambda end: end.delete_tag("x", TagName("v1"))),
    "delete_manifest": ("DELETE", lambda end: end.delete_manifest("x", DIGEST)),
}


@pytest.mark.parametrize(
    ("reply", "fault", "after"),
    [
        (Reply.refusing(429, "TOOMANYREQUESTS", "slow down", **{"Retry-After": "7"}), Fault.OVERLOADED, 7),
        (Reply(status=503), Fault.OVERLOADED, None),
        (Reply.refusing(401, "UNAUTHORIZED"), Fault.DENIED, None),
    ],
)
@pytest.mark.parametrize("act", ACTS)
def test_each_call_tells_what_the_registry_answered(
    wrong: Faulty, act: str, reply: Reply, fault: Fault, after: int | None
) -> None:
    method, call = ACTS[act]
    wrong.always(method, "/v2/x/", reply)
    with pytest.raises(AttemptFailed) as failed:
        call(catalogue(wrong.url).end)
    assert (failed.value.fault, failed.value.after) == (fault, after and timedelta(seconds=after))


@pytest.mark.parametrize("act", sorted(set(ACTS) - {"put_blob"}))
@pytest.mark.parametrize(
    ("reply", "fault"), [(Reply(status=500), Fault.SERVER_ERROR), (Reply(hang_up=True), Fault.UNREACHABLE)]
)
def test_no_call_but_that_of_a_blob_repeats_itself(wrong: Faulty, act: str, reply: Reply, fault: Fault) -> None:
    method, call = ACTS[act]
    wrong.always(method, "/v2/x/", reply)
    with pytest.raises(AttemptFailed) as failed:
        call(catalogue(wrong.url).end)
    assert failed.value.fault is fault
    # a connection that had gone while it was kept is no answer: a read is sent over another one
    most = 2 if fault is Fault.UNREACHABLE and method in {"GET", "HEAD"} else 1
    assert len([line for line in wrong.server.lines if "/v2/x/" in line]) == most


@pytest.mark.parametrize(("chunk", "method", "cut"), [(None, "PUT", 3 * MIB), (2 * MIB, "PATCH", 700_000)])
def test_an_upload_that_breaks_goes_on_from_what_the_registry_has(
    wrong: Faulty, chunk: int | None, method: str, cut: int
) -> None:
    wrong.cut_once(method, cut)
    put(catalogue(wrong.url).end, "x", BLOB, chunk=chunk)
    assert wrong.blobs["x", BLOB.digest] == BLOB.content
    bodies = [len(each.body) for each in wrong.server.asked if each.method in {"PUT", "PATCH"}]
    assert bodies[0] == cut
    assert sum(bodies) == len(BLOB.content)
    assert [each.method for each in wrong.server.asked].count("POST") == 1


def test_a_blob_that_was_stored_before_the_answer_was_lost_is_not_sent_again(wrong: Faulty) -> None:
    def stored(request: Request) -> Reply | None:
        if request.method != "PUT":
            return None
        wrong.blobs["x", BLOB.digest] = request.body
        wrong.uploads.clear()
        return Reply(hang_up=True)

    wrong.faults.append(stored)
    assert put(catalogue(wrong.url).end, "x", BLOB) == len(BLOB.content)
    assert [each.method for each in wrong.server.asked if "/uploads/" in each.target] == ["POST", "PUT", "GET"]


def test_an_upload_that_the_registry_has_lost_begins_anew(wrong: Faulty) -> None:
    wrong.cut_once("PUT", MIB)
    wrong.once("GET", "/uploads/", Reply.refusing(404, "BLOB_UPLOAD_UNKNOWN"))
    put(catalogue(wrong.url).end, "x", BLOB)
    assert wrong.blobs["x", BLOB.digest] == BLOB.content


def test_a_chunk_that_was_taken_in_part_is_sent_on_from_there(wrong: Faulty) -> None:
    wrong.once("PATCH", "/uploads/", Reply(status=416))
    put(catalogue(wrong.url).end, "x", BLOB, chunk=MIB)
    assert wrong.blobs["x", BLOB.digest] == BLOB.content


def test_chunks_are_no_smaller_than_the_registry_takes(wrong: Faulty) -> None:
    began = Reply(
        status=202, headers={"Location": "/v2/x/blobs/uploads/9?state=a%2Fb", "OCI-Chunk-Min-Length": str(2 * MIB)}
    )
    wrong.uploads["9"] = b""
    wrong.once("POST", "/uploads/", began)
    put(catalogue(wrong.url).end, "x", BLOB, chunk=MIB)
    lengths = [len(each.body) for each in wrong.server.asked if each.method == "PATCH"]
    assert lengths == [2 * MIB, 2 * MIB, MIB]


def test_an_upload_gives_up_after_a_few_tries(wrong: Faulty) -> None:
    wrong.always("PUT", "/uploads/", Reply.refusing(500, "UNKNOWN", "no space left on device"))
    with pytest.raises(AttemptFailed, match="no space left on device") as failed:
        put(catalogue(wrong.url).end, "x", Blob.of(b"x", "x"))
    assert failed.value.fault is Fault.SERVER_ERROR
    assert len([line for line in wrong.server.lines if line.startswith("PUT")]) == 4


@pytest.mark.parametrize("status", [403, 413])
def test_an_upload_that_is_refused_is_not_tried_again(wrong: Faulty, status: int) -> None:
    wrong.always("PUT", "/uploads/", Reply.refusing(status, "DENIED", "the quota is used up"))
    with pytest.raises(AttemptFailed, match="quota") as failed:
        put(catalogue(wrong.url).end, "x", Blob.of(b"x", "x"))
    assert failed.value.fault is Fault.REFUSED
    assert len([line for line in wrong.server.lines if line.startswith("PUT")]) == 1


def test_whoever_stops_in_the_middle_of_a_blob_is_heard_at_once(wrong: Faulty) -> None:
    class Stop(Exception):
        pass

    def stop(_bytes: int) -> None:
        raise Stop

    end = catalogue(wrong.url).end
    with pytest.raises(Stop):
        end.put_blob("x", descriptor(BLOB), opener(BLOB.content), chunk=None, sent=stop)
    assert put(end, "x", BLOB) == len(BLOB.content)


@pytest.mark.parametrize("length", [10, 6 * MIB])
def test_a_body_that_is_cut_off_is_no_end_of_the_blob(wrong: Faulty, length: int) -> None:
    wrong.always("GET", "/blobs/", Reply(body=BLOB.content[: length // 2], length=length))
    with pytest.raises(AttemptFailed) as failed:
        whole(catalogue(wrong.url).end, "x", BLOB.digest)
    assert failed.value.fault is Fault.UNREACHABLE


@pytest.mark.parametrize("ranges", [True, False])
def test_a_blob_is_read_from_an_offset_also_where_ranges_are_not_known(wrong: Faulty, ranges: bool) -> None:  # noqa: FBT001
    wrong.ranges = ranges
    wrong.blobs["x", BLOB.digest] = BLOB.content
    assert whole(catalogue(wrong.url).end, "x", BLOB.digest, MIB + 1) == BLOB.content[MIB + 1 :]


def test_another_range_than_the_one_asked_for_is_not_taken_for_it(wrong: Faulty) -> None:
    told = {"Content-Range": f"bytes 50-{len(BLOB.content) - 1}/{len(BLOB.content)}"}
    wrong.always("GET", "/blobs/", Reply(status=206, body=BLOB.content[50:], headers=told))
    with pytest.raises(AttemptFailed, match="another part"):
        whole(catalogue(wrong.url).end, "x", BLOB.digest, 10)


@pytest.mark.parametrize("reference", [Digest(MANIFEST.digest), TagName("v1")])
def test_a_manifest_of_another_digest_is_not_taken(wrong: Faulty, reference: TagName | Digest) -> None:
    headers = {"Content-Type": OCI_MANIFEST, "Docker-Content-Digest": MANIFEST.digest}
    wrong.always("GET", "/manifests/", Reply(body=MANIFEST.content + b" ", headers=headers))
    with pytest.raises(AttemptFailed) as failed:
        catalogue(wrong.url).end.manifest("x", reference)
    assert failed.value.fault is Fault.CORRUPT


def test_a_manifest_beyond_the_limit_is_not_read(wrong: Faulty) -> None:
    wrong.always("GET", "/manifests/", Reply(body=b" " * (4 * MIB + 1)))
    with pytest.raises(AttemptFailed, match="longer than"):
        catalogue(wrong.url).end.manifest("x", TagName("v1"))


def test_a_head_without_a_digest_is_followed_by_a_get(wrong: Faulty) -> None:
    wrong.manifests["x", "v1"] = OCI_MANIFEST, MANIFEST.content
    wrong.always("HEAD", "/manifests/", Reply())
    assert catalogue(wrong.url).end.resolve("x", TagName("v1")) == Digest(MANIFEST.digest)


def test_tags_are_listed_page_by_page(wrong: Faulty) -> None:
    for tag in ("a", "b", "c", "d", "e"):
        wrong.manifests["x", tag] = OCI_MANIFEST, MANIFEST.content
    assert catalogue(wrong.url).end.tags("x") == ["a", "b", "c", "d", "e"]


def test_a_list_that_leads_in_a_circle_ends(wrong: Faulty) -> None:
    link = {"Link": '</v2/x/tags/list?n=500>; rel="next"'}
    wrong.always("GET", "/tags/", Reply.of({"tags": ["a"]}, **link))
    with pytest.raises(AttemptFailed, match="leads to itself"):
        catalogue(wrong.url).end.tags("x")


def test_a_hanging_connection_is_given_up(wrong: Faulty) -> None:
    pools = catalogue(wrong.url).end.channel.wire  # type: ignore[attr-defined]
    wrong.always("GET", "/v2/", Reply(seconds=5))
    begun = time.monotonic()
    with pytest.raises(AttemptFailed, match="nothing came in time") as failed:
        pools.send("GET", f"{wrong.url}/v2/", {}, patience=0.3)
    assert failed.value.fault is Fault.UNREACHABLE
    assert time.monotonic() - begun < 2


def test_nobody_listens() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        with pytest.raises(AttemptFailed, match="no connection can be made") as failed:
            catalogue(f"http://127.0.0.1:{closed.getsockname()[1]}").check()
    assert failed.value.fault is Fault.UNREACHABLE


def test_connections_are_kept(wrong: Faulty) -> None:
    wrong.blobs["x", BLOB.digest] = BLOB.content
    end = catalogue(wrong.url).end
    for _ in range(5):
        assert not end.has_blob("x", Digest.of(b"nothing"))
        assert whole(end, "x", BLOB.digest) == BLOB.content
        put(end, "x", Blob.of(b"x", "x"))
    assert wrong.server.connections == 1


def test_a_body_goes_with_its_length_in_large_blocks(wrong: Faulty) -> None:
    end, pieces = catalogue(wrong.url).end, [0]
    end.put_blob("x", descriptor(BLOB), opener(BLOB.content), chunk=None, sent=pieces.append)
    assert pieces[1:] == [MIB] * 5
    [request] = [each for each in wrong.server.asked if each.method == "PUT"]
    assert request.headers["content-length"] == str(len(BLOB.content))


@pytest.mark.parametrize("act", sorted(set(ACTS) - {"open_blob", "has_blob"}))
def test_nothing_but_a_blob_is_followed(wrong: Faulty, act: str) -> None:
    method, call = ACTS[act]
    with scripted(lambda _asked: Reply()) as foreign:
        wrong.always(method, "/v2/x/", Reply(status=307, headers={"Location": f"{foreign.url}/v2/"}))
        with pytest.raises(AttemptFailed, match="redirects are not followed"):
            call(catalogue(wrong.url).end)
    assert foreign.asked == []
