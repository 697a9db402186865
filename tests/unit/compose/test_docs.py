"""docs/configuration.md is what the code says, and every variable of the compose file is in it."""

from compose.docs import COMPOSE, PAGE, page


def test_page_is_what_the_code_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run `python -m compose.docs`"


def test_no_setting_of_containers_is_left_out() -> None:
    text = "".join(file.read_text(encoding="utf-8") for file in COMPOSE)
    shown = page()
    for word in text.replace("{", " ").replace(":", " ").split():
        if word.startswith("BREAKWATER_") and f"${{{word}:-" in text:
            assert word in shown or f"`_{word.removeprefix('BREAKWATER_')}`" in shown, word
