"""What this is: versions, the certificate, keys of the keyboard, the licence."""

import tomllib
from pathlib import Path
from typing import Final

from gateway.core.request import ApiRequest, ApiResponse
from gateway.portal.portal import Page, Portal, page

KEYS: Final = (
    ("/", "Search"), ("g h", "Home"), ("g p", "Projects"), ("g r", "Replication"), ("g a", "Audit log"),
    ("g e", "Live events"), ("Esc", "Close what is open"),
)  # fmt: skip


class About(Page):
    """/about."""

    def __init__(self, portal: Portal) -> None:
        super().__init__(portal)
        self._version = _version(Path(__file__).parents[3] / "pyproject.toml")

    @page
    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """For everybody; strangers are not told versions."""
        info = self.portal.api(req).get("/systeminfo")
        self.portal.show(
            req, resp, "about.html", info=info, keys=KEYS, version=self._version, instance=str(req.instance_id)
        )


def _version(project: Path) -> str:
    """The version of the sources that run; empty where they came without that file."""
    if not project.is_file():
        return ""
    return str(tomllib.loads(project.read_text(encoding="utf-8"))["project"]["version"])
