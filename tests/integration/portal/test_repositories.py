"""The pages of a repository: what is listed, found and offered, and the way to push; what deletes is in test_images."""

from __future__ import annotations

import json

import pytest

from gateway.portal.pages.repository_deletion import TYPED_FROM
from tests.integration.core.people import ADMIN, Api, Caller
from tests.integration.core.rows import accessory_of, artifact_of, label_of
from tests.integration.portal.browsing import HOSTILE, Browser, Reading

RULE = {
    "tag_selectors": [{"kind": "doublestar", "decoration": "matches", "pattern": "held-*"}],
    "scope_selectors": {"repository": [{"kind": "doublestar", "decoration": "repoMatches", "pattern": "**"}]},
}


@pytest.fixture
def admin(api: Api) -> Browser:
    return Browser(api).sign_in(ADMIN)


def named(api: Api, name: str, color: str, project: str) -> int:
    number = label_of(api, project, name)
    with api.database.superuser() as connection:
        connection.execute("UPDATE core.labels SET color = %s WHERE id = %s", (color, number))
    return number


def copies(page: Reading) -> list[str]:
    """What the page's buttons put on the clipboard."""
    return [attributes["data-copy"] for attributes in page.all("button") if "data-copy" in attributes]


def test_each_tag_has_the_commands_that_pull_it_and_each_artifact_its_whole_digest(api: Api, admin: Browser) -> None:
    project = api.project()
    digest = artifact_of(api, project, "web/app", "v1", "v2")
    page = admin.read(f"/projects/{project}/repositories/web/app")
    for tag in ("v1", "v2"):
        name = f"registry.test/{project}/web/app:{tag}"
        assert f"docker pull {name}" in copies(page)
        assert f"podman pull --tls-verify=false {name}" in copies(page)
        assert f"ctr images pull --plain-http --user admin {name}" in copies(page)
    assert digest in copies(page)
    assert f"/projects/{project}/artifacts/{digest}/web/app" in page.links()
    assert "linux/amd64" in page.text
    assert "1 artifact" in page.text


def test_behind_tls_and_in_the_open_commands_need_no_options(api: Api) -> None:
    project = api.project(public=True)
    artifact_of(api, project, "app", "v1")
    answer = Browser(api).get(f"/projects/{project}/repositories/app", **{"X-Forwarded-Proto": "https"})
    found = copies(Reading(answer.text))
    name = f"registry.test/{project}/app:v1"
    assert {f"docker pull {name}", f"podman pull {name}", f"ctr images pull {name}"} < set(found)


@pytest.mark.parametrize(
    ("kind", "command"),
    [("CHART", "helm pull oci://registry.test/{}/app --version v1 --plain-http"),
     ("UNKNOWN", "oras pull --plain-http registry.test/{}/app:v1")],
)  # fmt: skip
def test_what_is_no_image_is_pulled_by_its_own_client(api: Api, admin: Browser, kind: str, command: str) -> None:
    project = api.project()
    digest = artifact_of(api, project, "app", "v1")
    with api.database.superuser() as connection:
        connection.execute("UPDATE core.artifacts SET type = %s WHERE digest = %s", (kind, digest))
    found = copies(admin.read(f"/projects/{project}/repositories/app"))
    assert command.format(project) in found
    assert not [each for each in found if each.startswith("docker")]


def test_immutable_tags_labels_and_signatures_are_told(api: Api, admin: Browser) -> None:
    project = api.project()
    digest = artifact_of(api, project, "app", "held-1", "free")
    accessory_of(api, project, "app", digest, "application/vnd.cncf.notary.signature")
    accessory_of(api, project, "app", digest, "application/vnd.example")
    api.send("POST", f"/projects/{project}/immutabletagrules", ADMIN, RULE)
    label = named(api, HOSTILE, "#123456", project)
    api.send("POST", f"/projects/{project}/repositories/app/artifacts/free/labels", ADMIN, {"id": label})
    answer = admin.get(f"/projects/{project}/repositories/app")
    page = Reading(answer.text)
    assert "Signed" in page.text
    assert "1 referrer" in page.text
    assert HOSTILE in page.text
    assert "<script>alert" not in answer.text
    assert len([each for each in page.all("svg") if each.get("aria-label") == "immutable"]) == 1


