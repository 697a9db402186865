"""Paths before routing."""

import pytest

from gateway.core.middleware.paths import normal_path
from shared.errors import BadRequest


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        ("/api/v2.0/projects", "/api/v2.0/projects"),
        ("/api/v2.0/projects/", "/api/v2.0/projects"),
        ("/api//v2.0///projects", "/api/v2.0/projects"),
        ("/api/v2.0/p/a%252Fb", "/api/v2.0/p/a%2Fb"),
        ("/api/v2.0/p/a%2Fb", "/api/v2.0/p/a%2Fb"),
        ("/api/v2.0/p/a%2fb", "/api/v2.0/p/a%2Fb"),
        ("/api/v2.0/p/sha256%3Aabc", "/api/v2.0/p/sha256:abc"),
        ("/api/v2.0/p/%2e%2e/q", "/api/v2.0/p/../q"),
    ],
)
def test_segments_are_decoded_once_and_keep_their_slashes(raw: str, path: str) -> None:
    assert normal_path(raw) == path


@pytest.mark.parametrize("raw", ["/api/%ff", "/api/a%00b", "/api/a%0d%0ab"])
def test_what_is_no_text_is_refused(raw: str) -> None:
    with pytest.raises(BadRequest):
        normal_path(raw)
