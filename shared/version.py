"""Which version of Breakwater this is, as pyproject.toml has it: the code may run where that file is not."""

from typing import Final

VERSION: Final = "0.1.0"
