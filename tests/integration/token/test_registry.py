"""The real registry: it takes our tokens, through rotations without a restart, and nobody else's."""

import json
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import jwt
import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from services.token.certificates import SigningKey, issue
from services.token.keys import read_current, read_ring, renew, rotate
from shared.auth.roles import Role
from shared.registry.transport import UnixPool
from shared.settings import TOKEN_ISSUER, TOKEN_SERVICE
from tests import factories
from tests.integration.token.mount import Mount, bundle, signing
from tests.servers import registry

Rows = psycopg.Connection[Any]
OCI = "application/vnd.oci.image.manifest.v1+json"
PUSH = "repository:images/app:pull,push"


class Registry:
    """Just enough of a client to push, pull and delete."""

    def __init__(self, socket: Path) -> None:
        self._pool = UnixPool(socket)

    def send(self, method: str, path: str, token: str, body: bytes | None = None, **headers: str) -> tuple[int, Any]:
        named = {"Authorization": f"Bearer {token}"} | {name.replace("_", "-"): text for name, text in headers.items()}
        response = self._pool.urlopen(method, path, body=body, headers=named)
        return response.status, response.headers

    def push(self, repository: str, tag: str, token: str) -> str:
        """Push an image of one small layer; returns its digest. The token has to be good for all of it."""
        blobs = [json.dumps({"tag": tag}).encode(), f"layer of {tag}".encode()]
        for blob in blobs:
            status, headers = self.send("POST", f"/v2/{repository}/blobs/uploads/", token)
            assert status == 202
            location = headers["Location"].removeprefix("http://localhost")
            status, _ = self.send("PUT", f"{location}&digest={_digest(blob)}", token, blob)
            assert status == 201
        config, layer = ({"digest": _digest(blob), "size": len(blob)} for blob in blobs)
        manifest = {
            "schemaVersion": 2,
            "mediaType": OCI,
            "config": config | {"mediaType": "application/vnd.oci.image.config.v1+json"},
            "layers": [layer | {"mediaType": "application/vnd.oci.image.layer.v1.tar"}],
        }
        status, headers = self.send(
            "PUT", f"/v2/{repository}/manifests/{tag}", token, json.dumps(manifest).encode(), Content_Type=OCI
        )
        assert status == 201
        return str(headers["Docker-Content-Digest"])

    def pull(self, repository: str, reference: str, token: str) -> int:
        return self.send("GET", f"/v2/{repository}/manifests/{reference}", token, Accept=OCI)[0]

    def delete(self, repository: str, digest: str, token: str) -> int:
        return self.send("DELETE", f"/v2/{repository}/manifests/{digest}", token)[0]


def _digest(content: bytes) -> str:
    return f"sha256:{sha256(content).hexdigest()}"


def _registry(mount: Mount) -> AbstractContextManager[Path]:
    return registry(
        token={
            "realm": "http://localhost/auth/token",
            "service": TOKEN_SERVICE,
            "issuer": TOKEN_ISSUER,
            "rootcertbundle": str(bundle(mount.settings)),
        }
    )


@pytest.fixture(scope="module")
def images(mount: Mount) -> Iterator[Registry]:
    with _registry(mount) as socket:
        yield Registry(socket)


@pytest.fixture(scope="module", autouse=True)
def people(rows: Rows) -> None:
    members = {factories.user(rows, role.label): role for role in (Role.MAINTAINER, Role.DEVELOPER, Role.GUEST)}
    factories.project(rows, "images", members=members)
    factories.user(rows, "outsider")


def test_rights_hold_at_the_registry(mount: Mount, images: Registry) -> None:
    digest = images.push("images/app", "v1", mount.get("developer", PUSH).token)
    guest = mount.get("guest", PUSH).token
    assert images.pull("images/app", "v1", guest) == 200
    assert images.send("POST", "/v2/images/app/blobs/uploads/", guest)[0] == 401
    assert images.pull("images/app", "v1", mount.get("outsider", PUSH).token) == 401
    assert images.pull("images/app", "v1", mount.get(None, PUSH).token) == 401
    developer = mount.get("developer", "repository:images/app:*").token
    assert images.delete("images/app", digest, developer) == 401
    maintainer = mount.get("maintainer", "repository:images/app:*").token
    assert images.delete("images/app", digest, maintainer) == 202


