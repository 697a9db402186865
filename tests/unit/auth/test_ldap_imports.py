"""Who has no directory does not pay for one: the library takes 4 MB in each process."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize("mount", ["gateway.core.app", "gateway.token.app", "gateway.events.app"])
def test_no_mount_reads_the_library_before_a_directory_is_asked(mount: str) -> None:
    program = f"import sys, {mount}; sys.exit('ldap3' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=60).returncode == 0
