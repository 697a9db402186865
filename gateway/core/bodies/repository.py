"""Bodies about repositories and tags."""

from pydantic import Field

from gateway.core.reading import Body


class RepositoryBody(Body):
    """What of a repository can be changed."""

    description: str = ""


class NewTagBody(Body):
    """A tag to be put on an artifact."""

    name: str = Field(min_length=1)
