"""Advisory locks that several parts take, by their numbers in the database."""

from typing import Final

STORAGE_LOCK: Final = 7302030
"""On the registry's storage as a whole: exclusive for whoever takes blobs away, shared for whoever copies them."""
ROLES_LOCK: Final = 7302031
"""On the parts' roles of a server outside, for whoever settles them."""
