"""Artifacts as pages show them: what they are, what they run on, and how they are pulled and pushed."""

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from gateway.core.request import ApiRequest
from gateway.portal.pages.project import OpenProject
from gateway.portal.rendering import address_segment, short_digest

TAGS_SHOWN: Final = 5
"""Tags of one artifact in a list; its own page has them all."""
_KINDS: Final = {"IMAGE": "Image", "CHART": "Helm chart", "CNAB": "CNAB bundle", "WASM": "WebAssembly module"}
_SIGNATURES: Final = {"signature.cosign": "Cosign signature", "signature.notation": "Notation signature"}
_ACCESSORIES: Final = _SIGNATURES | {"sbom.harbor": "Bill of materials", "subject.accessory": "Referrer"}
_UNKNOWN: Final = "unknown"
_SETTINGS: Final = ("Entrypoint", "Cmd", "User", "WorkingDir", "ExposedPorts", "Volumes", "StopSignal", "Env", "Labels")

Shown = Mapping[str, Any]
"""An artifact, tag or accessory as the API shows it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Command:
    """A line for a terminal, and the client it is for."""

    client: str
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Address:
    """How clients reach this registry, in the words of their commands."""

    host: str
    without_tls: bool
    user: str
    """The name that pulling needs; empty where anybody may."""

    def pulls(self, repository: str, reference: str, kind: str = "IMAGE") -> list[Command]:
        """The commands that pull what a tag or a digest names."""
        name = f"{self.host}/{repository}{'@' if ':' in reference else ':'}{reference}"
        plain = " --plain-http" if self.without_tls else ""
        if kind == "CHART":
            version = "" if ":" in reference else f" --version {reference}"
            place = name if ":" in reference else f"{self.host}/{repository}"
            return [Command(client="helm", text=f"helm pull oci://{place}{version}{plain}")]
        if kind not in {"IMAGE", "WASM"}:
            return [Command(client="oras", text=f"oras pull{plain} {name}")]
        user = f" --user {shlex.quote(self.user)}" if self.user else ""
        return [
            Command(client="docker", text=f"docker pull {name}"),
            Command(client="podman", text=f"podman pull{self._unverified('--tls-verify=false')} {name}"),
            Command(client="nerdctl", text=f"nerdctl{self._unverified('--insecure-registry')} pull {name}"),
            Command(client="containerd", text=f"ctr images pull{plain}{user} {name}"),
        ]

    def pushes(self, repository: str) -> list[tuple[str, list[str]]]:
        """For each client the commands that sign in, name a local image, and push it."""
        name, unverified = f"{self.host}/{repository}:TAG", self._unverified("--tls-verify=false")
        user = f" -u {shlex.quote(self.user)}" if self.user else ""
        copied = self._unverified("--dest-tls-verify=false")
        return [
            ("Docker", [f"docker login{user} {self.host}", f"docker tag IMAGE:TAG {name}", f"docker push {name}"]),
            ("Podman", [
                f"podman login{unverified}{user} {self.host}", f"podman tag IMAGE:TAG {name}",
                f"podman push{unverified} {name}",
            ]),
            ("Skopeo, from another registry", [
                f"skopeo login{unverified}{user} {self.host}",
                f"skopeo copy --all{copied} docker://REGISTRY.EXAMPLE/IMAGE:TAG docker://{name}",
            ]),
        ]  # fmt: skip

    def _unverified(self, option: str) -> str:
        return f" {option}" if self.without_tls else ""


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenRepository:
    """A repository of a project, and the addresses of what is done with it."""

    project: OpenProject
    rest: str
    """Its name without the project's."""

    @property
    def name(self) -> str:
        """Its full name."""
        return f"{self.project.name}/{self.rest}"

    @property
    def path(self) -> str:
        """The address of its page."""
        return self.to("repositories")

    def to(self, act: str, *references: str) -> str:
        """The address of something about it, or about an artifact or a tag of it."""
        parts = "/".join(address_segment(part) for part in (act, *references, self.rest))
        return f"{self.project.path}/{parts}"


