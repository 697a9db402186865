"""What a list shows is in its address: page, order and search, so that back, reload and a sent link keep them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Generic, TypeVar
from urllib.parse import quote, urlencode

from gateway.core.request import ApiRequest

T = TypeVar("T")

PAGE_SIZE: Final = 25
_MOST_PAGES: Final = 999_999


@dataclass(frozen=True, kw_only=True, slots=True)
class ListState:
    """Page, order and filters as an address has them."""

    path: str
    page: int
    sort: str
    search: str
    filters: Mapping[str, str]
    page_size: int = PAGE_SIZE

    def url(self, **changed: object) -> str:
        """The address of this list with something changed; whatever changes but the page leads back to the first."""
        given: dict[str, Any] = {"q": self.search, "sort": self.sort, **self.filters, "page": self.page}
        if "page" not in changed:
            given["page"] = 1
        given |= changed
        if given["page"] == 1:
            del given["page"]
        query = urlencode({name: value for name, value in given.items() if value not in ("", None)})
        return f"{self.path}?{query}" if query else self.path

    def at(self, path: str) -> "ListState":
        """The same list seen from another address."""
        return replace(self, path=path)

    def order_url(self, field: str) -> str:
        """The address sorted by a field, or the other way round where it is already."""
        return self.url(sort=f"-{field}" if self.sort == field else field)

    def direction(self, field: str) -> str:
        """The value of `aria-sort` of a field's column."""
        return {field: "ascending", f"-{field}": "descending"}.get(self.sort, "none")

    def pages(self, total: int) -> int:
        """How many pages there are, one at least."""
        return max(1, -(-total // self.page_size))


def list_state(req: ApiRequest, *, sorts: tuple[str, ...], filters: tuple[str, ...] = ()) -> ListState:
    """What a request asks of a list; the first of `sorts` is the order where none is asked for.

    A page or an order that makes no sense is the usual one: addresses are typed by people.
    """
    sort = req.text("sort")
    return ListState(
        path=req.path,
        page=_page(req.text("page")),
        sort=sort if sort.removeprefix("-") in {each.removeprefix("-") for each in sorts} else sorts[0],
        search=req.text("q").strip(),
        filters={name: req.text(name).strip() for name in filters},
    )


def _page(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > len(str(_MOST_PAGES)):
        return 1
    return max(1, int(text))


@dataclass(frozen=True, kw_only=True, slots=True)
class Part(Generic[T]):
    """One page of a list that came whole."""

    items: Sequence[T]
    page: int
    pages: int
    total: int


def part_of(whole: Sequence[T], page: str, size: int) -> "Part[T]":
    """The page of this number; a number that makes no sense is the first, one too large the last."""
    pages = max(1, -(-len(whole) // size))
    number = min(_page(page), pages)
    return Part(items=whole[(number - 1) * size : number * size], page=number, pages=pages, total=len(whole))


def fuzzy(field: str, text: str) -> str:
    """The API's query for a field that holds a text; what has a meaning of its own in queries is left out."""
    plain = "".join(char for char in text if char not in ",~{}[]()=").strip()
    return f"{field}=~{quote(plain)}" if plain else ""
