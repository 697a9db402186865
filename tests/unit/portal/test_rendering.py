"""Numbers and times as people read them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gateway.portal.rendering import Templates, ago, as_sentence, count, highlight, moment, percent, short_digest, size

NOW = datetime(2026, 5, 17, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("number", "shown"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1536, "1.5 KiB"), (150 * 1024, "150 KiB"), (1024**2, "1.0 MiB"),
     (5 * 1024**4, "5.0 TiB"), (2**60, "1024 PiB"), (-1, "unlimited"), (None, "unlimited")],
)  # fmt: skip
def test_sizes(number: int | None, shown: str) -> None:
    assert size(number) == shown


@pytest.mark.parametrize(
    ("at", "said"),
    [("2026-05-17T11:59:55Z", "just now"), ("2026-05-17T11:59:15Z", "45 seconds ago"),
     ("2026-05-17T11:58:59Z", "1 minute ago"), ("2026-05-17T09:00:00Z", "3 hours ago"),
     ("2026-05-16T11:00:00.123Z", "1 day ago"), ("2026-03-01T12:00:00Z", "2 months ago"),
     ("2024-01-31T12:00:00Z", "2024-01-31"), ("2026-05-17T12:05:00Z", "in 5 minutes"),
     ("0001-01-01T00:00:00.000Z", "never"), ("", "never"), (None, "never"), ("nonsense", "never")],
)  # fmt: skip
def test_how_long_ago(at: str | None, said: str) -> None:
    assert ago(at, NOW) == said


def test_a_moment_says_exactly_when_it_was() -> None:
    assert 'datetime="2026-05-17T12:00:00+00:00" title="2026-05-17 12:00:00 UTC"' in moment("2026-05-17T12:00:00Z")


@pytest.mark.parametrize(
    ("text", "wanted", "shown"),
    [("alpine", "PIN", "al<mark>pin</mark>e"), ("alpine", "", "alpine"), ("a<b>", "<b", "a<mark>&lt;b</mark>&gt;"),
     ("<i>", "zz", "&lt;i&gt;")],
)  # fmt: skip
def test_what_was_searched_for_is_marked_and_everything_is_escaped(text: str, wanted: str, shown: str) -> None:
    assert str(highlight(text, wanted)) == shown


def test_counts_shares_and_digests() -> None:
    assert (count(1, "tag"), count(0, "tag"), count(2000, "repository", "repositories")) == (
        "1 tag", "0 tags", "2,000 repositories",
    )  # fmt: skip
    assert (percent(50, 200), percent(300, 200), percent(1, -1)) == (25, 150, 0)
    assert short_digest("sha256:" + "a" * 64) == "sha256:aaaaaaaaaaaa"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("the project is gone", "The project is gone."), ("Wait.", "Wait."), ("is it gone?", "Is it gone?"), ("", ""),
        ("project_name is needed", "project_name is needed."),
    ],
)  # fmt: skip
def test_a_sentence_stands_by_itself(said: str, shown: str) -> None:
    assert as_sentence(said) == shown


def test_every_template_can_be_read() -> None:
    templates = Templates(icons={}, asset=str, highlight=highlight)
    names = templates._environment.list_templates()
    assert "base.html" in names
    for name in names:
        templates._environment.get_template(name)
