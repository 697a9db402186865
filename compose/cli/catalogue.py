"""`reconcile` and `adopt`: compare registry and catalogue now, and take a storage over that was filled elsewhere."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from sqlalchemy import Engine
from sqlalchemy.orm import Session, sessionmaker

from compose.cli.session import operator_context
from compose.cli.terminal import out, print_table
from services.api.commands.adoption import Survey, create_missing, survey
from services.api.commands.comparison import Comparison, Outcome
from services.api.commands.nightly import only_comparison
from services.api.commands.reconcile import settle_expected
from services.api.errors import NoSuchProject
from services.api.queries.project import exists
from shared.db import engine, session_factory, unavailable_when_down
from shared.events.definitions.artifact import Origin
from shared.names import ProjectName
from shared.registry.client import RegistryClient
from shared.registry.tokens import SystemTokens
from shared.secrets import Secret
from shared.settings import CLOCK_LEEWAY, Settings, load_settings

_SERVICE = "metadata"
_SHOWN = 20

OfProject = Annotated[str | None, typer.Option("--project", help="This project alone.", show_default=False)]
AcceptEmpty = Annotated[
    bool,
    typer.Option("--accept-empty", help="Empty the catalogue where the registry's storage is empty."),
]
CreateProjects = Annotated[
    bool, typer.Option("--create-projects", help="Make the projects that repositories name and that do not exist.")
]
Public = Annotated[bool, typer.Option("--public/--private", help="What the projects that are made shall be.")]


@dataclass(frozen=True)
class _Site:
    """What both verbs work on."""

    settings: Settings
    bind: Engine
    sessions: sessionmaker[Session]
    registry: RegistryClient

    def comparison(self, origin: Origin) -> Comparison:
        return Comparison(
            self.sessions,
            self.registry,
            instance_id=self.settings.instance_id,
            origin=origin,
            storage=self.settings.stored(),
        )


def reconcile(project: OfProject = None, accept_empty: AcceptEmpty = False) -> None:
    """Compare the catalogue with the registry now, and make it agree."""
    with _site() as site, only_comparison(site.bind):
        if project is not None:
            _check_project(site, project)
        told = settle_expected(
            site.sessions, site.registry, instance_id=site.settings.instance_id, now=datetime.now(UTC)
        )
        if told:
            out.print(f"lost notifications told: {told}")
        comparison = site.comparison(Origin.RECONCILER)
        names = comparison.names(project=project, accept_empty=accept_empty)
        _summarise(_compare(comparison, names))


def adopt(create_projects: CreateProjects = False, public: Public = False) -> None:
    """Catalogue what a registry's storage holds that was filled without Breakwater."""
    with _site() as site, only_comparison(site.bind):
        comparison = site.comparison(Origin.ADOPT)
        stored = sorted(site.registry.repositories())
        with site.sessions.begin() as session:
            found = survey(session, stored)
            if create_projects and found.missing:
                create_missing(
                    session,
                    list(found.missing),
                    public=public,
                    now=datetime.now(UTC),
                    token_lifetime=site.settings.token_lifetime,
                    leeway=CLOCK_LEEWAY,
                    context=operator_context(site.settings, "adopt"),
                )
        _tell(found, made=("public" if public else "private") if create_projects else None)
        left_out = set(found.nameless) if create_projects else set(stored) - set(found.known)
        _summarise(_compare(comparison, [name for name in stored if name not in left_out]))


@contextmanager
def _site() -> Iterator[_Site]:
    """The running instance, as its operator. Raises Unavailable, ConfigurationError."""
    settings = load_settings(part="owner")
    credential = Secret.read(settings.secrets / _SERVICE / "system-credential")
    registry = RegistryClient(settings.registry, SystemTokens(settings.token_mounts, _SERVICE, credential))
    bind = engine(settings, pool_size=3)
    try:
        with unavailable_when_down():
            yield _Site(settings, bind, session_factory(bind), registry)
    finally:
        bind.dispose()


def _check_project(site: _Site, name: str) -> None:
    """Raises InvalidName, NoSuchProject."""
    wanted = ProjectName.parse(name)
    with site.sessions() as session:
        if not exists(session, wanted.text):
            raise NoSuchProject(f"the project {name} does not exist")


def _tell(found: Survey, *, made: str | None) -> None:
    """What was made for the repositories without a project, and what is left out."""
    for name, count in found.missing.items():
        repositories = f"{count} {'repository' if count == 1 else 'repositories'}"
        if made:
            out.print(f"made the {made} project {name} for {repositories}")
        else:
            out.print(f"left out {repositories}: there is no project {name} (--create-projects makes it)")
    for name in found.nameless[:_SHOWN]:
        out.print(f"left out {escape(name)}: that is no name of the form project/repository")
    if len(found.nameless) > _SHOWN:
        out.print(f"left out {len(found.nameless) - _SHOWN} more of the kind")


def _compare(comparison: Comparison, names: Sequence[str]) -> list[Outcome]:
    """Compare with a bar on a terminal; where there is none, what differs is said at the end alone."""
    columns = (TextColumn("comparing"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=out, disable=not out.is_terminal, transient=True) as progress:
        return list(progress.track(comparison.run(names), total=len(names)))


def _summarise(outcomes: Sequence[Outcome]) -> None:
    differing = [outcome for outcome in outcomes if outcome.changed]
    if differing:
        table = Table(box=None, pad_edge=False)
        for title in ("repository", "added", "removed", "tags set", "tags removed"):
            table.add_column(title, justify="left" if title == "repository" else "right", overflow="fold")
        for each in differing[:_SHOWN]:
            counts = (each.added, each.removed, each.tags_set, each.tags_removed)
            table.add_row(escape(each.repository), *(str(count or "") for count in counts))
        print_table(table)
        if len(differing) > _SHOWN:
            out.print(f"and {len(differing) - _SHOWN} more")
    for each in [outcome for outcome in outcomes if outcome.skipped][:_SHOWN]:
        out.print(f"left out {escape(each.repository)}: {escape(each.skipped or '')}")
    unread = [each for outcome in outcomes for each in outcome.unread]
    for left in unread[:_SHOWN]:
        out.print(f"left out {left}: {escape(left.error.sentence)}")
    if len(unread) > _SHOWN:
        out.print(f"left out {len(unread) - _SHOWN} more that could not be read")
    compared = sum(outcome.compared for outcome in outcomes)
    out.print(f"compared {compared} tags and artifacts in {len(outcomes)} repositories: {len(differing)} differed")
