"""`python -m compose.docker.health NAME`: exit code 0 where that part, the first process of its container, is well."""

import sys

from compose.docker.site import container_site
from compose.local.health import probes

FIRST_PROCESS = 1

if __name__ == "__main__":
    sys.exit(0 if probes(container_site())[sys.argv[1]](FIRST_PROCESS) else 1)