def test_artifacts_are_found_by_tag_digest_label_and_by_having_a_tag(api: Api, admin: Browser) -> None:
    project = api.project()
    first, second = artifact_of(api, project, "app", "release-1", "one"), artifact_of(api, project, "app", "two")
    bare = artifact_of(api, project, "app")
    label = label_of(api, project, "tested")
    api.send("POST", f"/projects/{project}/repositories/app/artifacts/two/labels", ADMIN, {"id": label})
    path = f"/projects/{project}/repositories/app"

    def shown(query: str) -> set[str]:
        return set(copies(admin.read(path + query))) & {first, second, bare}

    assert shown("") == {first, second, bare}
    assert shown("?q=LEASE") == {first}
    assert shown("?q=" + bare[:20]) == {bare}
    assert shown("?tagged=tagged") == {first, second}
    assert shown("?tagged=untagged") == {bare}
    assert shown(f"?label={label}") == {second}
    assert shown(f"?label={label}&q=one") == set()
    assert shown("?label=x&tagged=y") == {first, second, bare}
    assert "No artifact matches" in admin.read(f"{path}?q=none").text


def test_a_label_is_chosen_and_the_search_is_kept(api: Api, admin: Browser) -> None:
    project = api.project()
    artifact_of(api, project, "app", "one")
    path, choose = f"/projects/{project}/repositories/app", f"/projects/{project}/choose-label/app"
    assert "There is no label yet" in admin.read(choose).text
    label = label_of(api, project, "tested")
    [link] = [each for each in admin.read(f"{path}?q=one").links() if each.startswith(choose)]
    assert f"{path}?q=one&sort=-push_time&label={label}" in admin.read(link).links()
    chosen = admin.read(f"{path}?q=one&label={label}")
    assert "Label: tested" in chosen.text
    [link] = [each for each in chosen.links() if each.startswith(choose)]
    assert f"{path}?q=one&sort=-push_time" in admin.read(link).links()


def test_the_list_is_paged_and_sorted_and_its_part_stands_by_itself(api: Api, admin: Browser) -> None:
    project = api.project()
    for number in range(27):
        artifact_of(api, project, "app", f"v{number:02}")
    path = f"/projects/{project}/repositories/app"
    first, second = admin.read(path), admin.read(f"{path}?page=2")
    assert "27 artifacts · page 1 of 2" in first.text
    assert ("v26" in first.text, "v01" in first.text, "v01" in second.text) == (True, False, True)
    part = admin.get(f"{path}?sort=push_time", part="list").text
    assert part.lstrip().startswith('<section id="list"')
    assert "<html" not in part
    assert ("v00" in part, "v26" in part) == (True, False)


def test_of_many_tags_a_row_shows_some_and_first_those_that_were_searched_for(api: Api, admin: Browser) -> None:
    project = api.project()
    artifact_of(api, project, "app", "wanted", *(f"v{number}" for number in range(8)))
    path = f"/projects/{project}/repositories/app"
    assert "and 4 more tags" in admin.read(path).text
    assert "wanted" not in admin.read(path).text
    assert "wanted" in admin.read(f"{path}?q=wanted").text


def test_an_index_shows_the_platforms_of_its_children(api: Api, admin: Browser) -> None:
    project = api.project()
    index, child = artifact_of(api, project, "app", "v1"), artifact_of(api, project, "app")
    platforms = [{"os": "linux", "architecture": "arm64", "variant": "v8"},
                 {"os": "unknown", "architecture": "unknown"}]  # fmt: skip
    with api.database.superuser() as connection:
        for position, platform in enumerate(platforms):
            connection.execute(
                """
                INSERT INTO core.artifact_references (parent_id, position, child_digest, child_id, platform)
                SELECT p.id, %s, c.digest, c.id, %s FROM core.artifacts p, core.artifacts c
                WHERE p.digest = %s AND c.digest = %s
                """,
                (position, json.dumps(platform), index, child),
            )
        connection.execute("UPDATE core.artifacts SET extra_attrs = '{}' WHERE digest = %s", (child,))
    text = admin.read(f"/projects/{project}/repositories/app?tagged=tagged").text
    assert "linux/arm64/v8" in text
    assert "unknown" not in text


