"""What a person sees at a terminal: the words that were meant, each of them."""

import pytest
from rich.table import Table

from compose.cli.terminal import err, out, print_table

KEY_ID = "GK2V:4SNO:AOO4:MOON:XTCC:HKEK:PA2E:W6NV:TDNR:HTCT:RU4V:4X2U"  # rich has a picture for ":MOON:"


def test_a_key_id_is_printed_as_it_is_whatever_word_it_holds(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table(box=None, pad_edge=False)
    table.add_column("key id")
    table.add_row(KEY_ID)
    print_table(table)
    out.print(f"{KEY_ID} signs from now on", markup=False)
    err.print(f"{KEY_ID} cannot be read")
    printed = capsys.readouterr()
    assert printed.out.count(KEY_ID) == 2, printed.out
    assert printed.err == f"{KEY_ID} cannot be read\n"
