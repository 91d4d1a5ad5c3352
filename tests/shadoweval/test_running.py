import os
import signal

import pytest

from shadoweval import running
from shadoweval.embedded import EmbeddedError
from shadoweval.supervisor import RESTART_SIGNAL


def test_a_number_left_by_a_dead_serve_is_not_signalled(tmp_path):
    (tmp_path / "serve.pid").write_text(str(os.getpid()))
    with pytest.raises(running.NotRunning):
        running.restart(tmp_path, 1)


def test_on_an_empty_folder_nothing_runs(tmp_path):
    with pytest.raises(running.NotRunning):
        running.pid(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_folder_has_one_serve(tmp_path):
    with (
        running.announced(tmp_path),
        pytest.raises(EmbeddedError, match=f"in use by process {os.getpid()}"),
        running.announced(tmp_path),
    ):
        pass


@pytest.mark.parametrize("problem", ["", "it did not come up"])
def test_who_asks_for_a_restart_hears_how_it_ended(tmp_path, problem):
    (tmp_path / "serve.restart").write_text("of the restart before")
    with running.announced(tmp_path) as on_restarted:
        signal.signal(RESTART_SIGNAL, lambda number, frame: on_restarted(problem))
        assert running.restart(tmp_path, 10) == problem


def test_a_restart_that_takes_too_long_is_said_to_go_on(tmp_path):
    with running.announced(tmp_path), pytest.raises(TimeoutError):
        running.restart(tmp_path, 0)
