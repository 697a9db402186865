"""referrers through the core mount: complete the moment the registry has a manifest, whatever the catalogue knows."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.clients.images import OCI_INDEX, OCI_MANIFEST, Blob, Image, make_image, make_referrer
from tests.integration.gate.conftest import Expected, Reader
from tests.integration.metadata.conftest import Catalogue
from tests.integration.registry_rig import Answer, Pusher, RegistryServer

SIGNATURE, SBOM = "application/vnd.example.signature", "application/vnd.example.sbom"


def described(answer: Answer) -> list[dict[str, Any]]:
    assert (answer.status, answer.headers["content-type"]) == (200, OCI_INDEX), answer.body
    index = json.loads(answer.body)
    assert (index["schemaVersion"], index["mediaType"]) == (2, OCI_INDEX)
    found: list[dict[str, Any]] = index["manifests"]
    return found


def digests(answer: Answer) -> list[str]:
    return [each["digest"] for each in described(answer)]


def push(pusher: Pusher, app: str, made: Image) -> Answer:
    return pusher.push(app, made.digest, made)


def test_a_push_with_a_subject_says_that_it_was_understood(app: str, pusher: Pusher, expected: Expected) -> None:
    image = make_image(app)
    assert "oci-subject" not in pusher.push(app, "v1", image).headers
    assert push(pusher, app, make_referrer(image.manifest)).headers["oci-subject"] == image.digest
    assert expected.rows("subject") == [(None,), (image.digest,)]


def test_a_refused_push_with_a_subject_says_no_such_thing(app: str, pusher: Pusher, reader: Reader) -> None:
    subject = make_image(app)
    lacking = make_referrer(subject.manifest)
    answer = pusher.put_manifest(app, lacking.digest, lacking.manifest)
    assert (answer.status, "oci-subject" in answer.headers) == (400, False)
    assert digests(reader.referrers(app, subject.digest)) == []


def test_referrers_are_listed_at_once_and_the_same_once_they_are_catalogued(
    app: str, pusher: Pusher, reader: Reader, catalogue: Catalogue
) -> None:
    image = make_image(app)
    pusher.push(app, "v1", image)
    signature = make_referrer(image.manifest, annotations={"org.example.by": "anna"})
    sbom = make_referrer(image.manifest, artifact_type=SBOM)
    typed_by_config = make_image(f"{app}/config", artifact_type="application/vnd.example.config.v1+json")
    about = json.loads(typed_by_config.manifest.content) | {"subject": image.manifest.descriptor}
    old = Image(
        manifest=Blob.of(json.dumps(about).encode(), OCI_MANIFEST),
        config=typed_by_config.config,
        layers=typed_by_config.layers,
    )
    content = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [], "subject": image.manifest.descriptor}
    index = Blob.of(json.dumps(content).encode(), OCI_INDEX)
    made = [signature, sbom, old]
    for each in made:
        push(pusher, app, each)
    assert pusher.put_manifest(app, index.digest, index).headers["oci-subject"] == image.digest

    fresh = described(reader.referrers(app, image.digest))
    assert fresh == sorted(
        [
            {**signature.manifest.descriptor, "artifactType": SIGNATURE, "annotations": {"org.example.by": "anna"}},
            {**sbom.manifest.descriptor, "artifactType": SBOM},
            {**old.manifest.descriptor, "artifactType": "application/vnd.example.config.v1+json"},
            index.descriptor,
        ],
        key=lambda each: str(each["digest"]),
    )
    catalogue.observe(app, signature.digest, index.digest)
    assert described(reader.referrers(app, image.digest)) == fresh
    catalogue.observe(app, sbom.digest, old.digest)
    assert described(reader.referrers(app, image.digest)) == fresh
    assert set(catalogue.rows("SELECT digest, subject FROM core.artifacts WHERE subject IS NOT NULL")) >= {
        (each["digest"], image.digest) for each in fresh
    }


@pytest.mark.parametrize("known", [True, False], ids=["catalogued", "just pushed"])
def test_a_type_is_filtered_for_and_the_answer_says_so(
    app: str, pusher: Pusher, reader: Reader, catalogue: Catalogue, *, known: bool
) -> None:
    image = make_image(app)
    for kind in (SIGNATURE, SBOM):
        push(pusher, app, made := make_referrer(image.manifest, artifact_type=kind))
        if known:
            catalogue.observe(app, made.digest)
    answer = reader.referrers(app, image.digest, f"?artifactType={SBOM.replace('+', '%2B')}")
    assert [each["artifactType"] for each in described(answer)] == [SBOM]
    assert answer.headers["oci-filters-applied"] == "artifactType"
    nothing = reader.referrers(app, image.digest, "?artifactType=x%27%20or%201=1")
    assert (digests(nothing), nothing.headers["oci-filters-applied"]) == ([], "artifactType")
    assert "oci-filters-applied" not in reader.referrers(app, image.digest).headers


def test_a_subject_need_not_exist(app: str, pusher: Pusher, reader: Reader) -> None:
    never_pushed = make_image(app)
    push(pusher, app, made := make_referrer(never_pushed.manifest))
    assert digests(reader.referrers(app, never_pushed.digest)) == [made.digest]


def test_what_nothing_is_about_has_an_empty_list_and_never_a_404(app: str, pusher: Pusher, reader: Reader) -> None:
    image = make_image(app)
    assert digests(reader.referrers(app, image.digest)) == []
    pusher.push(app, "v1", image)
    assert digests(reader.referrers(app, image.digest)) == []


def test_another_repository_has_referrers_of_its_own(app: str, pusher: Pusher, reader: Reader) -> None:
    image = make_image(app)
    push(pusher, app, make_referrer(image.manifest))
    assert digests(reader.referrers(f"{app}-other", image.digest)) == []


@pytest.mark.parametrize("known", [True, False], ids=["catalogued", "just pushed"])
def test_a_deleted_referrer_is_gone_at_once_and_back_when_it_is_pushed_again(
    app: str, pusher: Pusher, reader: Reader, catalogue: Catalogue, *, known: bool
) -> None:
    image = make_image(app)
    kept, dropped = make_referrer(image.manifest), make_referrer(image.manifest, artifact_type=SBOM)
    for each in (kept, dropped):
        push(pusher, app, each)
        if known:
            catalogue.observe(app, each.digest)
    assert pusher.delete(app, dropped.digest).status == 202
    assert digests(reader.referrers(app, image.digest)) == [kept.digest]
    push(pusher, app, dropped)
    assert digests(reader.referrers(app, image.digest)) == sorted([kept.digest, dropped.digest])
    assert pusher.delete(app, dropped.digest).status == 202
    catalogue.observe(app, dropped.digest)
    assert digests(reader.referrers(app, image.digest)) == [kept.digest]


def test_the_tag_schema_of_older_clients_is_untouched(app: str, pusher: Pusher, reader: Reader) -> None:
    image = make_image(app)
    pusher.push(app, "v1", image)
    push(pusher, app, made := make_referrer(image.manifest))
    listed = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [made.manifest.descriptor]}
    fallback = Blob.of(json.dumps(listed).encode(), OCI_INDEX)
    tag = image.digest.replace(":", "-")
    assert pusher.put_manifest(app, tag, fallback).status == 201
    assert pusher.get_manifest(app, tag).body == fallback.content
    assert digests(reader.referrers(app, image.digest)) == [made.digest]


@pytest.mark.parametrize("digest", ["sha256:abc", "latest", f"md5:{'a' * 32}", f"sha256:{'A' * 64}"])
def test_what_is_no_digest_is_a_400(app: str, reader: Reader, digest: str) -> None:
    answer = reader.referrers(app, digest)
    assert answer.status == 400
    assert json.loads(answer.body)["errors"][0]["code"] == "DIGEST_INVALID"


@pytest.mark.parametrize("authorization", [None, "Bearer not.a.token", "Basic YTpi"])
def test_without_a_token_the_registry_gives_its_challenge(app: str, reader: Reader, authorization: str | None) -> None:
    answer = reader.ask(f"/v2/{app}/referrers/{make_image(app).digest}", authorization=authorization)
    assert answer.status == 401
    assert f'scope="repository:{app}:pull"' in answer.headers["www-authenticate"]
    assert "insufficient_scope" not in answer.headers["www-authenticate"]


def test_a_token_of_something_else_opens_no_list(app: str, pusher: Pusher, reader: Reader) -> None:
    image = make_image(app)
    push(pusher, app, make_referrer(image.manifest))
    for scope in ({"library/other": "pull"}, {app: "delete"}, {}):
        answer = reader.ask(f"/v2/{app}/referrers/{image.digest}", scope)
        assert answer.status == 401
        assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]


def test_a_list_is_only_read(app: str, reader: Reader) -> None:
    path = f"/v2/{app}/referrers/{make_image(app).digest}"
    assert reader.ask(path, {app: "pull,push,delete"}, method="PUT").status == 405


def test_a_registry_that_is_away_leaves_what_is_catalogued_readable(
    app: str, pusher: Pusher, reader: Reader, catalogue: Catalogue, registry: RegistryServer
) -> None:
    image = make_image(app)
    push(pusher, app, made := make_referrer(image.manifest))
    catalogue.observe(app, made.digest)
    registry.kill()
    answer = reader.referrers(app, image.digest)
    registry.start()
    assert digests(answer) == [made.digest]
