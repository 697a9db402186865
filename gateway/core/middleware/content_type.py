"""The type of an answer: JSON where there is any, and never for an empty one.

Harbor's clients parse whatever claims to be JSON, an empty body too.
"""

import falcon

from gateway.core.request import ApiRequest, ApiResponse


class ContentTypes:
    """Needs an app whose default is another type."""

    def process_response(self, _req: ApiRequest, resp: ApiResponse, _resource: object, _succeeded: bool) -> None:  # noqa: FBT001 - Falcon's signature
        """Fill in what the resource has not set."""
        if resp.media is not None and resp.content_type is None:
            resp.content_type = falcon.MEDIA_JSON
