"""The record as a file: read page by page and sent as it is read, so that its length costs no memory.

A cell that a spreadsheet would take for a formula is written as text: names in the record are chosen by anybody.
"""

import csv
import json
from collections.abc import Callable, Iterable, Iterator
from io import StringIO
from typing import Any, Final

from gateway.core.request import ApiRequest, ApiResponse
from gateway.portal.errors import Refused
from gateway.portal.pages.audit.asked import MOST_ROWS, asked_state, query_of, walk
from gateway.portal.portal import Page, Portal, page

Records = Iterator[dict[str, Any]]

COLUMNS: Final = (
    "id", "op_time", "username", "operation", "resource_type", "resource", "operation_result", "operation_description",
    "project", "repository", "digest", "tag", "client_address", "client", "request_id", "occurrences",
)  # fmt: skip
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
_CUT: Final = f"cut after {MOST_ROWS:,} records: narrow the filters for the older ones"
_BROKEN: Final = "not complete: the record could not be read to its end"


class Export(Page):
    """/audit/export.csv and /audit/export.jsonl."""

    def __init__(self, portal: Portal, *, kind: str) -> None:
        super().__init__(portal)
        self._kind = kind

    @page
    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """What the filters of the address leave, newest first."""
        records = walk(self.portal.api(req), query_of(asked_state(req)))
        write, resp.content_type = _KINDS[self._kind]
        resp.set_header("Content-Disposition", f'attachment; filename="audit-{req.now:%Y-%m-%d}.{self._kind}"')
        resp.set_header("Cache-Control", "no-store")
        resp.stream = write(_noted(records))


def defused(value: object) -> str:
    """A cell that no spreadsheet computes."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _noted(records: Records) -> Records:
    """The records; last, where there are more of them or reading failed, a note that says so."""
    try:
        for number, record in enumerate(records):
            if number == MOST_ROWS:
                yield {"note": _CUT}
                return
            yield record
    except Refused:
        yield {"note": _BROKEN}


def _csv(records: Records) -> Iterator[bytes]:
    yield _line(COLUMNS)
    for record in records:
        yield _line((record["note"],)) if "note" in record else _line([record.get(name) for name in COLUMNS])


def _line(cells: Iterable[object]) -> bytes:
    buffer = StringIO()
    csv.writer(buffer).writerow([defused(cell) for cell in cells])
    return buffer.getvalue().encode()


def _lines(records: Records) -> Iterator[bytes]:
    for record in records:
        yield json.dumps(record, ensure_ascii=False).encode() + b"\n"


_KINDS: Final[dict[str, tuple[Callable[[Records], Iterator[bytes]], str]]] = {
    "csv": (_csv, "text/csv; charset=utf-8"),
    "jsonl": (_lines, "application/jsonl; charset=utf-8"),
}
