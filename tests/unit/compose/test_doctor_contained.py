"""The doctor of an instance in containers: what it asks there, and in which words it says what to do."""

from __future__ import annotations

import re

import pytest

from compose.local.doctor.contained import LEFT_OUT, checked_there, in_words_of_compose
from compose.local.doctor.examination import CHECKS, GROUPS
from compose.local.options import CHECKOUT

LOG = "docker compose exec -T log tail -n 50 /var/lib/breakwater/log"


@pytest.mark.parametrize(
    ("machine", "containers"),
    [
        ("./breakwater up gives every role", "docker compose up -d --force-recreate gives every role"),
        ("./breakwater down, then ./breakwater up: the broker reads", "docker compose restart: the broker reads"),
        ("./breakwater up writes it anew; then ./breakwater down and up, for", "docker compose up -d --force-recreate"),
        ("./breakwater logs --part audit", f"{LOG}/audit.log"),
        ("./breakwater logs --part relay tells why", f"{LOG}/relay.log tells why"),
        ("free some space: ./breakwater logs, old backups", "free some space: docker compose exec -T log ls"),
        ("./breakwater status shows", "docker compose ps shows"),
        ("./breakwater keys rotate", "docker compose run --rm operate keys rotate"),
        ("look at the database", "look at the database"),
    ],
)
def test_what_to_do_is_said_in_the_words_of_compose(machine: str, containers: str) -> None:
    assert in_words_of_compose(machine).startswith(containers)
    assert "./breakwater" not in in_words_of_compose(machine)


def test_what_is_not_asked_there_is_what_the_page_says() -> None:
    names = {check.name for check in CHECKS}
    assert names > LEFT_OUT
    asked = {check.name for group in checked_there(GROUPS) for check in group.checks}
    assert asked == names - LEFT_OUT
    page = (CHECKOUT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    told = re.search(r"It asks all but (.*?) which are not reached from there", page, re.DOTALL)
    assert told
    assert {*re.findall(r"`([a-z-]+)`", told[1])} == LEFT_OUT
