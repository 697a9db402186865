"""Items of the configuration as fields of a form: what each is called and does, how it is typed in, and its page."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar

from gateway.core.access import require_administrator
from gateway.core.request import ApiRequest, ApiResponse
from gateway.portal.forms import Form
from gateway.portal.pages.quotas import NO_LIMIT, from_gibibytes, in_gibibytes
from gateway.portal.pages.sheets import FormPage, Visit

Configuration = Mapping[str, Mapping[str, Any]]
"""As the API shows it: by key a value, and whether it can be changed."""


class Kind(StrEnum):
    """How an item is typed in."""

    TEXT = "text"
    NUMBER = "number"
    FLAG = "flag"
    CHOICE = "choice"
    LONG = "long"
    """Several lines."""
    PASSWORD = "password"  # noqa: S105 - a kind of field
    """Never shown, and kept where it is left empty."""
    STORAGE = "storage"
    """Bytes, typed in as GiB; empty for no limit."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """One item."""

    key: str
    label: str
    hint: str = ""
    kind: Kind = Kind.TEXT
    options: tuple[tuple[str, str], ...] = ()
    numeric: bool = False
    """Whether the chosen option is a number to the API."""
    required: bool = False

    @property
    def input_type(self) -> str:
        """The type of its `input` element."""
        return {Kind.PASSWORD: "password", Kind.NUMBER: "number", Kind.STORAGE: "number"}.get(self.kind, "text")

    def attributes(self, *, shut: bool) -> dict[str, object]:
        """What else its element bears."""
        more: dict[Kind, dict[str, object]] = {
            Kind.TEXT: {"spellcheck": "false", "autocapitalize": "none"},
            Kind.STORAGE: {"min": 0, "step": "any"},
        }
        return more.get(self.kind, {}) | ({"disabled": "disabled"} if shut else {})


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """Items that belong together."""

    name: str
    title: str
    settings: tuple[Setting, ...]
    about: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class ConfigurationVisit(Visit):
    """One request to a page of the configuration, as that is when it comes."""

    configuration: Configuration


class ConfigurationPage(FormPage[ConfigurationVisit]):
    """A page of items of the configuration, which are saved together or not at all."""

    sections: ClassVar[tuple[Section, ...]]
    saved: ClassVar[str]
    """What is said when they are saved."""

    def visit(self, req: ApiRequest, resp: ApiResponse, **parts: Any) -> ConfigurationVisit:  # noqa: ANN401
        """Begin to answer. Raises Unauthorized, Forbidden, Refused."""
        require_administrator(req)
        api = self.portal.api(req)
        configuration = api.get("/configurations")
        return ConfigurationVisit(req=req, resp=resp, api=api, parts=parts, configuration=configuration)

    def first(self, visit: ConfigurationVisit) -> Form:
        """As it is."""
        return form_of(visit.configuration, self.sections)

    def values(self, visit: ConfigurationVisit, form: Form) -> dict[str, Any]:
        """The items, and which of them cannot be changed."""
        del form
        return {"sections": self.sections, "shut": closed(visit.configuration, self.sections)}

    def act(self, visit: ConfigurationVisit, form: Form) -> None:
        """Save it."""
        visit.api.send("PUT", "/configurations", self.wanted(visit, form))
        self.go(visit, visit.req.path, self.saved)

    def wanted(self, visit: ConfigurationVisit, form: Form) -> dict[str, Any]:
        """What the API takes of the form. Raises Refused, BadForm."""
        return values_of(form, self.sections, visit.configuration)


def form_of(configuration: Configuration, sections: Iterable[Section]) -> Form:
    """The form of what is so now."""
    fields = {}
    for setting in _settings(sections):
        value = configuration.get(setting.key, {}).get("value")
        fields[setting.key] = [_typed(setting, value)]
    return Form(fields)


def values_of(form: Form, sections: Iterable[Section], configuration: Configuration) -> dict[str, Any]:
    """What the API takes, of the items that can be changed. Raises Refused, BadForm."""
    return {
        setting.key: _value(setting, form)
        for setting in _settings(sections)
        if _is_open(setting, configuration) and not (setting.kind is Kind.PASSWORD and not form.raw(setting.key))
    }


def closed(configuration: Configuration, sections: Iterable[Section]) -> set[str]:
    """The items that cannot be changed."""
    return {setting.key for setting in _settings(sections) if not _is_open(setting, configuration)}


def _settings(sections: Iterable[Section]) -> Iterable[Setting]:
    return (setting for section in sections for setting in section.settings)


def _is_open(setting: Setting, configuration: Configuration) -> bool:
    return bool(configuration.get(setting.key, {"editable": True})["editable"])


def _typed(setting: Setting, value: Any) -> str:  # noqa: ANN401 - what the API shows
    if setting.kind is Kind.FLAG:
        return "on" if value else ""
    if setting.kind is Kind.STORAGE:
        return "" if value == NO_LIMIT else in_gibibytes(value)
    return "" if value is None or setting.kind is Kind.PASSWORD else str(value)


def _value(setting: Setting, form: Form) -> str | int | bool:
    match setting.kind:
        case Kind.FLAG:
            return form.flag(setting.key)
        case Kind.NUMBER:
            return form.number(setting.key)
        case Kind.STORAGE:
            return from_gibibytes(form.text(setting.key))
        case Kind.PASSWORD:
            return form.raw(setting.key)
        case Kind.CHOICE if setting.numeric:
            return form.number(setting.key)
        case _:
            return form.text(setting.key)
