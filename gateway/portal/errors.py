"""What the portal itself refuses, and what the API has refused it."""

from shared.errors import BadRequest, BreakwaterError, Forbidden


class Refused(BreakwaterError):
    """The API's refusal of what a page asked, with its own status, code and sentence."""

    def __init__(self, status: int, refusal_code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.refusal_code = refusal_code


class ForeignForm(Forbidden):
    """A form that no page of ours has sent."""

    default = "this form was not sent by a page of this portal: open the page again and repeat it"


class BadForm(BadRequest):
    """A form that cannot be read."""

    default = "the form cannot be read"
