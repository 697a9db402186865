"""A project's metadata, limit and reserved name."""

from datetime import UTC, datetime, timedelta

import pytest

from services.api.domain.project import METADATA, check_entry, check_metadata, check_storage_limit, reserved_until
from shared.errors import BadRequest


def test_metadata_are_brought_into_one_spelling_and_unknown_names_dropped() -> None:
    given = {"public": "True", "auto_scan": "0", "severity": "High", "retention_id": "12", "owner_id": "1", "x": "y"}
    assert check_metadata(given) == {"public": "true", "auto_scan": "false", "severity": "high"}


@pytest.mark.parametrize(
    ("name", "value"),
    [("public", "yes"), ("public", ""), ("severity", "worst"), ("max_upstream_conn", "one"), ("proxy_speed_kb", "٣"),
     ("proxy_cache_filter_pattern", "x" * 256)],
)  # fmt: skip
def test_metadata_that_do_not_fit_are_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(BadRequest, match=name):
        check_metadata({name: value})


@pytest.mark.parametrize("name", METADATA)
def test_every_entry_refuses_a_value_that_is_none_of_its_own(name: str) -> None:
    with pytest.raises(BadRequest, match=name):
        check_entry(name, "line\nbreak")


@pytest.mark.parametrize("name", ["", "Public", "owner", "__class__"])
def test_an_entry_of_another_name_does_not_exist(name: str) -> None:
    with pytest.raises(BadRequest, match="no project metadata"):
        check_entry(name, "true")


@pytest.mark.parametrize("limit", [0, -2, 2**63])
def test_a_storage_limit_is_bytes_or_none(limit: int) -> None:
    with pytest.raises(BadRequest):
        check_storage_limit(limit)
    assert check_storage_limit(-1) == -1
    assert check_storage_limit(1) == 1


def test_a_name_is_reserved_until_the_last_token_has_expired() -> None:
    deleted = datetime(2026, 1, 1, tzinfo=UTC)
    until = reserved_until(deleted, token_lifetime=timedelta(minutes=5), leeway=timedelta(minutes=1))
    assert until == datetime(2026, 1, 1, 0, 6, tzinfo=UTC)
