"""What the catalogue keeps of a configuration."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.api.domain.attributes import ATTRIBUTES_LIMIT, image_attributes, other_attributes, storable
from shared.registry.errors import UnreadableManifest
from shared.registry.manifests import ImageConfig


def test_an_images_attributes_have_harbors_names() -> None:
    config = ImageConfig(
        architecture="arm64", os="linux", author="me", created=datetime(2026, 1, 2, tzinfo=UTC), config={"Cmd": ["x"]}
    )
    assert image_attributes(config) == {
        "architecture": "arm64", "os": "linux", "author": "me", "created": "2026-01-02T00:00:00Z",
        "config": {"Cmd": ["x"]},
    }  # fmt: skip


def test_what_is_too_long_for_a_list_is_left_out() -> None:
    config = ImageConfig(architecture="arm64", config={"Env": ["x" * ATTRIBUTES_LIMIT]})
    assert image_attributes(config) == {"architecture": "arm64", "os": "", "author": ""}
    assert other_attributes(json.dumps({"x": "y" * ATTRIBUTES_LIMIT}).encode()) == {}


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[" * 100_000])
def test_what_is_no_json_is_refused(body: bytes) -> None:
    with pytest.raises(UnreadableManifest):
        other_attributes(body)


@pytest.mark.parametrize("body", [b"[]", b"null", b'"text"'])
def test_what_is_no_object_has_no_attributes(body: bytes) -> None:
    assert other_attributes(body) == {}


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=())),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(value=values)
def test_what_is_kept_fits_a_jsonb_column(value: object) -> None:
    text = json.dumps(storable(value), allow_nan=False)
    assert "\\u0000" not in text.replace("\\\\", "")
    text.encode("utf-8")


def test_what_is_nested_too_deep_is_cut() -> None:
    value: Any = "bottom"
    for _ in range(50):
        value = [value]
    assert len(json.dumps(storable(value))) < 50
