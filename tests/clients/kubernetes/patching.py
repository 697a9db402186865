"""How an object is changed by a patch: RFC 7386, and Kubernetes' own, which merges lists by a key of their elements.

Which lists, and by which key, stands in Kubernetes' schemas.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any, Final

VERSION: Final = "1.32"
"""Of the schemas: as kubectl's."""
_ORDER: Final = "$setElementOrder/"
_REMOVED: Final = "$deleteFromPrimitiveList/"


@cache
def _definitions() -> dict[str, Any]:
    folder = files("kubernetes_validate").joinpath("kubernetes-json-schema", f"v{VERSION}.0-local")
    found: dict[str, Any] = json.loads(folder.joinpath("_definitions.json").read_text(encoding="utf-8"))["$defs"]
    return found


def schema_of(kind: str, api_version: str) -> dict[str, Any]:
    """That of a kind of objects. Raises StopIteration where there is none."""
    group, _, version = api_version.rpartition("/")
    wanted = {"group": group, "kind": kind, "version": version}
    return next(each for each in _definitions().values() if wanted in each.get("x-kubernetes-group-version-kind", ()))


def _member(schema: dict[str, Any], name: str) -> dict[str, Any]:
    return _resolved(schema.get("properties", {}).get(name, {}))


def _resolved(schema: dict[str, Any]) -> dict[str, Any]:
    reference = schema.get("$ref")
    if not reference:
        return schema
    return schema | _definitions()[reference.rpartition("/")[2]]


def merge(base: Any, patch: Any) -> Any:  # noqa: ANN401 - JSON
    """RFC 7386."""
    if not isinstance(patch, dict):
        return patch
    result = dict(base) if isinstance(base, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merge(result.get(name), value)
    return result


def merge_strategically(base: dict[str, Any], patch: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """What Kubernetes calls a strategic merge patch."""
    if patch.get("$patch") == "replace":
        return {name: value for name, value in patch.items() if name != "$patch"}
    kept = patch.get("$retainKeys")
    result = {name: value for name, value in base.items() if kept is None or name in kept}
    for name, value in patch.items():
        if name in {"$retainKeys", "$patch"} or name.startswith(_ORDER):
            continue
        if name.startswith(_REMOVED):
            field = name.removeprefix(_REMOVED)
            result[field] = [each for each in result.get(field, ()) if each not in value]
        elif value is None:
            result.pop(name, None)
        elif isinstance(value, dict):
            below = result.get(name)
            result[name] = merge_strategically(below if isinstance(below, dict) else {}, value, _member(schema, name))
        elif isinstance(value, list) and "merge" in _member(schema, name).get("x-kubernetes-patch-strategy", ""):
            result[name] = _merge_lists(result.get(name) or [], value, _member(schema, name))
        else:
            result[name] = value
    for name, order in patch.items():
        if name.startswith(_ORDER) and (field := name.removeprefix(_ORDER)) in result:
            result[field] = _ordered(result[field], order, _member(schema, field).get("x-kubernetes-patch-merge-key"))
    return result


def _merge_lists(base: list[Any], patch: list[Any], schema: dict[str, Any]) -> list[Any]:
    key = schema.get("x-kubernetes-patch-merge-key")
    if key is None:
        return [*base, *(each for each in patch if each not in base)]
    if any(each.get("$patch") == "replace" for each in patch):
        return [each for each in patch if each.get("$patch") != "replace"]
    result = {each[key]: each for each in base}
    for each in patch:
        if each.get("$patch") == "delete":
            result.pop(each[key], None)
        else:
            result[each[key]] = merge_strategically(result.get(each[key], {}), each, _resolved(schema["items"]))
    return [*result.values()]


def _ordered(elements: list[Any], order: list[Any], key: str | None) -> list[Any]:
    names = [each[key] for each in order] if key else order
    places = {name: place for place, name in enumerate(names)}
    return sorted(elements, key=lambda each: places.get(each[key] if key else each, len(places)))
