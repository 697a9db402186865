"""Events in a few words, where the other columns of their records do not say enough."""

from typing import Any

import pytest

from services.audit.domain.record import describe, event_types
from shared.events import Event
from shared.events.definitions.label import LabelAttached, LabelCreated, LabelDeleted, LabelDetached, LabelUpdated

DIGEST = f"sha256:{1:064x}"
BORNE: dict[str, Any] = {
    "label_id": 7,
    "label": "tested",
    "project": "library",
    "project_id": 1,
    "repository": "library/app",
    "digest": DIGEST,
}


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (LabelCreated(label_id=7, label="tested"), "create label tested"),
        (
            LabelUpdated(label_id=7, label="tested", project="library", project_id=1, changed=("name", "color")),
            "update label library/tested: name, color",
        ),
        (LabelDeleted(label_id=7, label="tested", project="library", project_id=1), "delete label library/tested"),
        (LabelAttached(**BORNE), f"put label tested on library/app@{DIGEST}"),
        (LabelDetached(**BORNE), f"take label tested off library/app@{DIGEST}"),
    ],
)
def test_labels_are_told_by_their_names(event: Event, words: str) -> None:
    assert describe(event) == words


def test_a_label_on_an_artifact_is_a_change() -> None:
    assert {each for each in event_types() if each.endswith("_label")} == {
        "create_label", "update_label", "delete_label",
    }  # fmt: skip
