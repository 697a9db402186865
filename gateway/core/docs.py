"""Writes docs/api.md, every operation that is built and every one that is not: `python -m gateway.core.docs [FILE]`."""

import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from cryptography.fernet import Fernet
from sqlalchemy import create_engine
from sqlalchemy.orm import sessionmaker

from gateway.core.catalogue import Catalogue
from gateway.core.health import HealthCheck
from gateway.core.openapi.document import document
from gateway.core.resources.systeminfo import VERSION
from gateway.core.routes import Routes, api_routes
from gateway.core.unbuilt import UNBUILT
from shared.auth.authenticate import Chain
from shared.auth.guard import GuessGuard
from shared.auth.ldap.directory import LdapDirectory
from shared.auth.login import Login
from shared.auth.memory import CredentialMemory
from shared.auth.record import LoginRecord
from shared.directory import lender
from shared.outbound import Guard, Reach
from shared.registry.client import RegistryClient
from shared.registry.tokens import SystemTokens
from shared.secrets import Sealer, Secret
from shared.settings import Settings

PAGE: Final = Path(__file__).parents[2] / "docs" / "api.md"

_INTRODUCTION: Final = """\
# The REST API

Made from the code by `python -m gateway.core.docs`.

Paths are below `/api/v2.0`. They, their parameters, bodies and answers are those of Harbor's API v2.0, so that its
clients work unchanged; a running instance describes them in full at `/api/v2.0/openapi.json` (OpenAPI 3.1) and, for
browsers, at `/api/docs`. The live event stream, `/api/v2.0/events/stream`, is on [a page of its own](events.md).
"""


def routes() -> Routes:
    """The routes with nothing behind them: only their words are read."""
    nowhere, nothing = Path("/nonexistent"), Secret("none")
    registry = RegistryClient(nowhere, SystemTokens(nowhere, "docs", nothing))
    catalogue = Catalogue(sessions=sessionmaker(), registry=registry)
    sealer = Sealer([Secret(Fernet.generate_key().decode())])
    settings, check = Settings(home=nowhere, run=nowhere), HealthCheck({"none": lambda: None})
    lend = lender(create_engine("postgresql+psycopg://"))
    ldap = LdapDirectory(lend, sealer, Guard(Reach.PRIVATE), seats=1)
    login = Login(
        lend=lend, chain=Chain([]), memory=CredentialMemory(), guard=GuessGuard(),
        record=LoginRecord(lend, UUID(int=0)), ldap=ldap,
    )  # fmt: skip
    return api_routes(settings, check, catalogue, sealer, login)


def page() -> str:
    """The whole page."""
    described = document(routes(), VERSION)
    parts = [_INTRODUCTION, "\n## Built\n"]
    for tag in described["tags"]:
        parts += [f"\n### {tag['name']}\n\n", *_table(("operation", "what it does"), _rows(described, tag["name"]))]
    parts += ["\n## Not built\n\nThese are operations of Harbor's API too, and answer 501 `NOT_IMPLEMENTED`.\n\n"]
    parts += _table(("path", "methods"), [(f"`{path}`", methods) for path, methods in UNBUILT.items()])
    return "".join(parts)


def _rows(described: Mapping[str, Any], tag: str) -> Iterator[tuple[str, str]]:
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            if operation["tags"] == [tag]:
                yield f"`{method.upper()} {path}`", operation["summary"]


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |\n|" + " --- |" * len(head) + "\n"
    for row in rows:
        yield "| " + " | ".join(row) + " |\n"


if __name__ == "__main__":
    (Path(sys.argv[1]) if len(sys.argv) > 1 else PAGE).write_text(page(), encoding="utf-8")
