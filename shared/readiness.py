"""What each process is asked by whoever has started it, by the names that Kubernetes has for it."""

from typing import Final

LIVE: Final = "/livez"
"""Whether the process turns; nothing outside of it is asked."""
READY: Final = "/readyz"
"""Whether it can do its work now; told within three seconds."""
