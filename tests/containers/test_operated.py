"""What an operator asks of the containers: how each part is, and what they do not do yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families as read_text

from compose.local.parts import SERVICES
from tests.clients.polling import eventually

if TYPE_CHECKING:
    from tests.clients.rest import RestClient
    from tests.containers.stack import Stack

# the first test waits until the images are built
pytestmark = pytest.mark.timeout(2400)


def test_a_collection_is_not_offered_here_and_ends_with_a_sentence(stack: Stack, admin: RestClient) -> None:
    assert stack
    begun = admin.must("POST", "/system/gc/schedule", json={"schedule": {"type": "Manual"}, "parameters": {}})
    number = begun.headers["Location"].rpartition("/")[2]
    eventually(
        lambda: admin.get(f"/system/gc/{number}")["job_status"] == "Error", within=60, what="the collection ends"
    )
    log = admin.must("GET", f"/system/gc/{number}/log").text
    assert "the registry's parent, which collects garbage, does not answer here" in log


def test_one_scrape_tells_of_every_part(stack: Stack, password: str) -> None:
    def told() -> bool:
        answer = requests.get(f"{stack.url}/metrics", auth=("admin", password), timeout=10)
        assert answer.ok, answer.text
        up = {
            sample.labels["part"]: sample.value
            for family in read_text(answer.text)
            for sample in family.samples
            if sample.name == "breakwater_up"
        }
        return up == dict.fromkeys((*SERVICES, "postgres", "rabbitmq", "registry", "proxy"), 1)

    eventually(told, within=60, what="every part tells of itself")
