"""The process itself: the registry as its child, commands by a socket, and one end for all of them.

A command is a line of JSON with the credential in it, each answer is a line too. HTTP would say the same, and its
modules would double what this process holds. The connection is the command's lease: when it closes, whoever asked is
gone, and what was asked for is broken off.
"""

import hashlib
import hmac
import json
import select
import signal
import socket
import sys
import threading
from contextlib import suppress
from typing import BinaryIO

from compose.registryctl import collection
from compose.registryctl.checking import Named
from compose.registryctl.children import NotStarted, end, end_orphans, point, serve
from compose.registryctl.collection import Failed, Stand
from compose.registryctl.plan import Plan
from compose.registryctl.storage import NotRead, Stopped

END_SECONDS = 8.0
"""Less than the supervisor's patience."""
_ASK_SECONDS = 5.0
_LONGEST_LINE = 4096


class Parent:
    """Runs until it is told to end, or its registry ends by itself."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._wake, self._woken = socket.socketpair()
        self._ending = False
        self._failed = False
        self._stop = threading.Event()
        self._collecting = threading.Lock()
        self._aside = False
        """The registry is put aside: that it ends is no surprise."""

    def run(self) -> int:
        """Returns the exit code."""
        self._take_signals()
        plan = self._plan
        end_orphans()
        # a collection that was cut short has left these
        plan.flag.unlink(missing_ok=True)
        for path in (plan.control, plan.writable_socket, plan.readonly_socket):
            path.unlink(missing_ok=True)
        self._stand = Stand(writable=serve(plan.program, plan.writable), leaving=None)
        point(plan.front, plan.writable_socket)
        try:
            with socket.socket(socket.AF_UNIX) as listener:
                listener.bind(str(plan.control))
                plan.control.chmod(0o660)
                listener.listen()
                while not self._is_over():
                    ready, _, _ = select.select([listener, self._woken], [], [])
                    if self._woken in ready:
                        self._woken.recv(_LONGEST_LINE)
                    if listener in ready:
                        connection, _ = listener.accept()
                        threading.Thread(target=self._serve, args=(connection,), daemon=True).start()
        finally:
            self._stop.set()
            # a collection puts back what it has put aside; where that takes too long the supervisor ends all of us
            self._collecting.acquire(timeout=END_SECONDS)
            plan.control.unlink(missing_ok=True)
            end(*filter(None, self._stand), seconds=END_SECONDS)
        return 0 if self._ending else 1

    def _is_over(self) -> bool:
        if self._stand.leaving is not None:
            self._stand.leaving.poll()
        return self._ending or self._failed or (not self._aside and self._stand.writable.poll() is not None)

    def _take_signals(self) -> None:
        """Both only wake the loop up, which then looks."""
        for end_of in (self._wake, self._woken):
            end_of.setblocking(False)
        signal.set_wakeup_fd(self._wake.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self._end)

    def _end(self, *_: object) -> None:
        self._ending = True

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as asked, suppress(OSError):
            connection.settimeout(_ASK_SECONDS)
            answer = self._answer(connection, asked)
            _say(connection, answer)

    def _answer(self, connection: socket.socket, asked: BinaryIO) -> dict[str, object]:
        try:
            request = json.loads(asked.readline(_LONGEST_LINE))
            secret, dry_run = str(request["secret"]), request["collect"] == "dry-run"
        except (ValueError, TypeError, KeyError):
            return {"ended": "Error", "reason": "this is no command"}
        fingerprint = hashlib.sha256(secret.encode()).hexdigest()
        if not hmac.compare_digest(fingerprint, self._plan.fingerprint):
            return {"ended": "Error", "reason": "this credential commands nothing here"}
        if not self._collecting.acquire(blocking=False):
            return {"ended": "Error", "reason": "a collection is running already"}
        try:
            if self._ending:
                return {"ended": "Stopped"}
            # each collection has its own: the end of the connection before may be noticed late
            self._stop = threading.Event()
            connection.settimeout(None)
            threading.Thread(target=_watch, args=(connection, self._stop), daemon=True).start()
            return self._collect(connection, dry_run=dry_run)
        finally:
            self._collecting.release()

    def _collect(self, connection: socket.socket, *, dry_run: bool) -> dict[str, object]:
        def say(message: dict[str, object]) -> None:
            with suppress(OSError):
                _say(connection, message)

        plan, stand_in = self._plan, None
        try:
            if not dry_run:
                self._aside = True
                stand_in = collection.readonly(plan, self._stand, self._stop)
                say({"log": "pushes are refused, the registry is read-only"})
            found = collection.collect(plan, say, self._stop, dry_run=dry_run)
        except Stopped:
            answer: dict[str, object] = {"ended": "Stopped"}
        except (Failed, Named, NotRead, NotStarted, OSError) as error:
            answer = {"ended": "Error", "reason": str(error)}
        except BaseException:
            # what nobody thought of must not leave a registry that refuses pushes: the supervisor starts all anew
            self._failed = True
            self._wake.send(b"\0")
            raise
        else:
            answer = {"ended": "Success", **found}
        if self._aside:
            try:
                if stand_in is not None:
                    self._stand = collection.writable(plan, stand_in)
                plan.flag.unlink(missing_ok=True)
            except (NotStarted, OSError) as error:
                # the supervisor starts all anew
                self._failed = True
                answer = {"ended": "Error", "reason": str(error)}
            self._aside = False
            self._wake.send(b"\0")
        return answer


def _watch(connection: socket.socket, stop: threading.Event) -> None:
    """Break off when whoever asked says anything more, or is gone."""
    with suppress(OSError):
        connection.recv(1)
    stop.set()


def _say(connection: socket.socket, message: dict[str, object]) -> None:
    connection.sendall(json.dumps(message).encode() + b"\n")


def main(plan: Plan) -> None:
    """Run, and leave with the exit code."""
    sys.exit(Parent(plan).run())
