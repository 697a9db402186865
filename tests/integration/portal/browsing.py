"""A browser without scripts: keeps cookies, follows redirects, reads what a page says and offers, sends its forms."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.cookies import SimpleCookie
from urllib.parse import urlencode

from falcon.testing import Result

from tests.integration.core.people import Api, Caller

HOST = "registry.test"
ORIGIN = f"http://{HOST}"
FORM = "application/x-www-form-urlencoded"
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
"""What every free text of a page has to show as it is."""
_INLINE = frozenset({"mark", "code", "strong", "em", "b"})
Fields = Mapping[str, str | Sequence[str]]


class Reading(HTMLParser):
    """The visible words of a page, and its elements with their attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.elements: list[tuple[str, dict[str, str]]] = []
        self._quiet = 0
        self.feed(html)

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())

    def all(self, tag: str) -> Iterator[dict[str, str]]:
        """The attributes of each element of a kind."""
        return (attributes for name, attributes in self.elements if name == tag)

    def links(self) -> set[str]:
        """Every address that the page offers, of forms as well."""
        found = {attributes["href"] for attributes in self.all("a") if "href" in attributes}
        return found | {attributes["action"] for attributes in self.all("form") if "action" in attributes}

    def values(self) -> dict[str, str]:
        """What stands in the fields of the page, by their names; of boxes those that are ticked."""
        return {
            attributes["name"]: attributes.get("value", "")
            for attributes in self.all("input")
            if "name" in attributes and (attributes.get("type") not in ("checkbox", "radio") or "checked" in attributes)
        }

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        self._part(tag)
        if tag in ("script", "style"):
            self._quiet += 1

    def handle_endtag(self, tag: str) -> None:
        self._part(tag)
        if tag in ("script", "style"):
            self._quiet -= 1

    def handle_data(self, data: str) -> None:
        if not self._quiet:
            self.words.append(data)

    def _part(self, tag: str) -> None:
        if tag not in _INLINE:
            self.words.append(" ")


@dataclass
class Browser:
    """One person at the portal; nobody in particular until `sign_in`."""

    api: Api
    cookies: dict[str, str] = field(default_factory=dict)

    def sign_in(self, caller: Caller) -> Browser:
        answer = self.post("/sign-in", {"principal": caller.name, "password": caller.password}, follow=False)
        assert answer.status_code == 303, answer.text
        return self

    def get(self, path: str, *, part: str | None = None, **headers: str) -> Result:
        """A page; only a part of it where `part` is the id of what htmx is to exchange."""
        if part is not None:
            headers |= {"HX-Request": "true", "HX-Target": part}
        return self._send("GET", path, headers=headers)

    def read(self, path: str) -> Reading:
        """What a page shows, which must be there."""
        answer = self.get(path)
        assert answer.status_code == 200, (answer.status_code, path, answer.headers.get("location"), answer.text[-800:])
        return Reading(answer.text)

    def post(self, path: str, fields: Fields, *, follow: bool = True, **headers: str) -> Result:
        """Send a form as a page of ours does; with `follow` the page that it leads to is the answer."""
        body = urlencode(fields, doseq=True)
        answer = self._send("POST", path, body=body, headers={"Content-Type": FORM, "Origin": ORIGIN, **headers})
        if follow and answer.status_code == 303:
            return self.get(answer.headers["location"])
        return answer

    def _send(self, method: str, path: str, *, headers: Mapping[str, str], body: str | None = None) -> Result:
        kept = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        cookies = {"Cookie": kept} if kept else {}
        path, _, query = path.partition("?")
        answer = self.api.client.simulate_request(
            method, path, query_string=query, body=body, host=HOST, headers={**cookies, **headers},
        )  # fmt: skip
        for name, cookie in answer.cookies.items():
            if cookie.value and cookie.max_age != 0:
                self.cookies[name] = cookie.value
            else:
                self.cookies.pop(name, None)
        return answer


def cookie_of(answer: Result) -> SimpleCookie:
    """The cookies that an answer sets, with all that is said of them."""
    return SimpleCookie(answer.headers.get("set-cookie", ""))
