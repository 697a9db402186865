"""Artifacts at the portal, with a real registry behind it: shown, tagged, labelled and copied."""

from __future__ import annotations

import pytest

from tests.clients.images import make_image, make_index, make_referrer
from tests.integration.core.labels import bearers
from tests.integration.core.people import ADMIN, Api
from tests.integration.core.rows import artifact_of, label_of
from tests.integration.portal.browsing import HOSTILE, Browser, Reading
from tests.integration.portal.stock import SIGNATURE, Stock, deletion_of, page_of, person, says
from tests.integration.portal.test_repositories import RULE, copies


@pytest.fixture
def admin(stock: Stock) -> Browser:
    return Browser(stock.api).sign_in(ADMIN)


# --- what is shown


def test_an_artifact_shows_its_facts_tags_and_annotations(stock: Stock, admin: Browser) -> None:
    repository = f"{stock.api.project()}/web/app"
    made = make_image("facts", annotations={"org.example": HOSTILE, HOSTILE: "x"})
    for tag in ("v1", "v2"):
        stock.push(repository, tag, made)
    answer = admin.get(page_of(repository, made.digest))
    page = Reading(answer.text)
    for fact in (made.digest, "linux/amd64", "Author tests", "/bin/true", "seed=facts", HOSTILE, "2 tags"):
        assert fact in page.text
    assert "<script>alert" not in answer.text
    for name in (f"registry.test/{repository}:v1", f"registry.test/{repository}@{made.digest}"):
        assert f"docker pull {name}" in copies(page)
        assert f"nerdctl --insecure-registry pull {name}" in copies(page) or name.endswith(":v1")
        assert f"ctr images pull --plain-http --user admin {name}" in copies(page)
    assert page_of(repository, made.digest, "contents") in {each.get("hx-get") for each in page.all("section")}
    assert made.digest in admin.read(page_of(repository, "v1")).text
    part = admin.get(page_of(repository, made.digest), part="list").text
    assert part.lstrip().startswith('<div id="list"')
    assert "<html" not in part


def test_layers_are_shown_with_the_step_that_made_each(stock: Stock, admin: Browser) -> None:
    repository = f"{stock.api.project()}/app"
    made = make_image("layered", layers=3)
    stock.push(repository, "v1", made)
    part = admin.get(page_of(repository, made.digest, "contents"), part="contents")
    page = Reading(part.text)
    assert part.text.lstrip().startswith('<section class="card" id="contents"')
    for number, layer in enumerate(made.layers):
        assert f"{number + 1} layer {number}" in page.text
        assert layer.digest in copies(page)
    assert "<h1" in admin.get(page_of(repository, made.digest, "contents")).text


def test_the_layers_of_what_is_no_image_are_shown_alone(stock: Stock, admin: Browser) -> None:
    repository = f"{stock.api.project()}/chart"
    made = make_image("a chart", artifact_type="application/vnd.cncf.helm.config.v1+json")
    stock.push(repository, "1.0", made)
    page = admin.read(page_of(repository, made.digest, "contents"))
    assert made.layers[0].digest in copies(page)
    assert "Made by" not in page.text
    assert "Helm chart" in admin.read(page_of(repository, "1.0")).text


def test_an_index_shows_its_children_and_what_is_about_it(stock: Stock, admin: Browser) -> None:
    repository = f"{stock.api.project()}/app"
    index = make_index("shown", architectures=("amd64", "arm64"))
    stock.push(repository, "v1", index)
    stock.push(repository, "v1-arm", index.images[1])
    signature = make_referrer(index.manifest, artifact_type=SIGNATURE)
    stock.push(repository, signature.digest, signature)
    page = admin.read(page_of(repository, "v1"))
    assert "2 images in this index" in page.text
    assert "linux/arm64" in page.text
    assert "v1-arm" in page.text
    assert "Cosign signature" in page.text
    for each in (*(image.digest for image in index.images), signature.digest):
        assert page_of(repository, each) in page.links()
    child = admin.read(page_of(repository, index.images[0].digest))
    assert "No tag names it" in child.text


def test_a_large_index_and_many_referrers_are_in_pages(stock: Stock, admin: Browser) -> None:
    repository = f"{stock.api.project()}/app"
    index = make_index("large", architectures=tuple(f"cpu{number:02}" for number in range(52)))
    stock.push(repository, "v1", index)
    for number in range(51):
        about = make_referrer(index.manifest, artifact_type=SIGNATURE, annotations={"n": str(number)})
        stock.push(repository, about.digest, about)
    at = page_of(repository, "v1")
    first = admin.read(at)
    assert "52 images in this index" in first.text
    assert "52 images · page 1 of 2" in first.text
    second = admin.read(f"{at}?images=2")
    children = [page_of(repository, image.digest) for image in index.images]
    assert [each in first.links() for each in children] == [True] * 50 + [False] * 2
    assert [each in second.links() for each in children] == [False] * 50 + [True] * 2
    assert "51 referrers · page 1 of 2" in second.text
    assert first.text.count("Cosign signature") == second.text.count("Cosign signature") == 50
    last = admin.read(f"{at}?images=2&referrers=2")
    assert last.text.count("Cosign signature") == 1
    assert "52 images · page 2 of 2" in last.text
    assert f"{at}?sort=-push_time&referrers=2" in first.links()
    assert f"{at}?sort=-push_time&images=2&referrers=2" in second.links()
    for nonsense in ("0", "-1", "x", "2²"):
        assert "52 images · page 1 of 2" in admin.read(f"{at}?images={nonsense}").text
    assert "52 images · page 2 of 2" in admin.read(f"{at}?images=99").text


