"""A database, a broker and a bucket outside of pods: what a pod is given of them, and how the broker is told of it."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

from compose.docker.site import HOME
from compose.local.layout import DEFINITIONS
from tests.clients import helm
from tests.clients.polling import eventually
from tests.containers.pod import IMAGES, STARTED_SECONDS, Pod
from tests.outside import OWNER_PASSWORD
from tests.servers import free_port

if TYPE_CHECKING:
    from pathlib import Path

    from tests.containers.stack import Stack
    from tests.outside import Outside
    from tests.outside_broker import OutsideBroker
    from tests.s3 import Storage

PASSWORD: Final = "First-0f-all"
TOLD: Final = f"has not been told of this instance: give it {HOME}/secrets/rabbitmq/{DEFINITIONS} of this container"


class Outsiders:
    """The three servers, and what pods are given of them."""

    def __init__(
        self, folder: Path, database: Outside, broker: OutsideBroker, bucket: Storage, values: dict[str, Any]
    ) -> None:
        """`values` are more of the chart's."""
        self.folder = folder
        self.authorities = {"database": database.ca, "broker": broker.ca}
        self.secrets = {
            "breakwater-admin/password": PASSWORD, "owner/password": OWNER_PASSWORD,
            "keys/access-key": bucket.access_key, "keys/secret-key": bucket.secret_key,
        }  # fmt: skip
        variables = database.variables() | broker.variables | bucket.variables("pod")
        # in a pod a file of authorities is no setting, and neither is a secret
        known = helm.render().containers["migrate"]["env"]
        settings: dict[str, Any] = {
            each["name"]: variables[each["name"]] for each in known if each["name"] in variables
        }
        settings["BREAKWATER_DATABASE_PORT"] = database.port
        self.rendered = helm.render({
            "images": IMAGES, "settings": settings,
            "database": {"existingSecret": "owner", "ca": {"configMap": "authorities"}},
            "broker": {"ca": {"secret": "authorities"}},
            "bucket": {"existingSecret": "keys"},
        } | values)  # fmt: skip

    def pod(self, built: Stack, number: int = 0) -> Pod:
        """One that is not started, with nothing of one before it but its claims."""
        own = self.folder / str(number)
        own.mkdir(exist_ok=True)
        pod = Pod(
            built.docker, self.rendered, folder=own, port=free_port(), secrets=self.secrets,
            name="breakwater-pod-outside", number=number, shared=self.folder,
        )  # fmt: skip
        pod.remove()
        for server, ca in self.authorities.items():
            given = own / f"given-for-{server}"
            given.mkdir()
            shutil.copyfile(ca, given / "ca.crt")
        return pod

    def start_first(self, pod: Pod, broker: OutsideBroker) -> None:
        """Its migration waits until the broker was told, by what the migration's container has."""
        definitions = self.folder / "definitions.json"
        with ThreadPoolExecutor(1) as beside:
            starting = beside.submit(pod.start)
            eventually(
                lambda: starting.done() or TOLD in pod.said("migrate"),
                within=STARTED_SECONDS, what="it asks to be made known", every=0.5,
            )
            assert not starting.done(), starting.result()
            definitions.write_text(pod.run_in("migrate", "cat", f"{HOME}/secrets/rabbitmq/{DEFINITIONS}").out)
            broker.rabbit.control("import_definitions", str(definitions))
            definitions.unlink()
            starting.result(STARTED_SECONDS)