def test_in_read_only_mode_the_registry_takes_no_blob_and_still_gives(
    mount: Mount, images: Registry, rows: Rows
) -> None:
    images.push("images/app", "frozen", mount.get("maintainer", PUSH).token)
    with factories.read_only(rows):
        token = mount.get("maintainer", PUSH).token
        assert images.send("POST", "/v2/images/app/blobs/uploads/", token)[0] == 401
        assert images.pull("images/app", "frozen", token) == 200
    assert images.send("POST", "/v2/images/app/blobs/uploads/", mount.get("maintainer", PUSH).token)[0] == 202


def test_a_mount_from_a_project_one_may_not_pull_from_copies_nothing(
    mount: Mount, images: Registry, rows: Rows
) -> None:
    factories.project(rows, "secret", members={factories.user(rows, "keeper"): Role.DEVELOPER})
    images.push("secret/app", "hidden", mount.get("keeper", "repository:secret/app:pull,push").token)
    token = mount.get("developer", PUSH, "repository:secret/app:pull").token
    blob = _digest(b"layer of hidden")
    status, _ = images.send("POST", f"/v2/images/app/blobs/uploads/?mount={blob}&from=secret/app", token)
    assert status == 401
    assert images.send("HEAD", f"/v2/images/app/blobs/{blob}", token)[0] == 404


def test_the_catalog_is_shown_to_administrators_alone(mount: Mount, images: Registry, rows: Rows) -> None:
    factories.user(rows, "root", admin=True)
    for name, expected in (("root", 200), ("maintainer", 401), (None, 401)):
        assert images.send("GET", "/v2/_catalog", mount.get(name, "registry:catalog:*").token)[0] == expected


def test_rotations_break_no_push_and_need_no_restart(mount: Mount, images: Registry) -> None:
    turns, kids, done, failures = 4, set[str](), threading.Event(), list[str]()
    pushed = 0

    def push_on() -> None:
        nonlocal pushed
        while not done.is_set():
            token = mount.get("developer", PUSH).token
            kids.add(jwt.get_unverified_header(token)["kid"])
            try:
                images.push("images/app", f"r{pushed}", token)
            except AssertionError as error:
                failures.append(str(error))
            pushed += 1

    first = mount.get("guest", PUSH).token
    pusher = threading.Thread(target=push_on)
    pusher.start()
    for _ in range(turns):
        before = pushed
        rotate(signing(mount.settings), bundle(mount.settings), datetime.now(UTC))
        until = time.monotonic() + 20
        while pushed < before + 2 and time.monotonic() < until:
            time.sleep(0.05)
    done.set()
    pusher.join()
    assert failures == []
    assert len(kids) >= turns
    assert images.pull("images/app", "r0", first) == 200


def test_a_registry_started_after_a_rotation_takes_tokens_of_before(mount: Mount) -> None:
    before = mount.get("developer", PUSH).token
    rotate(signing(mount.settings), bundle(mount.settings), datetime.now(UTC))
    with _registry(mount) as socket:
        fresh = Registry(socket)
        fresh.push("images/app", "v1", before)
        assert fresh.pull("images/app", "v1", mount.get("guest", PUSH).token) == 200


# Tokens that nobody here has signed, or not for this


def _claims(**changes: object) -> dict[str, Any]:
    now = int(time.time())
    access = [{"type": "repository", "name": "images/app", "actions": ["pull", "push", "delete"]}]
    claims = {
        "iss": TOKEN_ISSUER, "aud": TOKEN_SERVICE, "sub": "mallory", "exp": now + 300, "nbf": now, "iat": now,
        "jti": "x", "access": access,
    } | changes  # fmt: skip
    return {name: value for name, value in claims.items() if value is not None}


def _signed(key: SigningKey, claims: Mapping[str, Any] | None = None, **headers: object) -> str:
    return jwt.encode(dict(claims or _claims()), key.private, "ES256", headers=headers)


def _stranger() -> SigningKey:
    return issue(None, datetime.now(UTC))


def _jwk(key: SigningKey) -> dict[str, str]:
    numbers = key.private.public_key().public_numbers()

    def text(number: int) -> str:
        return jwt.utils.base64url_encode(number.to_bytes(32, "big")).decode()

    return {"kty": "EC", "crv": "P-256", "x": text(numbers.x), "y": text(numbers.y), "kid": key.kid}


def _unsigned(**headers: object) -> str:
    return jwt.encode(_claims(), None, "none", headers=headers)


def _hmac(key: SigningKey, secret: bytes) -> str:
    header = {"typ": "JWT", "alg": "HS256", "kid": key.kid}
    parts = [jwt.utils.base64url_encode(json.dumps(part).encode()) for part in (header, _claims())]
    message = b".".join(parts)
    signature = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256).sign(message, secret)
    return (message + b"." + jwt.utils.base64url_encode(signature)).decode()


