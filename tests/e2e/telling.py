"""When a test fails, the complaints of the instances it ran against stand in its report: they are gone afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

    from tests.e2e.system import System

LIVE: Final[list[System]] = []
"""The instances that this process has started and not ended yet."""
BEFORE_SECONDS: Final = 60
"""What was said before the test began may have caused what it saw."""
MOST_LINES: Final = 60
EVERYDAY: Final = ("error authorizing context", "response completed with error")
"""What the registry says of each challenge and of each blob that it is asked for and lacks."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None],  # noqa: ARG001 - pytest names it
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        for system in LIVE:
            report.sections.append((f"complaints of {system.url}", complaints(system, call.duration)))
    return report


def complaints(system: System, seconds: float) -> str:
    """The warnings and errors of an instance's parts, from a minute before the last `seconds` on."""
    told = system.breakwater("logs", "--level", "warning", "--since", f"{int(seconds) + BEFORE_SECONDS}s")
    lines = [line for line in (told.out + told.err).splitlines() if not any(each in line for each in EVERYDAY)]
    left_out = len(lines) - MOST_LINES
    return "\n".join(([f"… {left_out} lines before these"] if left_out > 0 else []) + lines[-MOST_LINES:])
