"""What the registry holds in memory of a layer whose client is slow to take it: so many as that bounds, it sends."""

from __future__ import annotations

import socket
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Final

from compose.local.options import MEMORY_OF_A_DOWNLOAD
from tests.bench.bare import fresh_seed
from tests.bench.cpu import proportional_set_size
from tests.bench.figures import Figure, Side
from tests.bench.load import request
from tests.bench.transfers import FailedTransferError
from tests.clients.images import make_image

if TYPE_CHECKING:
    from tests.bench.rig import Rig

LAYER: Final = 16_000_000
CLIENTS: Final = 50
_SMALL_BUFFER: Final = 65_536
_MEGABYTE: Final = 1_000_000


def memory_of_a_layer(rig: Rig) -> Figure:
    """By many clients that ask for a layer at once, and take its beginning alone."""
    rig.say("costs: layers that are under way")
    # what the registry gives back of its last push meanwhile is as much as a few of them take
    clients = int(rig.scaled(CLIENTS, 20))
    repository = f"{rig.system.new_project()}/slow"
    image = make_image(fresh_seed(), layers=1, layer_size=LAYER)
    registry = rig.system.registry()
    if not (done := registry.push(repository, "v1", image)).ok:
        raise FailedTransferError(done.text)
    bearer = {"Authorization": f"Bearer {registry.token(f'repository:{repository}:pull')}"}
    asked = request("GET", f"/v2/{repository}/blobs/{image.layers[0].digest}", bearer)
    before = _held(rig)
    with ExitStack() as stack:
        for _ in range(clients):
            client = stack.enter_context(closing(socket.socket()))
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SMALL_BUFFER)
            client.settimeout(30)
            client.connect(rig.address)
            client.sendall(asked)
            if not client.recv(_SMALL_BUFFER // 2).startswith(b"HTTP/1.1 200 "):
                raise FailedTransferError("a layer was refused")
        each = (_held(rig) - before) / clients
    return Figure(
        name="cost of a layer under way",
        ours=Side(what="of the registry's memory", value=each / _MEGABYTE, unit="MB"),
        against=Side(what="that it is given room for", value=MEMORY_OF_A_DOWNLOAD / _MEGABYTE, unit="MB"),
        details={"taken of": f"{clients} clients at once"},
    )


def _held(rig: Rig) -> int:
    return sum(map(proportional_set_size, rig.system.pids_by_part()["registry"]))
