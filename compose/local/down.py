"""`down`: stops all parts in an order that loses nothing, and leaves the data. `destroy` removes the data as well."""

import shutil
from contextlib import suppress

from compose.local import network, options, processes, state
from compose.local.layout import Layout
from compose.local.parts import STOP_ORDER
from compose.local.progress import Watcher
from compose.local.supervision import Supervisor, SupervisorSilent

_SECONDS = 15.0
_FILES = (options.REMEMBERED, network.PORTS, state.STATE, "instance-id", state.LOCK)


def down(layout: Layout, watcher: Watcher) -> bool:
    """Stop the instance; says whether anything ran. Raises Busy."""
    if not layout.home.exists():
        return False
    with state.exclusively(layout.home):
        return _down(layout, watcher)


def destroy(layout: Layout, watcher: Watcher) -> bool:
    """Stop the instance and remove all that it keeps; says whether there was one. Raises Busy.

    Only what an instance makes is removed: its home may hold other things, the virtual environment among them.
    """
    if not layout.instance_id.exists():
        return False
    with state.exclusively(layout.home):
        _down(layout, watcher)
        watcher.stage("removing the data")
        for folder in layout.own_folders:
            if folder.exists():
                shutil.rmtree(folder)
        for name in _FILES:
            layout.home.joinpath(name).unlink(missing_ok=True)
        with suppress(OSError):
            layout.home.rmdir()
    return True


def stop_everything(layout: Layout, supervisor: Supervisor) -> None:
    """Parts in their order, then supervisord, then what was lost on the way (epmd detaches itself)."""
    with suppress(SupervisorSilent):  # where it is killed meanwhile, its children are found without it
        there = supervisor.children()
        for together in STOP_ORDER:
            supervisor.stop([part for part in together if part in there])
        pid = supervisor.pid()
        supervisor.shut_down()
        processes.await_end([pid], seconds=_SECONDS)
    processes.stop(processes.of_instance(layout.home), seconds=_SECONDS)


def _down(layout: Layout, watcher: Watcher) -> bool:
    supervisor = Supervisor(layout)
    if supervisor.is_running():
        watcher.stage("stopping the parts")
        stop_everything(layout, supervisor)
        return True
    lost = processes.of_instance(layout.home)
    if lost:
        watcher.stage(f"stopping {len(lost)} processes that a killed supervisor left")
        processes.stop(lost, seconds=_SECONDS)
    return bool(lost)
