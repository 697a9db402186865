"""Where a repository goes: the target's namespace in place of some of its own first components."""

from typing import Final

from services.replication.errors import UnfitPolicy

WHOLE: Final = -1
"""All components but the last one give way to the namespace."""


def target_of(repository: str, namespace: str, replace_count: int) -> str:
    """The name at the target. Raises UnfitPolicy where the name has too few components to replace so many.

    Of `a/b/c/img` to `n`: -1 gives `n/img`, 0 `n/a/b/c/img`, 1 `n/b/c/img`, 2 `n/c/img`, 3 `n/img`.
    """
    if not namespace:
        return repository
    parts = repository.split("/")
    if replace_count == WHOLE:
        return f"{namespace}/{parts[-1]}"
    if replace_count > len(parts) - 1:
        raise UnfitPolicy(
            f"{replace_count} components of {repository} cannot be replaced: it has {len(parts) - 1} before the last"
        )
    return "/".join((namespace, *parts[replace_count:]))
