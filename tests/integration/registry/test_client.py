"""The registry client against distribution 2.8, with tokens from the real token mount."""

import threading
import time
from uuid import uuid4

import pytest

from shared.names import Digest, RepositoryName, TagName
from shared.registry.client import RegistryClient
from shared.registry.errors import RegistryRefused, RegistryUnavailable
from shared.registry.manifests import OCI_INDEX, OCI_MANIFEST, throwaway
from shared.registry.tokens import SystemTokens
from shared.secrets import Secret
from tests.clients.images import make_image, make_index
from tests.integration.registry_rig import Pusher, RegistryServer, Tokens

APP = RepositoryName("library/app")
V1 = TagName("v1")


def test_a_tag_resolves_to_its_digest(client: RegistryClient, pusher: Pusher) -> None:
    image = make_image("one")
    pusher.push("library/app", "v1", image)
    assert client.resolve(APP, V1) == Digest(image.digest)
    assert client.resolve(APP, Digest(image.digest)) == Digest(image.digest)
    assert client.resolve(APP, TagName("v2")) is None
    assert client.resolve(RepositoryName("library/none"), V1) is None


def test_a_manifest_comes_with_its_bytes_and_type(client: RegistryClient, pusher: Pusher) -> None:
    index = make_index("many")
    pusher.push("library/app", "v1", index)
    stored = client.manifest(APP, V1)
    assert stored is not None
    assert (stored.digest.text, stored.media_type, stored.body) == (index.digest, OCI_INDEX, index.manifest.content)
    child = client.manifest(APP, Digest(index.images[0].digest))
    assert child is not None
    assert child.media_type == OCI_MANIFEST
    assert client.manifest(APP, Digest.of(b"nothing")) is None


def test_a_blob_is_read_up_to_a_limit(client: RegistryClient, pusher: Pusher) -> None:
    image = make_image("one")
    pusher.push("library/app", "v1", image)
    config = Digest(image.config.digest)
    assert client.blob(APP, config, limit=10_000) == image.config.content
    assert client.blob_size(APP, config) == len(image.config.content)
    assert client.blob_size(APP, Digest.of(b"nothing")) is None
    assert client.blob(APP, Digest.of(b"nothing"), limit=10) is None
    with pytest.raises(RegistryRefused, match="larger than 10 bytes"):
        client.blob(APP, config, limit=10)


def test_tags_and_repositories_are_listed(client: RegistryClient, pusher: Pusher) -> None:
    image = make_image("one")
    for number in range(5):
        pusher.push(f"library/app{number}", "v1", image)
    pusher.push("library/app0", "v2", image)
    assert sorted(client.tags(RepositoryName("library/app0"))) == ["v1", "v2"]
    assert client.tags(RepositoryName("library/none")) == []
    assert list(client.repositories(page=2)) == [f"library/app{number}" for number in range(5)]
    assert list(client.repositories(page=2, after="library/app2")) == ["library/app3", "library/app4"]


def test_distribution_2_8_says_that_it_cannot_delete_by_tag(client: RegistryClient, pusher: Pusher) -> None:
    image = make_image("one")
    pusher.push("library/app", "v1", image)
    assert client.untag(APP, V1, user_agent="test") is False
    assert client.resolve(APP, V1) == Digest(image.digest)


def test_a_throwaway_manifest_takes_a_tag_off_and_leaves_the_rest(client: RegistryClient, pusher: Pusher) -> None:
    image = make_image("one")
    pusher.push("library/app", "v1", image)
    pusher.push("library/app", "v2", image)
    body = throwaway(uuid4())
    client.put_manifest(APP, V1, body, OCI_INDEX, user_agent="test")
    assert client.delete_manifest(APP, Digest.of(body), user_agent="test")
    assert client.resolve(APP, V1) is None
    assert client.resolve(APP, TagName("v2")) == Digest(image.digest)


def test_deleting_what_is_not_there_says_so(client: RegistryClient, pusher: Pusher) -> None:
    image = make_image("one")
    pusher.push("library/app", "v1", image)
    assert client.delete_manifest(APP, Digest(image.digest), user_agent="test")
    assert not client.delete_manifest(APP, Digest(image.digest), user_agent="test")


def test_reads_wait_for_a_registry_that_restarts(
    client: RegistryClient, pusher: Pusher, registry: RegistryServer
) -> None:
    image = make_image("one")
    pusher.push("library/app", "v1", image)
    registry.kill()
    again = threading.Timer(0.2, registry.start)
    again.start()
    try:
        assert client.resolve(APP, V1) == Digest(image.digest)
    finally:
        again.join()


def test_a_registry_that_is_away_is_told_as_such_in_time(client: RegistryClient, registry: RegistryServer) -> None:
    registry.kill()
    began = time.monotonic()
    with pytest.raises(RegistryUnavailable):
        client.resolve(APP, V1)
    assert time.monotonic() - began < 5


def test_content_that_the_registry_cannot_give_is_no_outage(
    client: RegistryClient, pusher: Pusher, registry: RegistryServer
) -> None:
    image = make_image("one")
    pusher.push("library/app", "v1", image)
    registry.lose_content(image.digest)
    for ask in (client.resolve, client.manifest):
        with pytest.raises(RegistryRefused, match="the registry answered 500 to") as refusal:
            ask(APP, V1)
        assert refusal.value.sentence == refusal.value.sentence.rstrip(": \n")


def test_a_manifest_of_schema_1_is_given_though_it_is_signed_anew(
    client: RegistryClient, registry: RegistryServer
) -> None:
    registry.lay_schema_1("library/app", "v1")
    digest = client.resolve(APP, V1)
    assert digest is not None
    stored = client.manifest(APP, digest)
    assert stored is not None
    assert (stored.digest, stored.media_type.rpartition(".")[2]) == (digest, "v1+prettyjws")


def test_tokens_are_kept_and_fetched_anew_when_refused(
    registry: RegistryServer, tokens: Tokens, pusher: Pusher
) -> None:
    pusher.push("library/app", "v1", make_image("one"))
    system = tokens.system()
    client = RegistryClient(registry.socket, system)
    client.resolve(APP, V1)
    kept = system.token("repository:library/app:pull").reveal()
    client.resolve(APP, V1)
    assert system.token("repository:library/app:pull").reveal() == kept
    system._kept["repository:library/app:pull"] = type(system._kept["repository:library/app:pull"])(
        Secret("not.a.token"), float("inf")
    )
    assert client.resolve(APP, V1) is not None
    assert system.token("repository:library/app:pull").reveal() not in {kept, "not.a.token"}


def test_a_wrong_credential_is_refused_in_a_sentence(registry: RegistryServer, tokens: Tokens) -> None:
    client = RegistryClient(registry.socket, SystemTokens(tokens.socket, "metadata", Secret("wrong")))
    with pytest.raises(RegistryRefused, match="refused a token for system:metadata: 401"):
        client.resolve(APP, V1)


def test_a_missing_token_mount_is_unavailable(registry: RegistryServer, tokens: Tokens) -> None:
    client = RegistryClient(registry.socket, SystemTokens(registry.home / "none.sock", "metadata", tokens.credential))
    with pytest.raises(RegistryUnavailable):
        client.resolve(APP, V1)


def test_the_secret_of_a_token_is_never_printed(tokens: Tokens) -> None:
    system = tokens.system()
    token = system.token("repository:library/app:pull")
    assert token.reveal() not in repr(token)
    assert tokens.credential.reveal() not in repr(system.__dict__)
