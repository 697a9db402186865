"""What the event stream refuses."""

from shared.errors import BreakwaterError, TooManyRequests, Unavailable


class LogTrimmed(BreakwaterError):
    """The asked events are older than the log keeps."""

    code = "GONE"
    default = "the log no longer keeps these events"


class StreamsExhausted(Unavailable):
    """As many clients listen as this process takes."""

    default = "too many clients listen to events: try again in a moment"


class TooManyStreams(TooManyRequests):
    """One account holds as many streams as it may."""

    default = "this account listens to too many event streams at once"
