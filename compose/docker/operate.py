"""`python -m compose.docker.operate VERB …`: the verbs of `./breakwater` for an instance in containers.

It runs beside the containers with the secrets of all of them, and has the rights of `prepare`.
"""

from compose.cli.main import run
from compose.docker.handing import gather
from compose.docker.site import container_site
from compose.local.accounts import known_accounts
from compose.local.layout import Layout


def know_instance(layout: Layout) -> None:
    """Lay things where the verbs look for them. The home is new each time; what lasts is in the volumes below it."""
    if not layout.instance_id.is_symlink():
        layout.instance_id.symlink_to(layout.conf.joinpath(layout.instance_id.name).relative_to(layout.home))
    gather(layout, known_accounts())


def operate() -> None:
    """Run a verb and end the process with its exit code."""
    site = container_site()
    know_instance(site.layout)
    run(site)


if __name__ == "__main__":
    operate()
