"""`python -m compose.docker.migrate`: roles, database, migrations; runs once before the parts that use the database."""

import sys
import time

from compose.docker.site import container_site
from compose.local.database import prepare_database, settle_broker
from compose.local.site import Site
from shared.errors import BreakwaterError

ASKED_AGAIN_SECONDS = 5


def await_broker(site: Site) -> None:
    """Settle which broker it is.

    In a pod, which would be started again and again, wait for one that has to be told first. Raises BreakwaterError
    elsewhere.
    """
    said = ""
    while True:
        try:
            return settle_broker(site)
        except BreakwaterError as error:
            if not site.pod:
                raise
            if error.sentence != said:
                said = error.sentence
                sys.stdout.write(f"{said}\n")
                sys.stdout.flush()
        time.sleep(ASKED_AGAIN_SECONDS)


def migrate() -> None:
    """Bring the database up to date. Raises BreakwaterError."""
    site = container_site()
    sys.stdout.write(f"the database is at revision {prepare_database(site)}\n")
    await_broker(site)


if __name__ == "__main__":
    try:
        migrate()
    except BreakwaterError as error:
        sys.exit(error.sentence)
