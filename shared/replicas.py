"""How several equal processes of one part are told apart: by a number, in the names of what each has for itself."""


def numbered(name: str, number: int) -> str:
    """The name of what the part's process of this number has; the first one's is that of a process that is alone."""
    return name if number == 1 else f"{name}-{number}"
