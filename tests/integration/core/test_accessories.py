"""What is about an artifact, as the API lists it; referrers on /v2 are proven with the gate."""

from datetime import UTC, datetime

import pytest

from tests.integration.core.people import ADMIN, NOBODY, Api
from tests.integration.core.rows import accessory_of, artifact_of

COSIGN = "application/vnd.dev.cosign.artifact.sig.v1+json"
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
NOTATION = "application/vnd.cncf.notary.signature"
SBOM = "application/vnd.goharbor.harbor.sbom.v1"


def path_of(project: str, rest: str = "app") -> str:
    return f"/projects/{project}/repositories/{rest}/artifacts"


def test_an_artifact_that_nothing_is_about_has_no_accessories(api: Api) -> None:
    project = api.project(public=True)
    digest = artifact_of(api, project, "app", "v1")
    other = artifact_of(api, project, "app", "v2")
    accessory_of(api, project, "app", other)
    accessory_of(api, project, "elsewhere", digest)
    for reference in ("v1", digest):
        listed = api.get(f"{path_of(project)}/{reference}/accessories", NOBODY)
        assert (listed.status_code, listed.json, listed.headers["x-total-count"]) == (200, [], "0")
        assert "link" not in listed.headers


def test_an_accessory_tells_what_it_is_and_what_it_is_about(api: Api) -> None:
    project = api.project()
    subject = artifact_of(api, project, "a/b", "v1")
    pushed = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
    signature = accessory_of(api, project, "a/b", subject, COSIGN, size=321, pushed_at=pushed)
    path = path_of(project, "a%252Fb")
    numbers = {each["digest"]: each["id"] for each in api.get(path).json}
    shown = {
        "id": numbers[signature],
        "artifact_id": numbers[signature],
        "subject_artifact_id": numbers[subject],
        "subject_artifact_digest": subject,
        "subject_artifact_repo": f"{project}/a/b",
        "digest": signature,
        "type": "signature.cosign",
        "size": 321,
        "icon": "",
        "creation_time": "2026-03-04T05:06:07.000Z",
    }
    for reference in ("v1", subject):
        assert api.get(f"{path}/{reference}/accessories").json == [shown]
    assert api.get(f"{path}/{signature}/accessories").json == []


@pytest.mark.parametrize(
    ("artifact_type", "config_type", "kind"),
    [
        (COSIGN, "", "signature.cosign"),
        ("", COSIGN, "signature.cosign"),
        (BUNDLE, "application/vnd.oci.empty.v1+json", "signature.cosign"),
        (NOTATION, "application/vnd.oci.empty.v1+json", "signature.notation"),
        ("", NOTATION, "signature.notation"),
        (SBOM, "", "sbom.harbor"),
        ("application/spdx+json", "application/vnd.oci.empty.v1+json", "subject.accessory"),
        ("application/spdx+json", COSIGN, "subject.accessory"),
        ("", "application/vnd.oci.image.config.v1+json", "subject.accessory"),
    ],
)
def test_its_type_is_told_by_what_the_manifest_declares(
    api: Api, artifact_type: str, config_type: str, kind: str
) -> None:
    project = api.project()
    subject = artifact_of(api, project, "app", "v1")
    accessory_of(api, project, "app", subject, artifact_type, media_type=config_type)
    [shown] = api.get(f"{path_of(project)}/v1/accessories").json
    assert shown["type"] == kind


@pytest.fixture(scope="module")
def signed(api: Api) -> tuple[str, list[str]]:
    """A project with an artifact that five others are about, from the oldest to the newest."""
    project = api.project()
    subject = artifact_of(api, project, "app", "v1")
    types = (COSIGN, NOTATION, SBOM, "application/spdx+json", COSIGN)
    return project, [
        accessory_of(api, project, "app", subject, each, size=10 * n, pushed_at=datetime(2026, 1, n, tzinfo=UTC))
        for n, each in enumerate(types, start=1)
    ]


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("", [4, 3, 2, 1, 0]),
        ("sort=creation_time", [0, 1, 2, 3, 4]),
        ("sort=-size", [4, 3, 2, 1, 0]),
        ("sort=type,-creation_time", [2, 4, 0, 1, 3]),
        ("q=type=signature.cosign", [4, 0]),
        ("q=type=~signature&sort=size", [0, 1, 4]),
        ("q=type={sbom.harbor signature.notation}", [2, 1]),
        ("q=size=[20~40]", [3, 2, 1]),
        ("q=creation_time=[2026-01-04~]", [4, 3]),
        ("q=type=base", []),
        ("q=digest=sha256:none", []),
        ("q=nonsense=1", [4, 3, 2, 1, 0]),
    ],
)
def test_they_are_filtered_and_sorted(
    api: Api, signed: tuple[str, list[str]], query: str, numbers: list[int]
) -> None:
    project, digests = signed
    listed = api.get(f"{path_of(project)}/v1/accessories?{query}")
    assert [digests.index(each["digest"]) for each in listed.json] == numbers
    assert listed.headers["x-total-count"] == str(len(numbers))


