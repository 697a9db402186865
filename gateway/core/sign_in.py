"""Signing in with a name and a password, in this process, as the token mount does it."""

from gateway.core.request import ApiRequest
from shared.auth.authenticate import Accepted, Client, Credential, Reason, Rejected
from shared.auth.errors import TooManyGuesses
from shared.auth.login import Login
from shared.auth.principals import Principal


class SignIn:
    """Whoever fails is nobody in particular, and is answered as such."""

    def __init__(self, login: Login) -> None:
        self._login = login

    def __call__(self, req: ApiRequest, credential: Credential) -> Principal:
        """The caller; anonymous where the credential is wrong.

        One that was not compared may be right: whoever sends it is told to wait, and is not taken for nobody.
        Raises TooManyGuesses, Unavailable.
        """
        verdict = self.judge(req, credential)
        if isinstance(verdict, Accepted):
            return verdict.principal
        if verdict.reason is Reason.GUESSING:
            raise TooManyGuesses(verdict.retry_after)
        return Principal.anonymous()

    def judge(self, req: ApiRequest, credential: Credential) -> Accepted | Rejected:
        """Whether a credential is right. Raises Unavailable."""
        return self._login.authenticate(credential, self.client_of(req), req.now)

    def tell(self, req: ApiRequest, accepted: Accepted) -> None:
        """Have a login recorded. Raises Unavailable."""
        self._login.record.logged_in(accepted, self.client_of(req))

    def client_of(self, req: ApiRequest) -> Client:
        """Where a request comes from."""
        return Client(
            address=req.address or "",
            user_agent=req.user_agent,
            request_id=req.request_id,
            traceparent=req.get_header("traceparent"),
        )
