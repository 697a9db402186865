"""How a manifest is described to those who ask what is about another one."""

import json

import pytest

from services.api.domain.referrer import referrer_of, subject_of
from shared.names import Digest
from shared.registry.manifests import OCI_INDEX, OCI_MANIFEST, parse
from tests.clients.images import make_image, make_referrer

SUBJECT = make_image("subject")


@pytest.mark.parametrize(
    ("changes", "media_type", "artifact_type"),
    [
        ({}, OCI_MANIFEST, "application/vnd.example.signature"),
        ({"artifactType": ""}, OCI_MANIFEST, "application/vnd.oci.empty.v1+json"),
        ({"mediaType": OCI_INDEX, "manifests": []}, OCI_INDEX, "application/vnd.example.signature"),
        ({"mediaType": OCI_INDEX, "manifests": [], "artifactType": None}, OCI_INDEX, ""),
    ],
)
def test_a_type_that_is_not_declared_is_the_configuration_s_and_an_index_has_none(
    changes: dict[str, object], media_type: str, artifact_type: str
) -> None:
    body = json.dumps(json.loads(make_referrer(SUBJECT.manifest).manifest.content) | changes).encode()
    described = referrer_of(parse(body, media_type))
    assert (described.media_type, described.artifact_type) == (media_type, artifact_type)
    assert (described.digest, described.size) == (Digest.of(body).text, len(body))
    assert subject_of(body, media_type) == Digest(SUBJECT.digest)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b"[" * 100_000,
        SUBJECT.manifest.content,
        json.dumps({"config": {}, "subject": {"digest": "x"}}).encode(),
        json.dumps({**json.loads(SUBJECT.manifest.content), "subject": "sha256:" + "a" * 64}).encode(),
        json.dumps({**json.loads(SUBJECT.manifest.content), "subject": {}}).encode(),
        json.dumps({**json.loads(SUBJECT.manifest.content), "subject": None}).encode(),
    ],
)
def test_what_names_no_subject_or_cannot_be_read_is_about_nothing(body: bytes) -> None:
    assert subject_of(body, OCI_MANIFEST) is None
