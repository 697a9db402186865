"""`restore` in containers: lays what a backup holds into the volumes of an instance that was never started.

`prepare`, which runs before all others, takes the keys from there, and `migrate` the database. While the flag of an
unfinished restore stands, `prepare` refuses to run.
"""

from pathlib import Path

from compose.docker.handing import ALONE, HANDED_OUT
from compose.local.accounts import known_accounts
from compose.local.archive import Manifest, Progress, Reader
from compose.local.layout import Layout
from compose.local.restore import Restored, begin, lay, refuse_newer, refuse_second_storage
from compose.local.site import Site
from compose.local.state import exclusively
from services.audit.key import KEY_FILE
from shared.errors import Conflict

_ANOTHER = "name another one by COMPOSE_PROJECT_NAME, or remove this one by docker compose down --volumes"


BACKUP = Path("/backup")
"""Where an operator mounts a folder of his own."""


def refuse_lost(file: Path, folder: Path = BACKUP, *, verb: str = "backup") -> None:
    """A file that would be gone with this container. Raises Conflict."""
    if not (file.is_relative_to(folder) and folder.is_mount()):
        raise Conflict(
            f"{file} would be gone with this container: docker compose run --rm -v FOLDER:{folder} operate {verb}"
            f" {folder}/NAME"
        )


def restore(site: Site, file: Path, progress: Progress, *, volumes: Path = HANDED_OUT) -> Restored:
    """Lay a backup into the volumes. Raises BadBackup, Busy, Conflict, and OSError."""
    layout = site.layout
    with file.open("rb") as source, exclusively(layout.restored_dump.parent, ALONE):
        reader = Reader(source, progress)
        refuse_newer(reader.manifest)
        _refuse_instance(layout, volumes)
        _refuse_images_elsewhere(site, reader.manifest)
        if not layout.restoring_flag.exists():
            _refuse_laid(layout, reader.manifest)
        begin(layout, (layout.conf, layout.secrets), reader.manifest)
        # a volume stays when it is emptied; any other folder does not
        layout.conf.mkdir(exist_ok=True)
        lay(layout, reader, known_accounts())
    return Restored(manifest=reader.manifest, home=layout.home)


def _refuse_instance(layout: Layout, volumes: Path) -> None:
    """What `prepare` alone has made is no instance yet."""
    made = (layout.broker / "mnesia", volumes / "audit" / "audit" / KEY_FILE)
    if any(layout.database.parent.iterdir()) or any(each.exists() for each in made):
        raise Conflict(f"there is an instance in these volumes: {_ANOTHER}")


def _refuse_images_elsewhere(site: Site, manifest: Manifest) -> None:
    """The settings are not the backup's, and have to say the same of where images lie."""
    if not manifest.registry_on_disk and not site.options.s3_bucket:
        raise Conflict(f"the images lie in {manifest.registry}: set BREAKWATER_S3_BUCKET and what belongs to it first")
    if manifest.registry_on_disk and site.options.s3_bucket:
        raise Conflict(
            f"the images lay in {manifest.registry}, and BREAKWATER_S3_BUCKET names a bucket: restore it without one"
        )


def _refuse_laid(layout: Layout, manifest: Manifest) -> None:
    if layout.restored_dump.exists():
        raise Conflict(f"a backup lies in these volumes already, which docker compose up -d starts: {_ANOTHER}")
    if manifest.registry_on_disk and not manifest.registry_included and not any(layout.registry.iterdir()):
        raise Conflict(
            f"the backup is without the registry's storage: copy what lay in {manifest.registry} into the volume"
            " registry first"
        )
    refuse_second_storage(layout, manifest)
