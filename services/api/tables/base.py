"""What all tables of the schema have in common."""

from sqlalchemy import DateTime

from shared.db import metadata_for

metadata = metadata_for("core")
moment = DateTime(timezone=True)
