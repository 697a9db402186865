"""`python -m compose.registryctl.health SOCKET`: exit code 0 where a registry answers there as it does when it is well.

For a container's health check, which is asked often: a line out and a line in, without the modules that HTTP takes. A
registry whose storage fails answers 503.
"""

import socket
import sys

SECONDS = 5.0
_ASKED = b"GET /v2/ HTTP/1.1\r\nHost: registry\r\nConnection: close\r\n\r\n"
_UNAUTHORIZED = b"401"
"""What everybody is told who brings no token."""


def is_well(path: str) -> bool:
    """Whether it answers, and finds its storage."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(SECONDS)
            connection.connect(path)
            connection.sendall(_ASKED)
            with connection.makefile("rb") as answer:
                return answer.readline(100).split(maxsplit=2)[1:2] == [_UNAUTHORIZED]
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(0 if is_well(sys.argv[1]) else 1)
