"""A body that is too large is refused by its announced length, before a byte of it is read."""

from gateway.core.reading import MAX_BODY
from gateway.core.request import ApiRequest, ApiResponse
from shared.errors import TooLarge


class BodyLimit:
    """Holds for the API; the gate has its own limit for manifests."""

    def process_request(self, req: ApiRequest, _resp: ApiResponse) -> None:
        """Raises TooLarge."""
        if req.is_api and (req.content_length or 0) > MAX_BODY:
            raise TooLarge(f"the body is larger than {MAX_BODY} bytes")
