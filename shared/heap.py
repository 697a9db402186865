"""Memory that a process has used while it started, and will not use again, goes back to the system."""

import ctypes
import gc


def give_back() -> None:
    """Collect garbage and return free pages of the heap; where the C library has no way to, nothing happens.

    malloc keeps what was freed for later; a part that compiled its routes once and then waits has no later.
    """
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
