"""`python -m compose.registryctl FILE`: the registry with its parent, by the plan in a file."""

import sys

from compose.registryctl.parent import main
from compose.registryctl.plan import read_plan

main(read_plan(sys.argv[1]))
