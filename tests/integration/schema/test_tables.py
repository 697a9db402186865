"""The tables that the code speaks of are the tables that the migrations make."""

from importlib import import_module

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import MetaData

from shared.db import engine
from tests.integration.conftest import Database

WITH_TABLES = (
    ("services.api", "metadata"),
    ("services.audit", "metadata"),
    ("services.replication", "metadata"),
    ("services.token", "metadata"),
    ("services.webhook", "metadata"),
    ("services.webhook", "webhook_metadata"),
)


@pytest.mark.parametrize(("service", "name"), WITH_TABLES)
def test_tables_of_the_code_are_those_of_the_database(database: Database, service: str, name: str) -> None:
    metadata: MetaData = getattr(import_module(f"{service}.tables"), name)
    bind = engine(database.settings("owner"))
    with bind.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "include_schemas": True,
                "include_name": lambda name, kind, _parents: kind != "schema" or name == metadata.schema,
                "include_object": lambda _object, name, kind, reflected, other: (
                    kind not in {"index", "unique_constraint"}
                    and not (kind == "table" and reflected and other is None and "_2" in name)
                ),
            },
        )
        differences = compare_metadata(context, metadata)
    bind.dispose()
    assert differences == []
