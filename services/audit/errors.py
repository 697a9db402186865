"""What the audit service refuses or fails at."""

from shared.errors import BreakwaterError, Unavailable, Unprocessable


class ChainKeyMissing(Unavailable):
    """The record has links, and the key that made them is gone or unreadable: a new one would break the chain.

    Events wait until it is back, as they do for a database that is away.
    """

    default = "the audit record's key is missing: put the file back from a backup"


class ChainBroken(BreakwaterError):
    """A link does not follow from the one before."""

    code = "CHAIN_BROKEN"
    default = "the audit record's chain is broken"


class PurgeRefused(Unprocessable):
    """What was asked to be purged is too young, or there is nothing so old."""

    default = "records of the last hour are not purged"
