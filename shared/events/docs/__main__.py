"""Writes docs/events.md and docs/events/: `python -m shared.events.docs [FOLDER]`."""

import json
import sys
from pathlib import Path

from shared.events.catalogue import DEFINITIONS
from shared.events.docs.asyncapi import document
from shared.events.docs.page import page
from shared.events.docs.schemas import envelope_schema, file_name

DOCS = Path(__file__).parents[3] / "docs"


def files() -> dict[str, str]:
    """Every generated file by its path below docs/, with its content."""
    schemas = {f"events/schemas/{file_name(each)}": envelope_schema(each) for each in DEFINITIONS}
    written = {path: json.dumps(schema, indent=2, ensure_ascii=False) + "\n" for path, schema in schemas.items()}
    return {"events.md": page(), "events/asyncapi.yaml": document(), **written}


def main(folder: Path) -> None:
    """Write the files, and take away schemas of events that are no more."""
    for stale in folder.glob("events/schemas/*.json"):
        stale.unlink()
    for path, content in files().items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else DOCS)
