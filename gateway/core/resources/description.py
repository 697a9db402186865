"""The API's own description: /openapi.json for programs, /api/docs for people. Nobody has to sign in for it."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Final

from gateway.core.openapi import page
from gateway.core.request import ApiRequest, ApiResponse
from shared import logging
from shared.errors import Unavailable

_DAY: Final = "public, max-age=86400"
_CODE: Final = Path(__file__).parents[3]
_PATIENCE_SECONDS: Final = 30


class Description:
    """The document, made when it is first asked for.

    It is made of docstrings, and by much that nothing else needs: so by a process of its own. This one may run without
    docstrings, and holds nothing of it but the answers.
    """

    def __init__(self) -> None:
        self._making = threading.Lock()
        self._made: tuple[bytes, bytes] | None = None

    def json(self) -> bytes:
        """The document as it is answered. Raises Unavailable."""
        return self._answers()[0]

    def page(self) -> bytes:
        """The document as a page. Raises Unavailable."""
        return self._answers()[1]

    def _answers(self) -> tuple[bytes, bytes]:
        with self._making:
            if self._made is None:
                document = _document()
                self._made = document, page.page(json.loads(document))
            return self._made


def _document() -> bytes:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONOPTIMIZE"}
    command = [sys.executable, "-m", "gateway.core.openapi"]
    try:
        made = subprocess.run(
            command, cwd=_CODE, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=True,
            timeout=_PATIENCE_SECONDS,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", None) or b""
        logging.get().error("description_not_made", reason=str(error), last=said.decode(errors="replace")[-500:])
        raise Unavailable("the description cannot be made right now: try again in a moment") from error
    return made.stdout


class OpenApi:
    """/openapi.json."""

    def __init__(self, description: Description) -> None:
        self._description = description

    def on_get(self, _req: ApiRequest, resp: ApiResponse) -> None:
        """Describe what is built."""
        resp.content_type = "application/json"
        resp.data = self._description.json()


class Docs:
    """/api/docs."""

    def __init__(self, description: Description) -> None:
        self._description = description

    def on_get(self, _req: ApiRequest, resp: ApiResponse) -> None:
        """The same in words."""
        resp.content_type = "text/html; charset=utf-8"
        resp.set_header("Content-Security-Policy", page.POLICY)
        resp.data = self._description.page()


class DocsStyle:
    """/api/docs/page.css."""

    def __init__(self) -> None:
        self._sheet = page.style()

    def on_get(self, _req: ApiRequest, resp: ApiResponse) -> None:
        """How the page looks."""
        resp.content_type = "text/css; charset=utf-8"
        resp.cache_control = [_DAY]
        resp.data = self._sheet
