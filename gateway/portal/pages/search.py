"""The search of the whole portal: projects and repositories by a part of their names."""

from gateway.core.request import ApiRequest, ApiResponse
from gateway.portal.api import Listed
from gateway.portal.lists import fuzzy, list_state
from gateway.portal.portal import Page, page

PROJECTS_SHOWN = 8


class Search(Page):
    """/search?q=: the first projects, and the repositories page by page."""

    @page
    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """What whoever looks may see; nothing is asked for where nothing is."""
        state = list_state(req, sorts=("name", "-update_time", "-pull_count"))
        query, api = fuzzy("name", state.search), self.portal.api(req)
        projects = repositories = Listed(items=[], total=0)
        if query:
            repositories = api.listed(
                "/repositories", page=state.page, page_size=state.page_size, sort=state.sort, q=query
            )
            if state.page == 1:
                projects = api.listed("/projects", page_size=PROJECTS_SHOWN, sort="name", q=query)
        self.portal.show(
            req, resp, "search.html", block="list", state=state, found_for=state.search, asked=bool(query),
            projects=projects, repositories=repositories,
        )  # fmt: skip
