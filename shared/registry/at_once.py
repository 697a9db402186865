"""Several reads at the same time: one after the other each would wait for its turn on a busy machine."""

from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Final, TypeVar

from shared.registry.errors import RegistryRefused

MOST: Final = 8
"""As many as a client has connections."""

Key = TypeVar("Key")
Value = TypeVar("Value")


def ask_each(ask: Callable[[Key], Value], keys: Collection[Key]) -> dict[Key, Value | RegistryRefused]:
    """What `ask` returns for each key, in their order, with a refusal in an answer's place.

    Raises what else it raises, RegistryUnavailable say; what has not been asked by then is left.
    """

    def answer(key: Key) -> Value | RegistryRefused:
        try:
            return ask(key)
        except RegistryRefused as refusal:
            return refusal

    if len(keys) <= 1:
        return {key: answer(key) for key in keys}
    with ThreadPoolExecutor(min(MOST, len(keys)), thread_name_prefix="ask") as pool:
        asked = {key: pool.submit(copy_context().run, answer, key) for key in keys}
        try:
            return {key: future.result() for key, future in asked.items()}
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
