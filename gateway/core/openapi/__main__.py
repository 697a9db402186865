"""Writes the description of the API as it is served: `python -m gateway.core.openapi`."""

import json
import sys

from gateway.core.docs import routes
from gateway.core.openapi.document import document
from gateway.core.resources.systeminfo import VERSION

if __name__ == "__main__":
    json.dump(document(routes(), VERSION), sys.stdout, ensure_ascii=False)
