"""The first page: what needs attention, what goes on, and on a fresh system the way to the first image."""

from gateway.core.request import ApiRequest, ApiResponse
from gateway.portal.portal import Page, page


class Home(Page):
    """/."""

    @page
    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """What this is for strangers, and the state of things for everybody else."""
        self.portal.show(req, resp, "home.html")
