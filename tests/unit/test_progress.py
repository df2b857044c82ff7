"""Progress bars show on a terminal that is watched, and nowhere else."""

import io
import sys

from cortexrsa.jobs import progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


def shown(stream, monkeypatch, delay=0):
    monkeypatch.setattr(sys, "__stderr__", stream)
    with progress(3, "resamples") as bar:
        bar.delay = delay
        bar.mininterval = 0
        for _ in range(3):
            bar.update(1)
    return stream.getvalue()


def test_a_terminal_sees_what_takes_long(monkeypatch):
    assert "3/3" in shown(Terminal(), monkeypatch)


def test_what_is_quick_shows_nothing(monkeypatch):
    assert "resamples" not in shown(Terminal(), monkeypatch, delay=10)


def test_a_log_gets_no_bar(monkeypatch):
    assert shown(io.StringIO(), monkeypatch) == ""
