"""Forms that pages send: who sent them, and what is in them."""

from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import parse_qsl

import falcon

from gateway.core.request import ApiRequest
from gateway.portal.errors import BadForm, ForeignForm
from shared.errors import TooLarge

_MOST: Final = 256 * 1024
_FIELDS: Final = 2000


class Form:
    """The fields of a form; whatever was not sent is empty."""

    def __init__(self, fields: Mapping[str, list[str]] | None = None) -> None:
        self._fields = dict(fields or {})

    def __contains__(self, name: str) -> bool:
        return name in self._fields

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __or__(self, other: "Form") -> "Form":
        """The fields of both; where both have one it is the other's."""
        return Form(self._fields | other._fields)

    def text(self, name: str, default: str = "") -> str:
        """A field without the space around it."""
        return self._fields.get(name, [default])[-1].strip()

    def raw(self, name: str) -> str:
        """A field as it was typed: a password."""
        return self._fields.get(name, [""])[-1]

    def all(self, name: str) -> list[str]:
        """Every value of a field that may come several times."""
        return list(self._fields.get(name, ()))

    def flag(self, name: str) -> bool:
        """Whether a box is ticked."""
        return bool(self.text(name))

    def number(self, name: str, default: int = 0) -> int:
        """A whole number. Raises BadForm."""
        text = self.text(name)
        if not text:
            return default
        try:
            return int(text)
        except ValueError as error:
            raise BadForm(f"{text[:40]!r} is not a whole number") from error


def read_form(req: ApiRequest) -> Form:
    """The form that a page of ours sent. Raises ForeignForm, BadForm, TooLarge.

    Browsers tell with every POST which page sent it (Origin, RFC 6454); the session's cookie is SameSite=Strict too.
    """
    if req.get_header("Origin") is None or req.is_from_elsewhere:
        raise ForeignForm
    if (req.content_type or "").partition(";")[0].strip().lower() != falcon.MEDIA_URLENCODED:
        raise BadForm
    body = req.bounded_stream.read(_MOST + 1)
    if len(body) > _MOST:
        raise TooLarge(f"the form is longer than {_MOST} bytes")
    fields: dict[str, list[str]] = {}
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_FIELDS)
    except ValueError as error:
        raise BadForm from error
    for name, value in pairs:
        if "\0" in value:
            raise BadForm("a field holds a NUL character")
        fields.setdefault(name, []).append(value.replace("\r\n", "\n"))
    return Form(fields)
