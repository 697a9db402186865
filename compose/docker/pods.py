"""Several pods of one instance: that each knows of the others before it takes anything.

Who believes itself alone would collect garbage beside one that writes, and remembers blobs that another has collected.
"""

from compose.docker.site import Surroundings
from compose.local.layout import Layout
from shared.errors import ConfigurationError

NOTE = "pods"
"""In the folder that all of them share: what the first pod was told. It is there whenever another one is started."""
_ALONE, _SEVERAL = "alone\n", "several\n"


def agree(layout: Layout, around: Surroundings) -> None:
    """Let the first pod say whether it is alone, and the others start where it is not. Raises ConfigurationError."""
    name, _, number = around.pod_name.rpartition("-")
    note = layout.conf / NOTE
    if not number.isdecimal() or int(number) == 0:
        note.write_text(_SEVERAL if around.pods > 1 else _ALONE, encoding="ascii")
        return
    if int(number) >= around.pods:
        raise ConfigurationError(
            f"{around.pod_name} is one more than the {around.pods} that there are to be: set the chart's replicas"
        )
    if not note.exists() or note.read_text(encoding="ascii") != _SEVERAL:
        raise ConfigurationError(
            f"{name}-0 was started as the only pod, and does not know of this one: kubectl delete pod {name}-0, which"
            " starts it anew"
        )