def test_a_registry_that_does_not_answer_costs_the_page_its_layers_alone(api: Api) -> None:
    project = api.project()
    digest = artifact_of(api, project, "app", "v1")
    browser = Browser(api).sign_in(ADMIN)
    assert "linux/amd64" in browser.read(f"/projects/{project}/artifacts/{digest}/app").text
    part = browser.get(f"/projects/{project}/contents/{digest}/app", part="contents")
    assert part.status_code == 200
    assert "They cannot be shown just now" in says(part)


@pytest.mark.parametrize("reference", ["none", "sha256:" + "0" * 64])
def test_what_is_gone_meanwhile_has_a_page_that_leads_to_the_rest(
    stock: Stock, admin: Browser, reference: str
) -> None:
    repository = f"{stock.api.project()}/app"
    stock.image(repository, "v1")
    answer = admin.get(page_of(repository, reference))
    assert answer.status_code == 404
    assert "There is no such artifact here" in says(answer)
    assert f"/projects/{repository.replace('/', '/repositories/')}" in Reading(answer.text).links()
    for act in ("contents", "new-tag", "artifact-labels", "copy-artifact"):
        assert admin.get(page_of(repository, reference, act)).status_code == 404


@pytest.mark.parametrize(
    ("role", "tags", "deletes"),
    [("projectAdmin", True, True), ("maintainer", True, True), ("developer", True, False), ("guest", False, False),
     ("limitedGuest", False, False)],
)  # fmt: skip
def test_each_role_is_offered_what_it_may_do_with_an_artifact(
    stock: Stock, role: str, tags: bool, deletes: bool  # noqa: FBT001
) -> None:
    project = stock.api.project()
    repository = f"{project}/app"
    digest = stock.image(repository, "v1")
    links = person(stock, stock.api.member(project, role)).read(page_of(repository, digest)).links()
    assert (page_of(repository, digest, "new-tag") in links) is tags
    assert (page_of(repository, digest, "artifact-labels") in links) is tags
    assert (deletion_of(repository, digest) in links) is deletes
    assert (f"/projects/{project}/delete-tag/{digest}/v1/app" in links) is deletes
    assert page_of(repository, digest, "copy-artifact") in links


# --- tags


def test_a_tag_is_put_on_an_artifact(stock: Stock) -> None:
    project = stock.api.project()
    repository = f"{project}/a/b"
    digest = stock.image(repository, "v1")
    developer = person(stock, stock.api.member(project, "developer"))
    answer = developer.post(page_of(repository, digest, "new-tag"), {"name": "stable"})
    assert "Tag stable is put on the artifact." in says(answer)
    assert stock.held(repository) == {digest: {"v1", "stable"}}
    guest = person(stock, stock.api.member(project, "guest"))
    assert guest.post(page_of(repository, digest, "new-tag"), {"name": "mine"}).status_code == 403
    assert stock.held(repository) == {digest: {"v1", "stable"}}


@pytest.mark.parametrize(("name", "status"), [("v1", 409), (HOSTILE, 400), ("", 422), ("x" * 129, 400)])
def test_a_tag_that_cannot_be_put_is_told_in_the_form(stock: Stock, admin: Browser, name: str, status: int) -> None:
    repository = f"{stock.api.project()}/app"
    digest = stock.image(repository, "v1")
    answer = admin.post(page_of(repository, digest, "new-tag"), {"name": name})
    assert answer.status_code == status
    assert Reading(answer.text).values()["name"] == name
    assert "<script>alert" not in answer.text
    assert stock.held(repository) == {digest: {"v1"}}


def test_removing_a_tag_says_what_it_names_and_leaves_the_artifact(stock: Stock, admin: Browser) -> None:
    project = stock.api.project()
    repository = f"{project}/app"
    digest = stock.image(repository, "v1", "v2")
    path = f"/projects/{project}/delete-tag/{digest}/v1/app"
    assert "The artifact stays, with its other tag: v2" in admin.read(path).text
    assert "Tag v1 is removed." in says(admin.post(path, {}))
    assert stock.held(repository) == {digest: {"v2"}}
    assert admin.get(path).status_code == 404
    assert admin.post(path, {}).status_code == 404
    assert "untagged" in admin.read(f"/projects/{project}/delete-tag/{digest}/v2/app").text


def test_an_immutable_tag_is_not_offered_to_be_removed_and_stays(stock: Stock, admin: Browser) -> None:
    project = stock.api.project()
    digest = stock.image(f"{project}/app", "held-1")
    stock.api.send("POST", f"/projects/{project}/immutabletagrules", ADMIN, RULE)
    path = f"/projects/{project}/delete-tag/{digest}/held-1/app"
    assert path not in admin.read(page_of(f"{project}/app", digest)).links()
    answer = admin.post(path, {})
    assert answer.status_code == 412
    assert "immutable" in says(answer)
    assert stock.held(f"{project}/app") == {digest: {"held-1"}}