@dataclass(frozen=True, kw_only=True, slots=True)
class NamedTag:
    """A tag of an artifact."""

    name: str
    pushed: str
    pulled: str
    is_immutable: bool
    commands: list[Command]


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """An artifact of a list."""

    digest: str
    kind: str
    size: int
    pushed: str
    pulled: str
    platforms: list[str]
    labels: Sequence[Shown]
    tags: list[NamedTag]
    tag_count: int
    signatures: int
    others: int
    """Accessories that are no signatures."""

    @property
    def called(self) -> str:
        """What people call it: by its tag, or else by its digest."""
        return self.tags[0].name if self.tags else short_digest(self.digest)


def address_of(req: ApiRequest, project: OpenProject, *, to_push: bool = False) -> Address:
    """The registry's address as the browser knows it."""
    needs_name = req.caller.is_authenticated and (to_push or not project.is_public)
    return Address(
        host=req.get_header("Host") or "", without_tls=req.forwarded_scheme != "https",
        user=(req.caller.name or "") if needs_name else "",
    )  # fmt: skip


def row_of(artifact: Shown, address: Address, wanted: str = "") -> Row:
    """An artifact as a list shows it; the tags that were searched for come first."""
    tags = sorted(artifact.get("tags") or (), key=lambda tag: wanted.lower() not in tag["name"].lower())
    accessories = artifact.get("accessories") or ()
    signatures = sum(each["type"] in _SIGNATURES for each in accessories)
    return Row(
        digest=artifact["digest"],
        kind=kind_of(artifact),
        size=artifact["size"],
        pushed=artifact["push_time"],
        pulled=artifact["pull_time"],
        platforms=platforms_of(artifact),
        labels=artifact.get("labels") or (),
        tags=[tag_of(tag, artifact, address) for tag in tags[:TAGS_SHOWN]],
        tag_count=len(tags),
        signatures=signatures,
        others=len(accessories) - signatures,
    )


def tag_of(tag: Shown, artifact: Shown, address: Address) -> NamedTag:
    """A tag with the commands that pull it."""
    return NamedTag(
        name=tag["name"], pushed=tag["push_time"], pulled=tag["pull_time"], is_immutable=bool(tag.get("immutable")),
        commands=address.pulls(artifact["repository_name"], tag["name"], artifact["type"]),
    )  # fmt: skip


def kind_of(artifact: Shown) -> str:
    """What an artifact is, in words."""
    if artifact["type"] == "IMAGE" and artifact.get("references"):
        return "Image index"
    kind = str(artifact["type"])
    return _KINDS.get(kind, kind.capitalize())


def accessory_kind(accessory: Shown) -> str:
    """What is said about an artifact, in words."""
    return _ACCESSORIES.get(str(accessory["type"]), str(accessory["type"]))


def platforms_of(artifact: Shown) -> list[str]:
    """What an image runs on: itself, or the children of an index; attestations run on nothing."""
    children = artifact.get("references")
    if children:
        found = [platform_of(child.get("platform") or {}) for child in children]
    elif artifact["type"] == "IMAGE":
        found = [platform_of(artifact["extra_attrs"])]
    else:
        found = []
    return list(dict.fromkeys(each for each in found if each))


def platform_of(platform: Shown) -> str:
    """`linux/arm64/v8`; empty where that is not known."""
    parts = [text for name in ("os", "architecture", "variant") if (text := platform.get(name)) and text != _UNKNOWN]
    return "/".join(map(str, parts))


def settings_of(artifact: Shown) -> list[tuple[str, list[str]]]:
    """What an image runs and with what: the fields of its configuration that people look for, a line each value."""
    config = artifact["extra_attrs"].get("config")
    if not isinstance(config, dict):
        return []
    return [(name, lines) for name in _SETTINGS if (lines := _lines(config.get(name), whole=name in _SETTINGS[:2]))]


def _lines(value: object, *, whole: bool) -> list[str]:
    match value:
        case None | "":
            return []
        case list() if whole:
            return [shlex.join(str(each) for each in value)] if value else []
        case list():
            return [str(each) for each in value]
        case dict():
            return [str(key) if each in ({}, None) else f"{key}={_text(each)}" for key, each in value.items()]
        case _:
            return [_text(value)]


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
