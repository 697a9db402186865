"""What the two busiest processes do not load: each of them is held to what it needs."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize("service", ["services.webhook.service", "services.webhook.intake"])
def test_relay_and_intake_do_without_sqlalchemy(service: str) -> None:
    program = f"import sys, {service}; sys.exit('sqlalchemy' in sys.modules)"
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
