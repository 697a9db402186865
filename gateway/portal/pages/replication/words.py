"""What the API tells about replication, in the words that pages show."""

import re
from datetime import UTC, datetime
from typing import Any, Final

from gateway.portal.rendering import size

ADAPTERS: Final = {
    "harbor": "Harbor or Breakwater",
    "docker-registry": "Registry by the OCI specification",
    "docker-hub": "Docker Hub",
    "github-ghcr": "GitHub container registry",
    "gitlab": "GitLab container registry",
    "quay": "Quay",
    "aws-ecr": "Amazon ECR",
    "azure-acr": "Azure container registry",
    "google-gcr": "Google Artifact Registry",
    "jfrog-artifactory": "JFrog Artifactory",
}
OUTCOMES: Final = {
    "Succeed": ("Succeeded", "good"),
    "Failed": ("Failed", "bad"),
    "Stopped": ("Stopped", "warm"),
    "InProgress": ("Running", "sea"),
    "Pending": ("Waiting", ""),
}
"""The API's status, in words and as the kind of a badge."""
HEALTH: Final = {
    "healthy": ("Healthy", "good"),
    "unhealthy": ("Not healthy", "bad"),
    "unknown": ("Not checked yet", ""),
}
TRIGGERS: Final = {"manual": "By hand", "scheduled": "By schedule", "event_based": "On events"}

_DAILY: Final = re.compile(r"0 (\d{1,2}) (\d{1,2}) [*?] \* [*?]")
_HOURLY: Final = re.compile(r"0 (\d{1,2}) \* [*?] \* [*?]")
_NEVER: Final = "0001"


def trigger_words(policy: dict[str, Any]) -> str:
    """When a policy is carried out."""
    trigger = policy["trigger"]
    if trigger["type"] == "event_based":
        return "At each push, tag and deletion here" if policy["deletion"] else "At each push and tag here"
    if trigger["type"] == "scheduled":
        return cron_words(trigger["trigger_settings"]["cron"])
    return "By hand alone"


def cron_words(cron: str) -> str:
    """A cron expression: in words where it is a plain one."""
    daily = _DAILY.fullmatch(cron)
    if daily:
        return f"Every day at {int(daily[2]):02}:{int(daily[1]):02} UTC"
    hourly = _HOURLY.fullmatch(cron)
    if hourly:
        return f"Every hour at minute {int(hourly[1])}"
    return f"By schedule {cron} (UTC)"


def filter_words(each: dict[str, Any]) -> str:
    """A filter of a policy."""
    value, excludes = each["value"], each.get("decoration") == "excludes"
    match each["type"]:
        case "name":
            return f"repositories named {value}"
        case "tag":
            return f"tags {'other than' if excludes else 'named'} {value}"
        case "label":
            return f"artifacts {'without' if excludes else 'with'} the labels {', '.join(value)}"
        case _:
            return f"only of type {value}"


def filters_words(policy: dict[str, Any]) -> list[str]:
    """What of the source a policy is about; empty is everything."""
    return [filter_words(each) for each in policy["filters"] if each["value"]]


def destination_words(policy: dict[str, Any]) -> str:
    """Under which names artifacts arrive."""
    namespace, count = policy["dest_namespace"], policy["dest_namespace_replace_count"]
    if not namespace:
        return "The same names as at the source"
    if count == 0:
        return f"{namespace}/ before the whole name"
    if count < 0:
        return f"{namespace}/ in place of all before the last part of the name"
    return f"{namespace}/ in place of the first {'part' if count == 1 else f'{count} parts'} of the name"


class Run:
    """An execution as its page shows it: what it is doing, how fast, and how long that will take."""

    def __init__(self, shown: dict[str, Any], now: datetime) -> None:
        self.shown: Final = shown
        self.is_open: Final = shown["status"] == "InProgress"
        self.is_preparing: Final = self.is_open and shown["total"] == 0
        ended = shown["end_time"]
        until = now if ended.startswith(_NEVER) else datetime.fromisoformat(ended)
        self._seconds = max(0.0, (until - datetime.fromisoformat(shown["start_time"])).total_seconds())

    @property
    def word(self) -> str:
        """Its state."""
        return "Preparing" if self.is_preparing else OUTCOMES[self.shown["status"]][0]

    @property
    def kind(self) -> str:
        """The kind of its badge."""
        return OUTCOMES[self.shown["status"]][1]

    @property
    def duration(self) -> str:
        """How long it took, or has taken so far."""
        return duration(self._seconds) if self.is_open or self._seconds >= 1 else "less than a second"

    @property
    def ended(self) -> int:
        """How many of its tasks have ended."""
        return int(self.shown["succeed"] + self.shown["failed"] + self.shown["stopped"])

    @property
    def rate(self) -> str:
        """Bytes sent a second, over all its time; empty where nothing was sent."""
        sent = self.shown["bytes_sent"]
        return f"{size(sent / self._seconds)}/s" if sent and self._seconds else ""

    @property
    def moved(self) -> int:
        """Bytes of its artifacts that are at the target, or on the way to it."""
        return int(min(self.shown["bytes_total"], max(self.shown["bytes_done"], self.shown["bytes_sent"])))

    @property
    def remaining(self) -> str:
        """How long it will take at the pace so far; empty where that cannot be told."""
        sent, left = self.shown["bytes_sent"], self.shown["bytes_total"] - self.moved
        return duration(self._seconds * left / sent) if self.is_open and sent and left else ""


def run_of(shown: dict[str, Any]) -> Run:
    """An execution of the API, as of now."""
    return Run(shown, datetime.now(UTC))


def duration(seconds: float) -> str:
    """`42 s`, `3 min 5 s`, `2 h 10 min`."""
    whole = round(seconds)
    if whole < 60:  # noqa: PLR2004
        return f"{whole} s"
    minutes, left = divmod(whole, 60)
    if minutes < 60:  # noqa: PLR2004
        return f"{minutes} min {left} s" if left else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"
