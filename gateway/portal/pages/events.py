"""Live events: the page that listens to the stream; the browser does the listening."""

from typing import Final
from urllib.parse import urlencode

from gateway.core.request import ApiRequest, ApiResponse
from gateway.portal.lists import list_state
from gateway.portal.portal import Page, page
from shared.errors import Unauthorized
from shared.events.catalogue import BY_TYPE, DEFINITIONS

STREAM: Final = "/api/v2.0/events/stream"
REPLAYS: Final = (("", "From now on"), ("5", "The last 5 minutes too"), ("60", "The last hour too"))
_NOUNS: Final = tuple(sorted({each.noun for each in DEFINITIONS}))
_SHORT: Final = tuple(sorted(f"{each.noun}.{each.verb}" for each in DEFINITIONS))


class Events(Page):
    """/events."""

    @page
    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """The stream with the filters of the address. Raises Unauthorized."""
        if not req.caller.is_authenticated:
            raise Unauthorized
        state = list_state(req, sorts=("",), filters=("type", "project", "repository", "replay"))
        wanted = {name: state.filters[name] for name in ("type", "project", "repository") if state.filters[name]}
        if wanted.get("type") not in {*_NOUNS, *_SHORT}:
            wanted.pop("type", None)
        self.portal.show(
            req, resp, "events.html", state=state, stream=f"{STREAM}?{urlencode(wanted)}", types=" ".join(BY_TYPE),
            choices=_choices(), replays=REPLAYS,
            replay=state.filters["replay"] if state.filters["replay"] in dict(REPLAYS) else "",
        )  # fmt: skip


def _choices() -> list[tuple[str, str]]:
    """Every type, each kind of thing with all that happens to it first."""
    choices = [("", "Every event")]
    for noun in _NOUNS:
        choices.append((noun, f"{noun.replace('_', ' ').capitalize()}: everything"))
        own = [name for name in _SHORT if name.partition(".")[0] == noun]
        choices += [(name, name.replace(".", " ").replace("_", " ").capitalize()) for name in own]
    return choices