def test_they_come_in_pages(api: Api, signed: tuple[str, list[str]]) -> None:
    project, digests = signed
    path = f"{path_of(project)}/v1/accessories"
    middle = api.get(f"{path}?page=2&page_size=2")
    assert [digests.index(each["digest"]) for each in middle.json] == [2, 1]
    assert middle.headers["x-total-count"] == "5"
    assert [f'rel="{which}"' in middle.headers["link"] for which in ("prev", "next")] == [True, True]
    last = api.get(f"{path}?page=3&page_size=2")
    assert [digests.index(each["digest"]) for each in last.json] == [0]
    assert 'rel="next"' not in last.headers["link"]


@pytest.mark.parametrize(
    ("query", "status"), [("page_size=101", 422), ("page=0", 422), ("q=type", 400), ("q=size=big", 400)]
)
def test_a_list_that_cannot_be_is_refused(
    api: Api, signed: tuple[str, list[str]], query: str, status: int
) -> None:
    assert api.get(f"{path_of(signed[0])}/v1/accessories?{query}").status_code == status


@pytest.mark.parametrize(
    ("reference", "status"), [("v2", 404), ("sha256:" + "0" * 64, 404), ("sha256:0", 400)]
)
def test_of_what_is_not_there_nothing_is_listed(
    api: Api, signed: tuple[str, list[str]], reference: str, status: int
) -> None:
    assert api.get(f"{path_of(signed[0])}/{reference}/accessories").status_code == status
    assert api.get(f"{path_of(signed[0], 'none')}/v1/accessories").status_code == 404


def test_of_a_private_project_members_alone_see_them(api: Api, signed: tuple[str, list[str]]) -> None:
    project, digests = signed
    path = f"{path_of(project)}/v1/accessories"
    assert len(api.get(path, api.member(project, "limitedGuest")).json) == len(digests)
    stranger = api.user()
    for caller, status in ((stranger, 403), (NOBODY, 401), (api.robot(api.project(), ("accessory", "list")), 403)):
        answer = api.get(path, caller)
        assert answer.status_code == status
        assert digests[0] not in answer.text


def test_artifacts_show_their_accessories_where_that_is_asked(api: Api, signed: tuple[str, list[str]]) -> None:
    project, digests = signed
    path = path_of(project)
    listed = api.get(f"{path}/v1/accessories").json
    assert api.get(f"{path}/v1?with_accessory=true").json["accessories"] == listed
    for place in (path, f"/projects/{project}/artifacts"):
        shown = {each["digest"]: each["accessories"] for each in api.get(f"{place}?with_accessory=true").json}
        assert shown == {listed[0]["subject_artifact_digest"]: listed, **{digest: [] for digest in digests}}
        assert all("accessories" not in each for each in api.get(place).json)
    assert "accessories" not in api.get(f"{path}/v1?with_accessory=false").json
    assert api.get(f"{path}/v1?with_accessory=perhaps").status_code == 422


def test_an_accessory_goes_with_its_row_and_is_not_told_while_its_subject_is_missing(api: Api) -> None:
    project = api.project()
    subject = artifact_of(api, project, "app", "v1")
    kept, deleted = (accessory_of(api, project, "app", subject, COSIGN) for _ in range(2))
    with api.database.superuser() as connection:
        connection.execute("DELETE FROM core.artifacts WHERE digest = %s", (deleted,))
    path = path_of(project)
    assert [each["digest"] for each in api.get(f"{path}/v1/accessories", ADMIN).json] == [kept]
    with api.database.superuser() as connection:
        connection.execute("DELETE FROM core.artifacts WHERE digest = %s", (subject,))
    assert api.get(f"{path}/{subject}/accessories").status_code == 404
    assert api.get(f"{path}/{kept}").status_code == 200