def _issued_by_a_signer(ours: SigningKey) -> str:
    """A certificate that a signer issued, which only the root may: the chain has to be refused."""
    forged = issue(ours, datetime.now(UTC))
    return _signed(forged, kid=forged.kid, x5c=[forged.x5c, ours.x5c])


def _public(key: SigningKey, encoding: Encoding) -> bytes:
    return key.private.public_key().public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)


FORGERIES: dict[str, Callable[[SigningKey, SigningKey], str]] = {
    "alg none": lambda ours, _: _unsigned(kid=ours.kid),
    "alg none with our certificate": lambda ours, _: _unsigned(kid=ours.kid, x5c=[ours.x5c]),
    "HS256 with our public key in PEM": lambda ours, _: _hmac(ours, _public(ours, Encoding.PEM)),
    "HS256 with our public key in DER": lambda ours, _: _hmac(ours, _public(ours, Encoding.DER)),
    "an unknown kid": lambda _, theirs: _signed(theirs, kid=theirs.kid),
    "our kid, another key": lambda ours, theirs: _signed(theirs, kid=ours.kid),
    "our kid and certificate, another key": lambda ours, theirs: _signed(theirs, kid=ours.kid, x5c=[ours.x5c]),
    "a certificate of another root": lambda _, theirs: _signed(theirs, kid=theirs.kid, x5c=[theirs.x5c]),
    "another certificate before ours": lambda ours, theirs: _signed(theirs, x5c=[theirs.x5c, ours.x5c]),
    "another key as jwk": lambda ours, theirs: _signed(theirs, kid=ours.kid, jwk=_jwk(theirs)),
    "a certificate that a signer issued": lambda ours, _: _issued_by_a_signer(ours),
    "an empty x5c": lambda _, theirs: _signed(theirs, x5c=[]),
    "a broken x5c": lambda _, theirs: _signed(theirs, x5c=[b64encode(b"no certificate").decode()]),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forged_token_is_refused(mount: Mount, images: Registry, forgery: str) -> None:
    token = FORGERIES[forgery](read_current(signing(mount.settings)), _stranger())
    assert images.pull("images/app", "r0", token) == 401
    assert images.pull("images/app", "r0", mount.get("guest", PUSH).token) == 200


DAY = int(timedelta(days=1).total_seconds())


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "another"},
        {"aud": None},
        {"iss": "another"},
        {"iss": None},
        pytest.param({"exp": int(time.time()) - DAY}, id="exp yesterday"),
        {"exp": None},
        pytest.param({"nbf": int(time.time()) + DAY}, id="nbf tomorrow"),
        {"access": None},
        {"access": []},
        {"access": [{"type": "repository", "name": "images/app", "actions": []}]},
        {"access": [{"type": "repository", "name": "images/*", "actions": ["*"]}]},
        {"access": "all"},
    ],
    ids=str,
)
def test_a_token_for_something_else_is_refused_even_with_our_signature(
    mount: Mount, images: Registry, changes: dict[str, Any]
) -> None:
    ours = read_current(signing(mount.settings))
    token = _signed(ours, _claims(**changes), kid=ours.kid, x5c=[ours.x5c])
    assert images.pull("images/app", "r0", token) == 401
    assert images.pull("images/app", "r0", mount.get("guest", PUSH).token) == 200


def test_the_signature_this_file_forges_with_would_be_taken_if_it_were_ours(mount: Mount, images: Registry) -> None:
    ours = read_current(signing(mount.settings))
    assert images.pull("images/app", "r0", _signed(ours, kid=ours.kid, x5c=[ours.x5c])) == 200
    assert images.pull("images/app", "r0", _signed(ours, kid=ours.kid)) in {200, 401}
    assert isinstance(read_ring(signing(mount.settings)).root.public_key(), ec.EllipticCurvePublicKey)


def test_after_a_renewal_and_a_restart_nothing_older_is_good(mount: Mount) -> None:
    before = mount.get("developer", PUSH).token
    stolen = read_current(signing(mount.settings))
    renew(signing(mount.settings), bundle(mount.settings), datetime.now(UTC))
    with _registry(mount) as socket:
        fresh = Registry(socket)
        fresh.push("images/app", "v1", mount.get("developer", PUSH).token)
        assert fresh.pull("images/app", "v1", before) == 401
        assert fresh.pull("images/app", "v1", _signed(stolen, kid=stolen.kid, x5c=[stolen.x5c])) == 401
