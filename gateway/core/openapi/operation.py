"""What the description tells of an operation beside its path, method, tag and summary, which the code tells itself."""

from dataclasses import dataclass
from typing import Any, Final

from gateway.core.request import MAX_ID, MAX_PAGE, MAX_PAGE_SIZE

Schema = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Parameter:
    """A query parameter, or a header that changes what is done."""

    name: str
    meaning: str
    schema: Schema
    place: str = "query"
    required: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Operation:
    """What goes in and what comes out."""

    body: Any = None
    """The type that is read from the body."""
    answer: Any = None
    """The type of what is answered; None where the answer is empty."""
    status: int = 200
    located: bool = False
    """Whether the answer tells the new thing's path in Location."""
    parameters: tuple[Parameter, ...] = ()
    media_type: str = "application/json"
    for_strangers: bool = False
    """Whether nobody is ever refused for who he is."""

    @property
    def is_list(self) -> bool:
        """Whether it answers page by page."""
        return PAGE in self.parameters


def flag(name: str, meaning: str, *, default: bool, place: str = "query") -> Parameter:
    """A parameter that is true or false."""
    return Parameter(name=name, meaning=meaning, schema={"type": "boolean", "default": default}, place=place)


def text(name: str, meaning: str, *, required: bool = False) -> Parameter:
    """A parameter that is a text."""
    return Parameter(name=name, meaning=meaning, schema={"type": "string"}, required=required)


def number(name: str, meaning: str) -> Parameter:
    """A parameter that is the number of something."""
    return Parameter(name=name, meaning=meaning, schema={"type": "integer", "minimum": 0, "maximum": MAX_ID})


PAGE: Final = Parameter(
    name="page",
    meaning="Which page, from 1.",
    schema={"type": "integer", "minimum": 1, "maximum": MAX_PAGE, "default": 1},
)
PAGE_SIZE: Final = Parameter(
    name="page_size",
    meaning="How much at once; 0 is all of it.",
    schema={"type": "integer", "minimum": 0, "maximum": MAX_PAGE_SIZE, "default": 10},
)
Q: Final = text(
    "q", "Filters: k=v, k=~v for a part of it, k=[low~high], k={a b} for any of, k=(a b) for all of, joined by commas."
)
SORT: Final = text("sort", "Keys, joined by commas, each with a - before it to turn it around.")
LIST: Final = (PAGE, PAGE_SIZE, Q, SORT)
"""What every list takes."""

BY_NAME: Final = flag(
    "X-Is-Resource-Name", "Take a project's number in the path for its name.", default=False, place="header"
)
