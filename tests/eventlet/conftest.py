"""Tests under eventlet, in a pytest process of their own: the standard library is patched before anything else."""

# ruff: noqa: E402
import sys

if "psycopg" in sys.modules:
    raise RuntimeError("run tests/eventlet in a process of its own: here psycopg was imported before the patch")

from shared.messaging.runner import patch

patch()

from tests.integration.conftest import database, migrated_template, postgres_server

__all__ = ["database", "migrated_template", "postgres_server"]
