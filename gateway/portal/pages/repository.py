"""A repository: the artifacts in it and what is said about it; and how images get into a project."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.core.request import ApiRequest, ApiResponse
from gateway.portal.api import Api, segment
from gateway.portal.errors import Refused
from gateway.portal.forms import Form
from gateway.portal.images import OpenRepository, address_of, row_of
from gateway.portal.lists import ListState, fuzzy, list_state
from gateway.portal.pages.project import ProjectPage
from gateway.portal.pages.sheets import FormPage, Visit, Visited, filled
from gateway.portal.portal import page
from shared.errors import Forbidden
from shared.names import InvalidName, RepositoryName

_MOST_LABELS = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class RepositoryVisit(Visit):
    """One request to a page about a repository."""

    repository: OpenRepository

    @property
    def home(self) -> str:
        """The repository's address."""
        return self.repository.path

    @property
    def shown(self) -> Mapping[str, Any]:
        """The repository."""
        return {"repository": self.repository}


class RepositoryPage(ProjectPage, Visited[RepositoryVisit]):
    """A page about a repository."""

    def visit(self, req: ApiRequest, resp: ApiResponse, **parts: Any) -> RepositoryVisit:  # noqa: ANN401
        """Begin to answer. Raises Refused, Unauthorized."""
        opened = self.open_repository(req, parts["project"], parts["repository"])
        return RepositoryVisit(req=req, resp=resp, api=self.portal.api(req), parts=parts, repository=opened)

    def open_repository(self, req: ApiRequest, project: str, repository: str) -> OpenRepository:
        """The repository of an address, whether it exists or not. Raises Refused, Unauthorized."""
        return OpenRepository(project=self.open(req, project), rest=repository)

    def gone(
        self, req: ApiRequest, resp: ApiResponse, refused: Refused, back: str, label: str, *, title: str
    ) -> None:
        """The page of what is not there, with the way to what is. Raises any other refusal again."""
        if refused.status != 404:  # noqa: PLR2004 - the one status that tells of this
            raise refused
        self.portal.show(
            req, resp, "gone.html", block="list", status=404, title=title, sentence=refused.sentence, back=back,
            label=label,
        )  # fmt: skip


class Artifacts(RepositoryPage):
    """/projects/{project}/repositories/{repository}."""

    @page
    def on_get(self, req: ApiRequest, resp: ApiResponse, project: str, repository: str) -> None:
        """The artifacts of a repository, found by tag, digest and label."""
        opened = self.open_repository(req, project, repository)
        state = _state(req)
        api = self.portal.api(req)
        try:
            found = api.listed(
                f"{api_path(opened)}/artifacts", page=state.page, page_size=state.page_size, sort=state.sort,
                q=_query(state), with_label=True, with_accessory=True, with_immutable_status=True,
            )  # fmt: skip
        except Refused as refused:
            title = "There is no such repository"
            self.gone(req, resp, refused, opened.project.path, "Repositories of this project", title=title)
            return
        address = address_of(req, opened.project)
        self.portal.show(
            req, resp, "repository.html", block="list", repository=opened, project=opened.project, state=state,
            rows=[row_of(artifact, address, state.search) for artifact in found.items], total=found.total,
            shown=api.get(api_path(opened)) if opened.project.allows("repository", "read") else {},
            label=_chosen_label(api, state),
            pushes=address_of(req, opened.project, to_push=True).pushes(opened.name)[0][1],
        )  # fmt: skip


class ChooseLabel(RepositoryPage):
    """/projects/{project}/choose-label/{repository}."""

    @page
    def on_get(self, req: ApiRequest, resp: ApiResponse, project: str, repository: str) -> None:
        """The labels, each a way back to the artifacts that bear it."""
        opened = self.open_repository(req, project, repository)
        labels = labels_for(self.portal.api(req), req, opened)
        self.portal.show(req, resp, "label_choose.html", state=_state(req).at(opened.path), labels=labels)


class Description(RepositoryPage, FormPage[RepositoryVisit]):
    """/projects/{project}/describe-repository/{repository}."""

    template = "repository_describe.html"

    def first(self, visit: RepositoryVisit) -> Form:
        """As it is."""
        return filled({"description": visit.api.get(api_path(visit.repository))["description"]})

    def act(self, visit: RepositoryVisit, form: Form) -> None:
        """Keep it."""
        visit.api.send("PUT", api_path(visit.repository), {"description": form.text("description")})
        self.go(visit, "", "The description is kept.")


class PushCommands(ProjectPage):
    """/projects/{project}/push-commands."""

    @page
    def on_get(self, req: ApiRequest, resp: ApiResponse, project: str) -> None:
        """The commands for each client, with this registry's address in them. Raises Forbidden."""
        opened = self.open(req, project)
        if not opened.allows("repository", "push"):
            raise Forbidden("your role in this project does not allow you to push")
        address = address_of(req, opened, to_push=True)
        pushes = address.pushes(_pushed_to(opened.name, req.text("repository").strip()))
        self.portal.show(req, resp, "push_commands.html", project=opened, address=address, pushes=pushes)


def api_path(repository: OpenRepository) -> str:
    """Where the API has a repository."""
    return f"/projects/{segment(repository.project.name)}/repositories/{segment(repository.rest)}"


def labels_for(api: Api, req: ApiRequest, repository: OpenRepository) -> list[dict[str, Any]]:
    """The labels that artifacts of a repository may bear: the project's, then those of everybody."""
    found: list[dict[str, Any]] = []
    if repository.project.allows("label", "list"):
        found += api.get("/labels", scope="p", project_id=repository.project.number, page_size=_MOST_LABELS)
    if req.caller.is_authenticated:
        found += api.get("/labels", scope="g", page_size=_MOST_LABELS)
    return found


def _pushed_to(project: str, rest: str) -> str:
    """A repository for a command to copy; what an address names and no repository can be called stays out of it."""
    try:
        return RepositoryName.parse(f"{project}/{rest}").text
    except InvalidName:
        return f"{project}/IMAGE"


def _state(req: ApiRequest) -> ListState:
    return list_state(req, sorts=("-push_time", "pull_time", "size"), filters=("tagged", "label"))


def _chosen_label(api: Api, state: ListState) -> dict[str, Any] | None:
    label = state.filters["label"]
    return api.maybe(f"/labels/{label}") if label.isascii() and label.isdigit() else None


def _query(state: ListState) -> str:
    """What the API is asked for: a search that looks like a digest is for one."""
    label = state.filters["label"]
    terms = [
        fuzzy("digest" if state.search.startswith("sha256:") else "tags", state.search),
        {"tagged": "tags=*", "untagged": "tags=nil"}.get(state.filters["tagged"], ""),
        f"labels={label}" if label.isascii() and label.isdigit() else "",
    ]
    return ",".join(term for term in terms if term)
