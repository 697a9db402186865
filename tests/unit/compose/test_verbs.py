"""The verbs: each is where the table says, and none is imported before it is asked for."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import typer

from compose.cli import main
from compose.cli.here import NotOffered
from compose.cli.main import app
from compose.cli.verbs import INSTEAD, PLACES, WITHOUT_INSTANCE
from compose.docker.site import container_site
from compose.local.options import CHECKOUT

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("verb", PLACES)
def test_a_verb_is_where_the_table_says_and_tells_what_it_does(verb: str) -> None:
    command = typer.main.get_command(app).commands[verb]  # type: ignore[attr-defined]
    assert command.name == verb
    assert command.help


def test_a_word_that_is_no_verb_is_none() -> None:
    assert typer.main.get_command(app).commands.get("nonsense") is None  # type: ignore[attr-defined]


def test_verbs_that_need_no_instance_are_verbs() -> None:
    assert WITHOUT_INSTANCE.issubset(PLACES)


@pytest.mark.parametrize("words", [["down"], ["status"], ["nonsense"]])
def test_what_migrates_and_what_asks_by_http_is_not_loaded_for_verbs_that_do_neither(
    words: list[str], tmp_path: Path
) -> None:
    script = (
        "import sys; from compose.cli.main import app\n"
        "try: app(sys.argv[1:], standalone_mode=False)\n"
        "except BaseException as error: print(type(error).__name__)\n"
        "print({'alembic', 'sqlalchemy', 'requests'} & sys.modules.keys())"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *words], cwd=CHECKOUT, capture_output=True, text=True, check=True, timeout=60,
        env={"PATH": "/usr/bin:/bin", "BREAKWATER_HOME": f"{tmp_path}/home", "PYTHONPATH": str(CHECKOUT)},
    )
    assert done.stdout.splitlines()[-1] == "set()"


@pytest.mark.parametrize("verb", INSTEAD)
def test_verb_that_makes_no_sense_among_containers_names_what_to_use_instead(verb: str) -> None:
    assert verb in PLACES
    with pytest.raises(NotOffered) as refused:
        app([verb], obj=container_site(), standalone_mode=False)
    assert refused.value.sentence == f"there is no {verb} among containers: {INSTEAD[verb]}"


def test_settings_of_containers_are_compose_s_to_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(main, "announce", lambda _, **__: None)
    with pytest.raises(NotOffered, match="docker compose config shows the settings of containers"):
        app(["config"], obj=container_site(), standalone_mode=False)


def test_help_lists_those_alone_that_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    app(["--help"], obj=container_site(), standalone_mode=False)
    said = capsys.readouterr().out
    listed = {verb for verb in PLACES if f"│ {verb} " in said}
    assert listed == {*PLACES} - {*INSTEAD}
    app(["--help"], standalone_mode=False)
    assert all(f"│ {verb} " in said for said in [capsys.readouterr().out] for verb in PLACES)
