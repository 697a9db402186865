"""Deleting artifacts and repositories at the portal, with a real registry behind it: what is said, and done."""

from __future__ import annotations

import json

import pytest

from tests.clients.images import OCI_INDEX, Blob, Index, make_image, make_index, make_referrer
from tests.integration.core.people import ADMIN, Api
from tests.integration.core.rows import artifact_of
from tests.integration.portal.browsing import Browser
from tests.integration.portal.stock import SIGNATURE, Stock, deletion_of, person, says
from tests.integration.portal.test_repositories import RULE


@pytest.fixture
def admin(stock: Stock) -> Browser:
    return Browser(stock.api).sign_in(ADMIN)


def test_the_preview_names_every_tag_of_what_goes_and_what_goes_along(stock: Stock, admin: Browser) -> None:
    repository = f"{stock.api.project()}/app"
    image = make_image("previewed")
    for tag in ("latest", "other-name"):
        stock.push(repository, tag, image)
    signature = make_referrer(image.manifest, artifact_type=SIGNATURE)
    stock.push(repository, "sig", signature)
    index = make_index("previewed index", architectures=("amd64", "arm64", "s390x"))
    stock.push(repository, "many", index)
    stock.push(repository, "tagged-child", index.images[0])
    other = json.loads(index.manifest.content)["manifests"][1:2]
    second = _index_of(other)
    stock.push(repository, "second", second)
    text = admin.read(deletion_of(repository, image.digest, index.digest)).text
    short = [each.digest[:19] for each in index.images]
    assert "Delete 2 artifacts" in text
    assert "All its tags: latest other-name" in text or "All its tags: other-name latest" in text
    assert f"goes too Cosign signature {signature.digest[:19]} with its tags sig" in text
    assert f"stays linux/amd64 {short[0]} (tagged tagged-child)" in text
    assert f"stays linux/arm64 {short[1]} (the index {second.digest[:19]} needs it)" in text
    assert f"goes too linux/s390x {short[2]}" in text
    assert "4 tags of app name nothing afterwards. 2 more artifacts go along." in text
    answer = admin.post(deletion_of(repository).removesuffix("?"), {"digest": [image.digest, index.digest]})
    assert "2 artifacts are deleted." in says(answer)
    assert set(stock.held(repository)) == {index.images[0].digest, index.images[1].digest, second.digest}


def _index_of(manifests: list[dict[str, object]]) -> Index:
    content = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests}
    return Index(manifest=Blob.of(json.dumps(content).encode(), OCI_INDEX), images=())


def test_what_is_immutable_or_part_of_an_index_is_told_apart_and_left_out(stock: Stock, admin: Browser) -> None:
    project = stock.api.project()
    repository = f"{project}/app"
    held, free = stock.image(repository, "held-1", "x"), stock.image(repository, "free")
    index = make_index("left out")
    stock.push(repository, "held-index", index)
    stock.push(repository, "child", index.images[0])
    stock.api.send("POST", f"/projects/{project}/immutabletagrules", ADMIN, RULE)
    absent, child = "sha256:" + "0" * 64, index.images[0].digest
    page = admin.read(deletion_of(repository, held, child, absent, index.digest, free))
    doomed = [box["value"] for box in page.all("input") if box.get("name") == "digest"]
    assert doomed == [free]
    assert "Delete 1 artifact" in page.text
    assert "4 artifacts are left out" in page.text
    assert "Its tag held-1 is immutable." in page.text
    assert f"The index {index.digest[:19]} refers to it: delete that first." in page.text
    assert "It is not here any more." in page.text
    nothing = admin.read(deletion_of(repository, held))
    assert "Nothing can be deleted" in nothing.text
    assert not [box for box in nothing.all("input") if box.get("name") == "digest"]


def test_an_index_is_deleted_before_the_child_that_was_chosen_with_it(stock: Stock, admin: Browser) -> None:
    repository = f"{stock.api.project()}/app"
    index = make_index("together")
    stock.push(repository, "v1", index)
    stock.push(repository, "v1-amd64", index.images[0])
    page = admin.read(deletion_of(repository, index.images[0].digest, index.digest))
    doomed = [box["value"] for box in page.all("input") if box.get("name") == "digest"]
    assert doomed == [index.digest, index.images[0].digest]
    assert "2 artifacts are deleted." in says(admin.post(deletion_of(repository).removesuffix("?"), {"digest": doomed}))
    assert stock.held(repository) == {}


def test_what_fails_is_told_and_the_rest_goes(stock: Stock, admin: Browser) -> None:
    project = stock.api.project()
    repository = f"{project}/app"
    held, free = stock.image(repository, "held-1"), stock.image(repository, "free")
    stock.api.send("POST", f"/projects/{project}/immutabletagrules", ADMIN, RULE)
    absent = "sha256:" + "0" * 64
    answer = admin.post(deletion_of(repository).removesuffix("?"), {"digest": [held, absent, free]})
    text = says(answer)
    assert answer.status_code == 409
    assert f"1 artifact is still here: {held[:19]} (held-1)" in text
    assert "immutable" in text
    assert f"Deleted: {absent[:19]} {free[:19]} free" in text
    assert stock.held(repository) == {held: {"held-1"}}


def test_after_a_registry_that_does_not_answer_the_rest_is_not_tried(api: Api) -> None:
    project = api.project()
    digests = [artifact_of(api, project, "app", "v1"), artifact_of(api, project, "app", "v2")]
    answer = Browser(api).sign_in(ADMIN).post(f"/projects/{project}/delete-artifacts/app", {"digest": digests})
    assert answer.status_code == 409
    assert "It was not tried" in says(answer)
    assert api.get(f"/projects/{project}/repositories/app").json["artifact_count"] == 2


@pytest.mark.parametrize("query", ["", "digest=", "digest=x", "digest=sha256:0},tags=*", "digest=" + "%3Cscript%3E"])
def test_a_choice_that_makes_no_sense_is_refused(stock: Stock, admin: Browser, query: str) -> None:
    repository = f"{stock.api.project()}/app"
    digest = stock.image(repository, "v1")
    assert admin.get(deletion_of(repository) + query).status_code == 400
    assert admin.post(deletion_of(repository).removesuffix("?"), {"digest": query}).status_code == 400
    assert stock.held(repository) == {digest: {"v1"}}


def test_who_may_not_delete_deletes_nothing(stock: Stock) -> None:
    project = stock.api.project()
    repository = f"{project}/app"
    digest = stock.image(repository, "v1")
    developer = person(stock, stock.api.member(project, "developer"))
    assert developer.post(deletion_of(repository).removesuffix("?"), {"digest": digest}).status_code == 403
    assert developer.post(f"/projects/{project}/delete-repository/app", {}).status_code == 403
    assert stock.held(repository) == {digest: {"v1"}}


def test_a_repository_is_deleted_with_all_that_is_in_it(stock: Stock) -> None:
    project = stock.api.project()
    stock.image(f"{project}/a/b", "v1")
    stock.image(f"{project}/c", "v1")
    maintainer = person(stock, stock.api.member(project, "maintainer"))
    answer = maintainer.post(f"/projects/{project}/delete-repository/a/b", {})
    assert "Repository a/b is deleted." in says(answer)
    assert [each["name"] for each in stock.api.get(f"/projects/{project}/repositories").json] == [f"{project}/c"]
