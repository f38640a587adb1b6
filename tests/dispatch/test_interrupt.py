"""Signals: soft, at once, and the way out of a program that hangs."""

import os
import signal

import pytest

from qpsearch.dispatch.interrupt import Interrupt


def test_the_first_signal_asks_the_second_hurries_the_third_raises() -> None:
    told: list[str] = []
    before = signal.getsignal(signal.SIGTERM)
    with Interrupt(lambda: told.append("stopping"), grace_s=100) as interrupt:
        assert not interrupt.requested
        os.kill(os.getpid(), signal.SIGTERM)
        assert told == []  # nothing is printed inside the handler, in which a print may be under way
        assert interrupt.requested
        assert not interrupt.expired
        os.kill(os.getpid(), signal.SIGINT)
        assert interrupt.expired
        assert told == ["stopping"]
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGTERM) is before


def test_signals_that_a_library_took_are_taken_back() -> None:
    with Interrupt() as interrupt:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        interrupt.reinstall()
        os.kill(os.getpid(), signal.SIGTERM)
        assert interrupt.requested


def test_outside_its_context_nothing_is_installed() -> None:
    before = signal.getsignal(signal.SIGINT)
    Interrupt().reinstall()
    assert signal.getsignal(signal.SIGINT) is before