@pytest.mark.parametrize(
    ("role", "pushes", "deletes"),
    [("projectAdmin", True, True), ("maintainer", True, True), ("developer", True, False), ("guest", False, False),
     ("limitedGuest", False, False)],
)  # fmt: skip
def test_each_role_is_offered_what_it_may_do(api: Api, role: str, pushes: bool, deletes: bool) -> None:  # noqa: FBT001
    project = api.project()
    artifact_of(api, project, "app", "v1")
    browser = Browser(api).sign_in(api.member(project, role))
    page = browser.read(f"/projects/{project}/repositories/app")
    assert (f"/projects/{project}/push-commands?repository=app" in page.links()) is pushes
    assert (f"/projects/{project}/describe-repository/app" in page.links()) is pushes
    assert (f"/projects/{project}/delete-repository/app" in page.links()) is deletes
    assert (any("data-choose" in box for box in page.all("input"))) is deletes
    statuses = [
        browser.get(f"/projects/{project}/{act}").status_code
        for act in ("push-commands", "delete-repository/app", "delete-artifacts/app?digest=sha256:" + "0" * 64)
    ]
    assert statuses == [200 if pushes else 403, *[200 if deletes else 403] * 2]


def test_a_stranger_sees_a_public_repository_and_no_other(api: Api) -> None:
    public, private = api.project(public=True), api.project()
    for project in (public, private):
        artifact_of(api, project, "app", "v1")
    stranger, outsider = Browser(api), Browser(api).sign_in(api.user())
    page = stranger.read(f"/projects/{public}/repositories/app")
    assert f"docker pull registry.test/{public}/app:v1" in copies(page)
    assert not {link for link in page.links() if "delete" in link or "push-commands" in link}
    assert not [each for each in page.all("section") if "data-live" in each]
    assert stranger.get(f"/projects/{private}/repositories/app").status_code == 303
    assert outsider.get(f"/projects/{private}/repositories/app").status_code == 403
    assert outsider.get("/projects/none/repositories/app").status_code == 403


def test_the_page_follows_what_happens_in_its_repository(api: Api, admin: Browser) -> None:
    project = api.project()
    artifact_of(api, project, "a/b", "v1")
    [live] = [each["data-live"] for each in admin.read(f"/projects/{project}/repositories/a/b").all("section")
              if "data-live" in each]  # fmt: skip
    assert live.startswith(f"project={project}&repository={project}/a/b&type=breakwater.artifact.pushed.v1")
    for kind in ("artifact.deleted", "tag.deleted", "label.attached"):
        assert f"type=breakwater.{kind}.v1" in live


@pytest.mark.parametrize("rest", ["none", "none/at/all"])
def test_a_repository_that_is_missing_has_a_page_that_leads_on(api: Api, admin: Browser, rest: str) -> None:
    project = api.project()
    answer = admin.get(f"/projects/{project}/repositories/{rest}")
    assert answer.status_code == 404
    assert "There is no such repository" in Reading(answer.text).text
    assert f"/projects/{project}" in Reading(answer.text).links()
    assert admin.get(f"/projects/{project}/repositories/{rest}", part="list").text.lstrip().startswith("<section")


@pytest.mark.parametrize("rest", ["A", "..", "a%27b", "a/", "%00"])
def test_a_name_that_is_none_is_told_on_a_page(api: Api, admin: Browser, rest: str) -> None:
    answer = admin.get(f"/projects/{api.project()}/repositories/{rest}")
    assert answer.status_code in {400, 404}
    assert answer.headers["content-type"].startswith("text/html")