# --- labels


def test_labels_are_put_on_and_taken_off_by_ticks(stock: Stock) -> None:
    project = stock.api.project()
    repository = f"{project}/app"
    digest = stock.image(repository, "v1")
    old, new, everybodys = label_of(stock.api, project), label_of(stock.api, project, HOSTILE), label_of(stock.api)
    stock.api.send("POST", f"/projects/{project}/repositories/app/artifacts/v1/labels", ADMIN, {"id": old})
    developer = person(stock, stock.api.member(project, "developer"))
    path = page_of(repository, digest, "artifact-labels")
    form = developer.get(path)
    page = Reading(form.text)
    ticked = {box["value"] for box in page.all("input") if box.get("name") == "label" and "checked" in box}
    assert (ticked, HOSTILE in page.text) == ({str(old)}, True)
    assert "<script>alert" not in form.text
    answer = developer.post(path, {"had": str(old), "label": [str(new), str(everybodys)]})
    assert "3 labels changed." in says(answer)
    assert [bearers(stock.api, each) for each in (old, new, everybodys)] == [set(), {digest}, {digest}]


def test_a_label_that_somebody_put_on_meanwhile_stays(stock: Stock, admin: Browser) -> None:
    project = stock.api.project()
    digest = stock.image(f"{project}/app", "v1")
    mine, theirs = label_of(stock.api, project), label_of(stock.api, project)
    stock.api.send("POST", f"/projects/{project}/repositories/app/artifacts/v1/labels", ADMIN, {"id": theirs})
    admin.post(page_of(f"{project}/app", digest, "artifact-labels"), {"label": str(mine)})
    assert bearers(stock.api, theirs) == bearers(stock.api, mine) == {digest}


@pytest.mark.parametrize("number", ["0", "x", "99999999", "²"])
def test_a_label_that_is_none_is_told(stock: Stock, admin: Browser, number: str) -> None:
    repository = f"{stock.api.project()}/app"
    digest = stock.image(repository, "v1")
    answer = admin.post(page_of(repository, digest, "artifact-labels"), {"label": number})
    assert answer.status_code in {400, 404}
    assert any(each.get("role") == "alert" for each in Reading(answer.text).all("div"))


# --- copying


def test_an_artifact_is_copied_with_its_tags_to_another_project(stock: Stock) -> None:
    source, target = stock.api.project(), stock.api.project()
    digest = stock.image(f"{source}/app", "v1", "v2")
    developer = stock.api.member(source, "guest")
    body = {"role_id": 2, "member_user": {"username": developer.name}}
    stock.api.made(f"/projects/{target}/members", body)
    browser, path = person(stock, developer), page_of(f"{source}/app", digest, "copy-artifact")
    offered = {each["value"] for each in browser.read(path).all("option")}
    assert (target in offered, source in offered) == (True, False)
    answer = browser.post(path, {"project": target, "repository": "copies/of/app"})
    assert f"The artifact is copied to {target}/copies/of/app." in says(answer)
    assert stock.held(f"{target}/copies/of/app") == {digest: {"v1", "v2"}}


@pytest.mark.parametrize(
    ("target", "rest", "status"),
    [("", "app", 422), ("{source}", "", 422), ("{source}", HOSTILE, 400), ("{closed}", "app", 403),
     (HOSTILE, "a", 403)],
)  # fmt: skip
def test_a_copy_that_cannot_be_made_is_told_in_the_form(stock: Stock, target: str, rest: str, status: int) -> None:
    source, closed = stock.api.project(), stock.api.project()
    digest = stock.image(f"{source}/app", "v1")
    browser = person(stock, stock.api.member(source, "developer"))
    fields = {"project": target.format(source=source, closed=closed) if "{" in target else target, "repository": rest}
    answer = browser.post(page_of(f"{source}/app", digest, "copy-artifact"), fields)
    assert answer.status_code == status
    assert fields.items() <= Reading(answer.text).values().items()
    assert "<script>alert" not in answer.text
    assert stock.api.get(f"/projects/{closed}/repositories").json == []


# --- the API's own addition


def test_the_api_shows_the_layers_of_a_manifest(stock: Stock) -> None:
    project = stock.api.project()
    made, index = make_image("api layers", layers=2), make_index("api index")
    stock.push(f"{project}/app", "v1", made)
    stock.push(f"{project}/app", "many", index)
    path = f"/projects/{project}/repositories/app/artifacts"
    assert stock.api.get(f"{path}/v1/additions/layers").json == [
        {"digest": layer.digest, "media_type": layer.media_type, "size": len(layer.content), "title": ""}
        for layer in made.layers
    ]
    assert stock.api.get(f"{path}/many/additions/layers").json == []
    assert stock.api.get(f"{path}/none/additions/layers").status_code == 404
    assert stock.api.get(f"{path}/v1/additions/layers", stock.api.user()).status_code == 403
