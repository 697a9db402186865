"""Filling in the forms of pages: with the fields that they have, and what stands in those nobody touches."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import unquote

from falcon.testing import Result

from tests.integration.core.people import ADMIN, NOBODY, Api, Caller
from tests.integration.portal.browsing import Browser

Fields = Mapping[str, str | Iterable[str]]


@dataclass
class SentForm:
    """A form as the page has it, with what it would send if nobody typed anything."""

    action: str
    method: str
    fields: list[tuple[str, str]] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    buttons: list[str] = field(default_factory=list)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: dict[str, str] = {}
        self.forms: list[SentForm] = []
        self.tags: list[str] = []
        self.words: list[str] = []
        self._form: SentForm | None = None
        self._link = self._select = self._area = ""
        self._chosen = ""
        self._options: list[str] = []
        self._button = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.tags.append(tag)
        if tag == "a" and "href" in given:
            self._link = given["href"]
            self.links.setdefault(self._link, given.get("aria-label", ""))
        elif tag == "form":
            self._form = SentForm(action=given.get("action", ""), method=given.get("method", "get"))
            self.forms.append(self._form)
        elif tag == "input" and "name" in given:
            self._input(given)
        elif tag == "select":
            self._select, self._options, self._chosen = given.get("name", ""), [], ""
        elif tag == "option" and self._select:
            self._options.append(given.get("value", ""))
            self._chosen = given.get("value", "") if "selected" in given else self._chosen
        elif tag == "textarea":
            self._area = given.get("name", "")
            self._add(self._area, "")
        elif tag == "button":
            self._button = True

    def handle_endtag(self, tag: str) -> None:
        if tag == "a":
            self._link = ""
        elif tag == "form":
            self._form = None
        elif tag == "select" and self._select:
            self._add(self._select, self._chosen or next(iter(self._options), ""))
            self._select = ""
        elif tag == "textarea":
            self._area = ""
        elif tag == "button":
            self._button = False

    def handle_data(self, data: str) -> None:
        if self._area and self._form:
            name, text = self._form.fields.pop()
            self._form.fields.append((name, text + data))
            return
        self.words.append(data)
        if self._link:
            self.links[self._link] = (self.links[self._link] + " " + data.strip()).strip()
        if self._button and self._form and data.strip():
            self._form.buttons.append(data.strip())

    def _input(self, given: dict[str, str]) -> None:
        ticked = given.get("type") not in {"checkbox", "radio"} or "checked" in given
        self._add(given["name"], given.get("value", "on"), sent=ticked)

    def _add(self, name: str, value: str, *, sent: bool = True) -> None:
        if self._form is not None and name:
            self._form.names.add(name)
            if sent:
                self._form.fields.append((name, value))


class Shown:
    """What came back."""

    def __init__(self, result: Result) -> None:
        self.result = result
        self.status = result.status_code
        self.html = result.text
        self.went_to = result.headers.get("location") or result.headers.get("hx-redirect") or ""
        reader = _Reader()
        reader.feed(result.text)
        self.links, self.forms, self.tags = reader.links, reader.forms, reader.tags
        self.words = " ".join(" ".join(reader.words).split())

    @property
    def notice(self) -> str:
        """What the next page will say was done."""
        cookie = self.result.cookies.get("notice")
        return unquote(cookie.value) if cookie else ""

    def form(self, action: str) -> SentForm:
        """The form that is sent to an address."""
        (found,) = [form for form in self.forms if form.action == action]
        return found

    def offers(self, path: str) -> bool:
        """Whether a link or a form leads to an address."""
        return path in self.links or any(form.action == path for form in self.forms)


@dataclass(frozen=True)
class Person:
    """Somebody with a browser."""

    browser: Browser

    def open(self, path: str, *, part: str | None = None) -> Shown:
        """A page, or with `part` what htmx gets for the element of this id."""
        return Shown(self.browser.get(path, part=part))

    def post(self, path: str, fields: Fields | None = None, *, part: str = "", **headers: str) -> Shown:
        """Send these fields, whatever the page has."""
        if part:
            headers |= {"HX-Request": "true", "HX-Target": part}
        values = {name: [value] if isinstance(value, str) else list(value) for name, value in (fields or {}).items()}
        return Shown(self.browser.post(path, values, follow=False, **headers))

    def fill(self, path: str, changed: Fields | None = None, *, action: str = "", part: str = "") -> Shown:
        """Open a page, and send its form with some fields changed: only those that it has."""
        page = self.open(path, part=part or None)
        assert page.status == 200, page.words
        form = page.form(action or path.partition("?")[0])
        fields: dict[str, list[str]] = {}
        for name, value in form.fields:
            fields.setdefault(name, []).append(value)
        for name, value in (changed or {}).items():
            assert name in form.names, f"{path} has no field {name}"
            fields[name] = [value] if isinstance(value, str) else list(value)
        return self.post(form.action, fields, part=part)


def person(api: Api, caller: Caller = ADMIN) -> Person:
    """Somebody who has signed in, or a stranger."""
    return Person(Browser(api) if caller is NOBODY else Browser(api).sign_in(caller))