def test_an_empty_repository_tells_how_to_fill_it_to_whoever_may(api: Api, admin: Browser) -> None:
    project = api.project()
    digest = artifact_of(api, project, "app")
    with api.database.superuser() as connection:
        connection.execute("DELETE FROM core.artifacts WHERE digest = %s", (digest,))
    guest = Browser(api).sign_in(api.member(project, "guest"))
    path = f"/projects/{project}/repositories/app"
    assert f"docker push registry.test/{project}/app:TAG" in copies(admin.read(path))
    assert "does not allow you to push" in guest.read(path).text


# --- its description


def test_a_description_is_kept_and_shown_as_it_was_typed(api: Api) -> None:
    project = api.project()
    artifact_of(api, project, "a/b")
    developer = Browser(api).sign_in(api.member(project, "developer"))
    path = f"/projects/{project}/describe-repository/a/b"
    answer = developer.post(path, {"description": f"first\r\n{HOSTILE}"})
    assert "The description is kept." in Reading(answer.text).text
    assert HOSTILE in Reading(answer.text).text
    assert "<script>alert" not in answer.text + developer.get(path).text + developer.get(f"/projects/{project}").text
    assert api.get(f"/projects/{project}/repositories/a%252Fb").json["description"] == f"first\n{HOSTILE}"


def test_a_description_that_is_refused_is_shown_again_and_not_kept(api: Api, admin: Browser) -> None:
    project = api.project()
    artifact_of(api, project, "app")
    path, text = f"/projects/{project}/describe-repository/app", HOSTILE + "x" * 200_000
    answer = admin.post(path, {"description": text})
    guest = Browser(api).sign_in(api.member(project, "guest"))
    refused = guest.post(path, {"description": "of a guest"})
    assert refused.status_code == 403
    assert "of a guest" in Reading(refused.text).text
    assert answer.status_code in {400, 413, 422}
    assert api.get(f"/projects/{project}/repositories/app").json["description"] == ""


# --- pushing


def test_push_commands_name_this_registry_and_whoever_asks(api: Api) -> None:
    project = api.project()
    developer = api.member(project, "developer")
    found = copies(Browser(api).sign_in(developer).read(f"/projects/{project}/push-commands"))
    assert f"docker login -u {developer.name} registry.test" in found
    assert f"docker push registry.test/{project}/IMAGE:TAG" in found
    assert f"podman push --tls-verify=false registry.test/{project}/IMAGE:TAG" in found
    assert any(each.startswith("skopeo copy --all --dest-tls-verify=false docker://") for each in found)


@pytest.mark.parametrize("rest", ["app; rm -rf ~", "$(id)", "../other", HOSTILE])
def test_a_command_to_copy_holds_nothing_that_an_address_puts_in_it(api: Api, admin: Browser, rest: str) -> None:
    project = api.project()
    answer = admin.get(f"/projects/{project}/push-commands", part="sheet")
    evil = admin.api.client.simulate_get(
        f"/projects/{project}/push-commands", params={"repository": rest}, host="registry.test",
        headers={"Cookie": f"sid={admin.cookies['sid']}", "HX-Request": "true", "HX-Target": "sheet"},
    )  # fmt: skip
    assert copies(Reading(evil.text)) == copies(Reading(answer.text))
    wanted = admin.read(f"/projects/{project}/push-commands?repository=a/b")
    assert f"docker push registry.test/{project}/a/b:TAG" in copies(wanted)


# --- before a repository is deleted


def test_deleting_a_repository_says_first_how_much_goes(api: Api, admin: Browser) -> None:
    project = api.project()
    artifact_of(api, project, "app", "v1", "v2")
    artifact_of(api, project, "app")
    page = admin.read(f"/projects/{project}/delete-repository/app")
    assert "2 artifacts with 2 tags go with it" in page.text
    assert "name" not in page.values()
    assert "Delete repository" in page.text


