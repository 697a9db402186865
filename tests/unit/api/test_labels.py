"""What a label may say."""

import pytest

from services.api.domain.label import LabelText
from services.api.errors import UnfitLabel


@pytest.mark.parametrize(
    "text",
    [
        LabelText(name="released"),
        LabelText(name="für Kunden"),
        LabelText(name="n" * 128, description="d" * 1024),
        LabelText(name="<script>", description="two\nlines", color="#0065AB"),
        LabelText(name="a", color="red"),
    ],
)
def test_a_text_that_fits_stays_as_it_is(text: LabelText) -> None:
    assert text.checked() == text


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (LabelText(name=""), "name"),
        (LabelText(name="  "), "name"),
        (LabelText(name="n" * 129), "name"),
        (LabelText(name="two\nlines"), "name"),
        (LabelText(name="a", description="d" * 1025), "description"),
        (LabelText(name="a", color="#0065AB; x: y"), "color"),
        (LabelText(name="a", color="c" * 17), "color"),
        (LabelText(name="a", color="url(x)"), "color"),
    ],
)
def test_a_text_that_does_not_fit_is_refused_by_its_field(text: LabelText, sentence: str) -> None:
    with pytest.raises(UnfitLabel, match=f"the {sentence} of a label"):
        text.checked()
