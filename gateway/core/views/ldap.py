"""The directory's users as the API shows them."""

from gateway.core.writing import Json
from shared.auth.ldap.entries import Entry


def directory_user_view(user: Entry) -> Json:
    """A user of the directory, who need not have an account here."""
    return {"username": user.name, "realname": user.full_name, "email": user.mail}
