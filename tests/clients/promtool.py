"""Prometheus's own reading of the alert rules: which of them fire where metrics have gone some way."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import pytest
import yaml

OBSERVABILITY: Final = Path(__file__).parents[2] / "compose" / "observability"
RULES: Final = OBSERVABILITY / "rules.yaml"
MINUTES: Final = 75
"""Longer than any alert waits."""


def promtool(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run it; the test is skipped where there is none."""
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("promtool is not installed: it comes with Debian's package prometheus")
    return subprocess.run([program, *words], capture_output=True, text=True, check=False, timeout=60)


def assert_fires(series: Mapping[str, str], expected: Iterable[str]) -> None:
    """Exactly these alerts fire at the end; `series` has values in promtool's notation, one a minute."""
    alerts = [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in sorted(expected)]
    firing = 'group by (alertname) (ALERTS{alertstate="firing"})'
    test = {
        "rule_files": [str(RULES)],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": name, "values": values} for name, values in series.items()],
                "promql_expr_test": [{"expr": firing, "eval_time": f"{MINUTES}m", "exp_samples": alerts}],
            }
        ],
    }
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        yaml.safe_dump(test, file)
        file.flush()
        done = promtool("test", "rules", file.name)
    assert done.returncode == 0, done.stdout + done.stderr


def constant(text: str) -> dict[str, str]:
    """A scrape's answer as series that stay as they are."""
    lines = (line for line in text.splitlines() if line and not line.startswith("#"))
    pairs = (line.rsplit(" ", 1) for line in lines)
    return {name: f"{float(value)!r}+0x{MINUTES}" for name, value in pairs if "_bucket" not in name} | {
        'up{job="breakwater"}': f"1+0x{MINUTES}"
    }
