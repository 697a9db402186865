"""`python -m compose.docker.migrate`: roles, database, migrations; runs once before the parts that use the database."""

import sys

from compose.docker.site import container_site
from compose.local.database import prepare_database
from shared.errors import BreakwaterError

if __name__ == "__main__":
    try:
        sys.stdout.write(f"the database is at revision {prepare_database(container_site())}\n")
    except BreakwaterError as error:
        sys.exit(error.sentence)
