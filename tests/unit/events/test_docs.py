"""The pages tell what the code does, and a field that was once published stays."""

import json
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
import yaml
from jsonschema import Draft202012Validator

from shared.events import Event
from shared.events.catalogue import BY_TYPE, DEFINITIONS
from shared.events.docs.__main__ import DOCS, files
from shared.events.docs.schemas import envelope_schema, field_schema
from shared.events.envelope import build
from shared.events.event import field_meanings, field_types
from tests.unit.events.samples import CONTEXT, sample

PUBLISHED = Path(__file__).with_name("published_fields.json")


def fields_of(definition: type[Event]) -> dict[str, object]:
    return {name: field_schema(hint)["type"] for name, hint in field_types(definition).items()}


@pytest.mark.parametrize("path", sorted(files()))
def test_the_page_is_what_the_code_says(path: str) -> None:
    written = (DOCS / path).read_text(encoding="utf-8")
    assert written == files()[path], "run `python -m shared.events.docs`"


def test_there_is_no_page_of_an_event_that_is_no_more() -> None:
    found = {f"events/schemas/{path.name}" for path in DOCS.glob("events/schemas/*")}
    assert found == {path for path in files() if path.startswith("events/schemas/")}


@pytest.mark.parametrize("definition", DEFINITIONS)
def test_every_event_states_what_it_and_its_fields_mean(definition: type[Event]) -> None:
    assert definition.__doc__
    assert definition.__doc__.endswith(".")
    assert all(field_meanings(definition).values())


def test_no_two_events_have_one_type() -> None:
    assert len(BY_TYPE) == len(DEFINITIONS)


@pytest.mark.parametrize("full", [True, False], ids=["full", "sparse"])
@pytest.mark.parametrize("definition", DEFINITIONS)
def test_every_event_follows_its_schema(definition: type[Event], *, full: bool) -> None:
    schema = envelope_schema(definition)
    Draft202012Validator.check_schema(schema)
    body = build(sample(definition, full=full), context=CONTEXT, event_id=uuid4(), time=datetime.now(UTC))
    Draft202012Validator(schema).validate(body | {"sequence": "12"})
    assert not Draft202012Validator(schema).is_valid(body | {"type": "other"})
    assert not Draft202012Validator(schema).is_valid(body | {"data": {}})


def test_asyncapi_names_every_event_and_its_schema_file() -> None:
    document = yaml.safe_load(files()["events/asyncapi.yaml"])
    assert document["asyncapi"] == "3.0.0"
    messages = document["components"]["messages"]
    assert {message["name"] for message in messages.values()} == set(BY_TYPE)
    for message in messages.values():
        assert (DOCS / "events" / message["payload"]["schema"]["$ref"]).is_file()
    for channel in document["channels"].values():
        assert channel["messages"].keys() == messages.keys()


@pytest.mark.parametrize("definition", DEFINITIONS)
def test_a_published_field_stays_and_a_new_one_has_a_default(definition: type[Event]) -> None:
    published = json.loads(PUBLISHED.read_text())[definition.type]
    fields = fields_of(definition)
    assert {name: fields.get(name) for name in published["fields"]} == published["fields"]
    required = envelope_schema(definition)["$defs"]["data"]["required"]
    assert sorted(required) == published["required"], "a new field needs a default, an old one keeps its own"


def test_every_published_field_is_written_down() -> None:
    published = json.loads(PUBLISHED.read_text())
    assert {each.type: fields_of(each) for each in DEFINITIONS} == {
        type_: entry["fields"] for type_, entry in published.items()
    }
