"""What clients send of an object: JSON, or Kubernetes' protobuf for the few kinds that helm and kubectl send so.

The numbers of fields are those of `generated.proto` in k8s.io/api and k8s.io/apimachinery. A field that is not named
here is refused, so that nothing is lost unseen.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_MAGIC: Final = b"k8s\x00"
_VARINT: Final = 0
_BYTES: Final = 2
Field = tuple[str, Any]
"""Its name, and what it holds: `text`, a map's values (`texts`, `bytes`), `skipped`, or the fields of a message."""
_METADATA: Final[Mapping[int, Field]] = {
    1: ("name", "text"), 2: ("generateName", "text"), 3: ("namespace", "text"), 4: ("selfLink", "text"),
    5: ("uid", "text"), 6: ("resourceVersion", "text"), 7: ("generation", "skipped"),
    8: ("creationTimestamp", "skipped"), 11: ("labels", "texts"), 12: ("annotations", "texts"),
}  # fmt: skip
_MESSAGES: Final[Mapping[str, Mapping[int, Field]]] = {
    "Namespace": {1: ("metadata", _METADATA), 2: ("spec", "skipped"), 3: ("status", "skipped")},
    "Secret": {1: ("metadata", _METADATA), 2: ("data", "bytes"), 3: ("type", "text")},
    "ConfigMap": {1: ("metadata", _METADATA), 2: ("data", "texts")},
}
_UNKNOWN: Final[Mapping[int, Field]] = {
    1: ("type", {1: ("apiVersion", "text"), 2: ("kind", "text")}), 2: ("raw", "raw"),
    3: ("contentEncoding", "text"), 4: ("contentType", "text"),
}  # fmt: skip


def read(body: bytes) -> dict[str, Any]:
    """The object of a request. Raises KeyError for a kind or a field that is not known here."""
    if not body.startswith(_MAGIC):
        found: dict[str, Any] = json.loads(body)
        return found
    envelope = _message(body[len(_MAGIC):], _UNKNOWN)
    thing: dict[str, Any] = envelope["type"]
    return thing | _message(envelope["raw"], _MESSAGES[thing["kind"]])


def _message(content: bytes, known: Mapping[int, Field]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for number, value in _fields(content):
        name, kind = known[number]
        if isinstance(kind, dict):
            result[name] = _message(value, kind)
        elif kind in {"texts", "bytes"}:
            entry = dict(_fields(value))
            held = entry.get(2, b"")
            text = base64.b64encode(held).decode() if kind == "bytes" else held.decode()
            result.setdefault(name, {})[entry[1].decode()] = text
        elif kind == "raw":
            result[name] = value
        elif kind == "text" and value:
            result[name] = value.decode()
    return result


def _fields(content: bytes) -> Iterator[tuple[int, Any]]:
    place = 0
    while place < len(content):
        tag, place = _number(content, place)
        value, place = _number(content, place)
        if tag & 7 == _BYTES:
            yield tag >> 3, content[place:place + value]
            place += value
        else:
            assert tag & 7 == _VARINT, f"a field of the kind {tag & 7}"
            yield tag >> 3, value


def _number(content: bytes, place: int) -> tuple[int, int]:
    """A number of seven bits a byte, and where it ends."""
    value = shift = 0
    while True:
        byte = content[place]
        value |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if byte < 0x80:
            return value, place
