"""The bucket that an instance's images lie in, where they do not lie on its disk: its keys, and whether it can be used.

Keys are secret files beside the registry's others: no setting that is remembered or shown.
"""

from pydantic import SecretStr

from compose.local.layout import Layout
from compose.local.options import Options
from shared.errors import ConfigurationError
from shared.registry.bucket import ROOT, Bucket
from shared.secrets import Secret, write_secret
from shared.settings import S3_KEYS


def bucket_of(layout: Layout, options: Options) -> Bucket | None:
    """The bucket, with the keys that were given now or else before; None where images lie on the disk.

    Raises ConfigurationError where a key was never given.
    """
    if not options.s3_bucket:
        return None
    return Bucket(
        name=options.s3_bucket,
        region=options.s3_region,
        endpoint=str(options.s3_endpoint or "").rstrip("/"),
        prefix=options.s3_prefix,
        access_key=_key(layout, "access_key", options.s3_access_key),
        secret_key=_key(layout, "secret_key", options.s3_secret_key),
    )


def keep_keys(layout: Layout, bucket: Bucket | None) -> None:
    """Lay the keys where the registry's configuration takes them from; without a bucket there are none."""
    for name, file in S3_KEYS.items():
        path = layout.secrets / "registry" / file
        if bucket is None:
            path.unlink(missing_ok=True)
        else:
            write_secret(path, f"{getattr(bucket, name)}\n")


def refuse_unusable_bucket(layout: Layout, bucket: Bucket | None) -> None:
    """Ask the bucket once. Raises ConfigurationError or Unavailable.

    Images that lie on the disk would be lost to their users in a bucket that has none; and the other way round.
    """
    repositories = layout.registry / ROOT / "repositories"
    on_disk = repositories.is_dir() and any(repositories.iterdir())
    if bucket is None:
        kept = layout.secrets / "registry" / S3_KEYS["secret_key"]
        if kept.exists() and not on_disk:
            raise ConfigurationError(
                f"the images of this instance lie in a bucket, and {layout.registry} has none: copy the bucket's "
                f"docker to {layout.registry / 'docker'} first; where nothing was ever pushed, remove {kept}"
            )
        return
    there = bucket.holds(f"{ROOT}/", attempts=2)
    if not there and on_disk:
        raise ConfigurationError(
            f"the images of this instance lie in {layout.registry}, and {bucket} has none: "
            f"copy {layout.registry / 'docker'} to {bucket}/docker first"
        )


def _key(layout: Layout, name: str, given: SecretStr | None) -> str:
    if given is not None:
        return given.get_secret_value()
    try:
        return Secret.read(layout.secrets / "registry" / S3_KEYS[name]).reveal()
    except ConfigurationError as error:
        raise ConfigurationError(
            f"BREAKWATER_S3_BUCKET needs BREAKWATER_S3_{name.upper()}: it was never given"
        ) from error
