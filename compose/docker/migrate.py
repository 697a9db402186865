"""`python -m compose.docker.migrate`: roles, database, migrations; runs once before the parts that use the database."""

import sys

from compose.docker.site import container_site
from compose.local.database import prepare_database, settle_broker
from shared.errors import BreakwaterError

if __name__ == "__main__":
    try:
        site = container_site()
        sys.stdout.write(f"the database is at revision {prepare_database(site)}\n")
        settle_broker(site)
    except BreakwaterError as error:
        sys.exit(error.sentence)
