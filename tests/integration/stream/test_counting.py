"""Streams are counted when they are opened or refused, and told of when the mount ends."""

from __future__ import annotations

from pathlib import Path

import requests

from tests.clients.stream import Stream
from tests.integration.conftest import Database
from tests.integration.stream.conftest import PASSWORD, World, event_mount
from tests.integration.told import told


def test_streams_are_counted_by_how_they_were_answered(database: Database, tmp_path: Path) -> None:
    world = World(database)
    name = world.user(admin=True)
    with event_mount(database, tmp_path) as url:
        with Stream(url, (name, PASSWORD)) as stream:
            assert not stream.refusal
        assert requests.get(f"{url}/api/v2.0/events/stream", timeout=10).status_code == 401
        for watching in ("/livez", "/readyz"):
            assert requests.get(f"{url}{watching}", timeout=10).status_code == 200
    figures = told(database, "events")
    assert {key[1:]: value for key, value in figures.items() if key[0] == "http_requests"} == {
        ("stream", "GET", "200"): 1, ("stream", "GET", "401"): 1,
    }
