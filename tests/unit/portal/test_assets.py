"""The portal's files: what is served of the folders, under which address, in which form."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import falcon
import pytest
from falcon.testing import Result, TestClient
from structlog.testing import capture_logs

from gateway.portal.assets import Assets
from shared.errors import NotFound

if TYPE_CHECKING:
    from pathlib import Path

SHEET = "body { color: canvastext }\n" * 100


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "first"
    folder.mkdir()
    folder.joinpath("own.css").write_text(SHEET)
    folder.joinpath("htmx.min.js").write_text("var htmx")
    folder.joinpath("mark.svg").write_text("<svg/>")
    folder.joinpath("installed").write_text("123 45")
    folder.joinpath("page.html").write_text("<script>")
    folder.joinpath("inner.css").mkdir()
    return folder


def ask(assets: Assets, address: str, encoding: str | None = "gzip, deflate, br") -> Result:
    app = falcon.App()
    app.add_route("/assets/{version}/{name}", assets)
    app.add_error_handler(NotFound, lambda _req, resp, _error, _params: setattr(resp, "status", 404))
    headers = {"Accept-Encoding": encoding} if encoding is not None else {}
    return TestClient(app).simulate_get(address, headers=headers)


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("own.css", "text/css; charset=utf-8"),
        ("htmx.min.js", "text/javascript; charset=utf-8"),
        ("mark.svg", "image/svg+xml"),
    ],
)
def test_file_is_kept_for_good_with_its_own_type(folder: Path, name: str, content_type: str) -> None:
    assets = Assets([folder])
    answer = ask(assets, assets.url(name))
    assert answer.status_code == 200
    assert answer.headers["content-type"] == content_type
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["vary"] == "Accept-Encoding"
    assert gzip.decompress(answer.content) == folder.joinpath(name).read_bytes()


@pytest.mark.parametrize(
    ("encoding", "compressed"),
    [
        ("gzip", True),
        ("br;q=1.0, GZIP;q=0.5", True),
        ("deflate,gzip", True),
        ("", False),
        (None, False),
        ("identity", False),
        ("br", False),
        ("gzip;q=0", False),
        ("gzip; q=0.000", False),
    ],
)
def test_file_comes_compressed_where_the_client_takes_it(folder: Path, encoding: str | None, compressed: bool) -> None:  # noqa: FBT001 - a row of the table
    assets = Assets([folder])
    answer = ask(assets, assets.url("own.css"), encoding)
    assert answer.headers.get("content-encoding") == ("gzip" if compressed else None)
    assert (gzip.decompress(answer.content) if compressed else answer.content) == SHEET.encode()
    assert int(answer.headers["content-length"]) == len(answer.content)


@pytest.mark.parametrize("name", ["page.html", "installed", "inner.css", "absent.css", "..%2Ffirst%2Fown.css", ".css"])
def test_nothing_else_in_the_folder_is_served(folder: Path, name: str) -> None:
    assets = Assets([folder])
    assert ask(assets, assets.url(name)).status_code == 404


def test_file_has_no_other_address(folder: Path) -> None:
    assets = Assets([folder])
    assert ask(assets, f"/assets/{assets.version[:-1]}x/own.css").status_code == 404


def test_change_of_any_file_changes_the_addresses_and_a_new_start_does_not(folder: Path) -> None:
    before = Assets([folder]).url("own.css")
    assert Assets([folder]).url("own.css") == before
    folder.joinpath("htmx.min.js").write_text("var htmx2")
    assert Assets([folder]).url("own.css") != before


def test_name_is_part_of_what_an_address_stands_for(folder: Path) -> None:
    before = Assets([folder]).version
    folder.joinpath("mark.svg").rename(folder / "sign.svg")
    assert Assets([folder]).version != before


def test_later_folder_outdoes_an_earlier_one(folder: Path, tmp_path: Path) -> None:
    later = tmp_path / "later"
    later.mkdir()
    later.joinpath("own.css").write_text("a {}")
    assets = Assets([folder, later])
    assert ask(assets, assets.url("own.css"), None).text == "a {}"
    assert ask(assets, assets.url("mark.svg"), None).text == "<svg/>"


def test_missing_folder_is_told_and_what_is_there_is_served(folder: Path, tmp_path: Path) -> None:
    with capture_logs() as lines:
        assets = Assets([tmp_path / "absent", folder])
    assert lines == [
        {"event": "portal.assets_missing", "log_level": "error", "folder": str(tmp_path / "absent")}
    ]
    assert ask(assets, assets.url("own.css")).status_code == 200
    assert ask(Assets([tmp_path / "absent"]), Assets([tmp_path / "absent"]).url("htmx.min.js")).status_code == 404
