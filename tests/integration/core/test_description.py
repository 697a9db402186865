"""The description as it is served: to everybody, as JSON and as a page that loads nothing from outside."""

import pytest

from tests.integration.core.people import BASE, NOBODY, Api


@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        (f"{BASE}/openapi.json", "application/json"),
        ("/api/docs", "text/html; charset=utf-8"),
        ("/api/docs/page.css", "text/css; charset=utf-8"),
    ],
)
def test_the_description_is_served_to_everybody(api: Api, path: str, content_type: str) -> None:
    answer = api.get(path, NOBODY)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == content_type
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "set-cookie" not in answer.headers
    assert api.send("POST", path, NOBODY, {}).status_code == 405


def test_the_page_may_load_its_own_style_and_run_nothing(api: Api) -> None:
    policy = api.get("/api/docs", NOBODY).headers["content-security-policy"]
    assert "style-src 'self'" in policy
    assert "script-src" not in policy
    assert "unsafe" not in policy
