"""The events as an AsyncAPI 3 document: the topic exchange, the replay stream and the live stream."""

from typing import Any, Final

import yaml

from shared.events.catalogue import DEFINITIONS
from shared.events.docs.schemas import file_name, summary
from shared.events.event import Event
from shared.messaging.topology import EVENTS, REPLAY

_VERSION: Final = "1.0.0"
_SCHEMA_FORMAT: Final = "application/schema+json;version=draft-2020-12"


def document() -> str:
    """The document as YAML."""
    return yaml.dump(_document(), Dumper=_Plain, sort_keys=False, allow_unicode=True, width=120)


class _Plain(yaml.SafeDumper):
    """Writes what occurs twice twice: readers of AsyncAPI stumble over YAML's anchors."""

    def ignore_aliases(self, _data: object) -> bool:
        return True


def _document() -> dict[str, Any]:
    references = {_name(each): {"$ref": f"#/components/messages/{_name(each)}"} for each in DEFINITIONS}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Breakwater events",
            "version": _VERSION,
            "description": "What happens in a Breakwater registry, as CloudEvents 1.0 in structured JSON.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/cloudevents+json",
        "channels": {
            "exchange": {
                "address": "{noun}.{verb}.{project}",
                "title": f"Topic exchange {EVENTS}",
                "description": "What the relay publishes, in the order of the sequence.",
                "parameters": {
                    "noun": {"description": "What it happened to."},
                    "verb": {"description": "What happened, in the past tense."},
                    "project": {"description": "The project, or _system; it may hold dots."},
                },
                "messages": references,
                "bindings": {
                    "amqp": {
                        "is": "routingKey",
                        "exchange": {"name": EVENTS, "type": "topic", "durable": True, "autoDelete": False},
                    }
                },
            },
            "replay": {
                "address": REPLAY,
                "title": "RabbitMQ stream of the last days",
                "description": "The same messages, to be read from any place: the user consumer may read it.",
                "messages": references,
                "bindings": {"amqp": {"is": "queue", "queue": {"name": REPLAY, "durable": True, "exclusive": False}}},
            },
            "live": {
                "address": "/api/v2.0/events/stream",
                "title": "Server-Sent Events",
                "description": "What the caller may see, live or since a sequence or time.",
                "messages": references,
            },
        },
        "operations": {
            "readReplay": {"action": "receive", "channel": {"$ref": "#/channels/replay"}},
            "listen": {"action": "receive", "channel": {"$ref": "#/channels/live"}},
        },
        "components": {"messages": {_name(each): _message(each) for each in DEFINITIONS}},
    }


def _name(definition: type[Event]) -> str:
    return definition.__name__


def _message(definition: type[Event]) -> dict[str, Any]:
    return {
        "name": definition.type,
        "title": definition.__name__,
        "summary": summary(definition),
        "contentType": "application/cloudevents+json",
        "payload": {
            "schemaFormat": _SCHEMA_FORMAT,
            "schema": {"$ref": f"./schemas/{file_name(definition)}"},
        },
    }
