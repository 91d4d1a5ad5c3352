"""What `manage.py simulate` says of years that were played."""

from io import StringIO

import numpy as np
from django.core.management.base import OutputWrapper
from rich.console import Console

from reviews.management.commands import simulate
from reviews.stats.trial import Planted, Stationary


def test_a_missed_drift_is_counted_and_not_averaged():
    found = Planted("mix", np.array([4.0, np.nan, 6.0]), {"tasks": 2})
    console = Console(file=StringIO(), width=200)
    console.print(simulate._table([found]))
    row = console.file.getvalue().splitlines()[-2]
    assert [cell.strip() for cell in row.strip("│").split("│")[1:]] == ["5", "6", "1", "tasks 2"]


def test_a_bar_is_drawn_in_parts_of_a_line():
    out = StringIO()
    simulate._console(OutputWrapper(out)).print("a part", end="")
    assert out.getvalue() == "a part"


def test_false_alarms_are_said_per_year():
    said = simulate._sentence(Stationary(4, {"cost": 2, "tasks": 1}, 1))
    assert "a year over all monitors together: 0.75 (cost 2, tasks 1; 1 opened as alarms)" in said