def test_a_large_one_is_deleted_only_when_its_name_was_typed(api: Api, admin: Browser) -> None:
    project = api.project()
    for number in range(TYPED_FROM):
        artifact_of(api, project, "app", f"v{number}")
    path = f"/projects/{project}/delete-repository/app"
    assert "name" in admin.read(path).values()
    answer = admin.post(path, {"name": HOSTILE})
    page = Reading(answer.text)
    assert answer.status_code == 422
    assert "nothing is deleted" in page.text
    assert page.values()["name"] == HOSTILE
    assert "<script>alert" not in answer.text
    assert api.get(f"/projects/{project}/repositories/app").json["artifact_count"] == TYPED_FROM


def test_an_immutable_tag_keeps_the_whole_repository_and_the_page_says_which(api: Api, admin: Browser) -> None:
    project = api.project()
    artifact_of(api, project, "app", "held-1", "free")
    api.send("POST", f"/projects/{project}/immutabletagrules", ADMIN, RULE)
    path = f"/projects/{project}/delete-repository/app"
    page = admin.read(path)
    assert "held-1" in page.text
    assert path not in page.links()
    answer = admin.post(path, {})
    assert answer.status_code == 412
    assert api.get(f"/projects/{project}/repositories/app").status_code == 200


# --- the search, and addresses where nothing is


def test_the_search_finds_what_whoever_asks_may_see(api: Api) -> None:
    member_of, other, public = api.project(), api.project(), api.project(public=True)
    for project in (member_of, other, public):
        artifact_of(api, project, "searched-for", "v1")
    caller: Caller = api.member(member_of, "guest")
    page = Browser(api).sign_in(caller).read("/search?q=SEARCHED")
    assert f"/projects/{member_of}/repositories/searched-for" in page.links()
    assert f"/projects/{public}/repositories/searched-for" in page.links()
    assert other not in page.text
    stranger = Browser(api).read("/search?q=searched-for")
    assert (public in stranger.text, member_of in stranger.text) == (True, False)
    assert f"/projects/{member_of}" in Browser(api).sign_in(caller).read(f"/search?q={member_of}").links()


def test_the_search_is_paged_and_tells_when_there_is_nothing(api: Api, admin: Browser) -> None:
    project = api.project()
    for number in range(26):
        artifact_of(api, project, f"many-finds-{number:02}", "v1")
    assert "26 repositories · page 1 of 2" in admin.read("/search?q=many-finds").text
    assert "many-finds-25" in admin.read("/search?q=many-finds&page=2").text
    nothing = admin.get("/search?q=%3Cscript%3Ealert(1)%3C/script%3E")
    assert "Nothing is called like this" in Reading(nothing.text).text
    assert "<script>alert" not in nothing.text
    assert Reading(nothing.text).values()["q"] == "<script>alert(1)</script>"
    for empty in ("/search", "/search?q=", "/search?q=~,{}"):
        assert "Type a part of a name" in admin.read(empty).text


@pytest.mark.parametrize("path", ["/nothing-here", "/projects/a/b/c/d/e", "/admin/none", "/healthy", "/v3"])
def test_an_unknown_address_is_a_page_for_a_browser_and_json_for_the_rest(api: Api, path: str) -> None:
    page = Browser(api).get(path, Accept="text/html,application/xhtml+xml,*/*;q=0.8")
    assert page.status_code == 404
    assert page.headers["content-type"].startswith("text/html")
    assert "There is nothing here" in Reading(page.text).text
    for accept in ("*/*", "application/json"):
        plain = Browser(api).get(path, Accept=accept)
        assert plain.status_code == 404
        assert plain.json["errors"][0]["code"] == "NOT_FOUND"


@pytest.mark.parametrize("path", ["/api/v2.0/none", "/v2/none", "/c/none", "/assets/none", "/metrics/none"])
def test_what_speaks_to_programs_answers_them_whatever_they_accept(api: Api, path: str) -> None:
    answer = Browser(api).get(path, Accept="text/html")
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("application/json")
