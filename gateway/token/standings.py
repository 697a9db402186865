"""One question to the database for all requests that came together: under load it is most of what a token costs.

Nobody waits for others to come: it is what comes while the loop goes round once.
"""

import asyncio
import os
from datetime import UTC, datetime
from typing import Final

from services.token.database import HotConnection
from services.token.queries import Standing, standings_of
from shared.auth.memory import Remembered

MOST: Final = 64
"""So many at once hold the event loop for a few milliseconds at most."""


class Standings:
    """Who accounts are and what they may at this moment. Belongs to one event loop.

    A question is put after it was asked here, never before: what was changed until then is seen.
    """

    def __init__(self, hot: HotConnection) -> None:
        self._hot = hot
        self._waiting: list[tuple[Remembered, list[str], asyncio.Future[Standing | None]]] = []

    async def of(self, account: Remembered, projects: list[str]) -> Standing | None:
        """An account, and its rights in some projects; None where it may not act. Raises Unavailable."""
        loop = asyncio.get_running_loop()
        if not self._waiting:
            loop.call_soon(self._gather)
        future: asyncio.Future[Standing | None] = loop.create_future()
        self._waiting.append((account, projects, future))
        return await future

    def _gather(self) -> None:
        """Let the proxy go first where it shares this core: what it brings meanwhile is asked for too."""
        os.sched_yield()
        asyncio.get_running_loop().call_soon(self._ask)

    def _ask(self) -> None:
        asked, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._ask)
        # who sends the same credential has the same entry of the memory: a fleet with one account is asked for once
        keys = [(id(account), *projects) for account, projects, _ in asked]
        questions = {key: (account, projects) for key, (account, projects, _) in zip(keys, asked, strict=True)}
        try:
            found = self._hot.ask(lambda source: standings_of(source, [*questions.values()], datetime.now(UTC)))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is for those who wait
            for _, _, future in asked:
                if not future.done():
                    future.set_exception(error)
            return
        standings = dict(zip(questions, found, strict=True))
        for key, (_, _, future) in zip(keys, asked, strict=True):
            if not future.done():
                future.set_result(standings[key])
