"""A session through the proxy: the cookie, the token against other sites, and who is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import requests

if TYPE_CHECKING:
    from tests.e2e.system import System

CSRF = "X-Harbor-CSRF-Token"


def test_a_browser_signs_in_works_and_signs_out(system: System) -> None:
    person = system.new_person()
    api = f"{system.url}/api/v2.0"
    with requests.Session() as browser:
        form = {"principal": person.name, "password": person.password}
        here = {"Origin": system.url}
        assert browser.post(f"{system.url}/c/login", form, headers=here, timeout=10).status_code == 200
        shown = browser.get(f"{api}/users/current", timeout=10)
        assert shown.json()["username"] == person.name
        body = {"project_name": f"of-{person.name}"}
        assert browser.post(f"{api}/projects", json=body, headers=here, timeout=10).status_code == 403
        token = here | {CSRF: shown.headers[CSRF]}
        elsewhere = token | {"Origin": "http://127.0.0.1:1"}
        assert browser.post(f"{api}/projects", json=body, headers=elsewhere, timeout=10).status_code == 403
        assert browser.post(f"{api}/projects", json=body, headers=token, timeout=10).status_code == 201
        assert browser.get(f"{system.url}/c/log_out", timeout=10).status_code == 200
        assert not browser.cookies
        assert browser.get(f"{api}/users/current", timeout=10).status_code == 401


def test_a_session_is_good_for_the_api_alone(system: System) -> None:
    person = system.new_person()
    with requests.Session() as browser:
        form = {"principal": person.name, "password": person.password}
        browser.post(f"{system.url}/c/login", form, timeout=10).raise_for_status()
        assert browser.cookies
        assert browser.get(f"{system.url}/v2/", timeout=10).status_code == 401
        asked = browser.get(f"{system.url}/auth/token?service=breakwater-registry", timeout=10)
        assert asked.status_code == 401
