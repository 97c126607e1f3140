"""The buffer and its thread, with a `write` of the test's own."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from sinks_tape import PATIENCE, until

from spantape.sinks import _background, _buffer
from spantape.sinks._background import Background
from spantape.sinks._buffer import Buffer, Limits
from spantape.sinks._gauge import Gauge


class Sink:
    """Takes what it is given; may be told to fail, to hang or to do something in the middle of a write."""

    def __init__(self) -> None:
        self.taken: list[int] = []
        self.threads: list[str] = []
        self.pulses = self.forgotten = 0
        self.works = True
        self.busy = False
        self.gate = threading.Event()
        self.gate.set()
        self.inside = threading.Event()
        self.during: Callable[[], Any] = bool

    def write(self, batch: Sequence[int], seconds: float) -> bool:
        self.inside.set()
        self.gate.wait(PATIENCE)
        self.during()
        self.taken += batch
        self.threads.append(threading.current_thread().name)
        return self.works

    def pulse(self, _: bool) -> bool:
        self.pulses += 1
        return self.busy

    def forget(self) -> None:
        self.forgotten += 1


@pytest.fixture
def sink() -> Sink:
    return Sink()


@pytest.fixture
def make(sink: Sink) -> Iterator[Callable[..., Background[int]]]:
    made: list[Background[int]] = []

    def background(size: int = 5, interval: float = 0.02, most_bytes: int = 10**9) -> Background[int]:
        buffer = Buffer[int](Limits(size, most_bytes), abs)
        made.append(Background(sink.write, buffer, interval, pulse=sink.pulse, forget=sink.forget))
        return made[-1]

    yield background
    sink.gate.set()
    for one in made:
        one.close()


def test_nothing_starts_before_there_is_something_to_do(make: Callable[..., Background[int]]) -> None:
    before = set(threading.enumerate())
    background = make()
    assert background.flush()
    assert set(threading.enumerate()) <= before  # one that another test has left may end just now


def test_it_writes_by_itself(make: Callable[..., Background[int]], sink: Sink) -> None:
    background = make()
    background.put(1)
    until(lambda: sink.taken == [1])
    background.put(2)
    until(lambda: sink.taken == [1, 2])
    assert set(sink.threads) == {"spantape"}


def test_a_full_buffer_is_written_at_once(make: Callable[..., Background[int]], sink: Sink) -> None:
    background = make(size=3, interval=3600)
    for number in range(3):
        background.put(number)
    until(lambda: sink.taken == [0, 1, 2])
    background.put(3)
    time.sleep(0.05)
    assert sink.taken == [0, 1, 2]


def test_it_sleeps_when_there_is_nothing_to_do(make: Callable[..., Background[int]], sink: Sink) -> None:
    def rests() -> bool:
        before = sink.pulses
        time.sleep(0.5)  # 25 intervals
        return sink.pulses == before

    background = make()
    background.put(1)
    until(rests)
    assert background._asleep
    pulses = sink.pulses
    background.stir()
    until(lambda: sink.pulses > pulses)


def test_it_pulses_while_it_is_asked_to(make: Callable[..., Background[int]], sink: Sink) -> None:
    background = make()
    sink.busy = True
    background.stir()
    until(lambda: sink.pulses > 10)
    assert sink.taken == []


def test_what_fails_is_tried_again_without_more_to_write(make: Callable[..., Background[int]], sink: Sink) -> None:
    background = make()
    sink.works = False
    background.put(1)
    until(lambda: len(sink.threads) > 3)
    assert not background.flush()
    sink.works = True
    assert background.flush()
    until(lambda: background._asleep)
    assert sink.taken == [1]


def test_batches_are_bounded_in_bytes(
    make: Callable[..., Background[int]], sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_buffer, "_BATCH_BYTES", 100)
    background = make(size=500, interval=3600)
    for number in range(100):
        background.put(number)
    batches: list[int] = []
    sink.during = lambda: batches.append(len(sink.taken))
    assert background.flush()
    assert sink.taken == list(range(100))
    assert all(sum(sink.taken[a:b]) < 200 for a, b in zip(batches, batches[1:], strict=False))


def test_a_buffer_that_is_full_in_bytes(
    make: Callable[..., Background[int]], sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At a tenth it is written, at all of it whoever puts writes."""
    monkeypatch.setattr(_background, "_CALLER_WAITS", PATIENCE)  # longer than a machine may stand still
    background = make(size=500, interval=3600, most_bytes=1000)
    background.put(99)
    time.sleep(0.05)
    assert sink.taken == []
    background.put(1)
    until(lambda: sink.taken == [99, 1])
    until(lambda: background.buffer.bytes == 0)

    assert background.backpressure == 0
    with background._lock:
        other = threading.Thread(target=background.put, args=(1000,))
        other.start()
        until(lambda: len(background.buffer) == 1)
        other.join(0.1)
        assert other.is_alive()
        assert (len(background.buffer), background.buffer.bytes) == (1, 1000)
    other.join(PATIENCE)
    assert sink.taken == [99, 1, 1000]
    assert (background.backpressure, background.lost) == (1, 0)


def test_failures_are_tried_again_less_and_less_often(make: Callable[..., Background[int]], sink: Sink) -> None:
    background = make(interval=0.01)
    sink.works = False
    background.put(1)
    until(lambda: background._failures > 4)
    assert background._pause() >= 0.16
    background._failures = 1000
    assert background._pause() == _background._LONGEST_PAUSE
    sink.works = True
    assert background.flush()  # who asks need not wait


def test_what_it_tells_of_itself(make: Callable[..., Background[int]], sink: Sink) -> None:
    background = make(size=500, interval=3600)
    assert (background.last_flush, background.buffer.oldest) == (None, None)
    began, clock = time.monotonic(), time.time()
    background.put(7)
    background.put(8)
    assert background.buffer.oldest is not None
    assert began <= background.buffer.oldest <= time.monotonic()
    assert (len(background.buffer), background.buffer.bytes) == (2, 15)
    assert background.flush()
    assert background.last_flush is not None
    assert clock <= background.last_flush <= time.time()
    assert (len(background.buffer), background.buffer.bytes, background.buffer.oldest) == (0, 0, None)


def test_a_sum_of_many_threads_and_finalizers() -> None:
    gauge = Gauge()
    threshold = gc.get_threshold()
    gc.set_threshold(1, 1, 1)

    def add() -> None:
        for _ in range(500):
            weakref.finalize(Owner(), gauge.add, 3)
            gauge.add(2)

    threads = [threading.Thread(target=add) for _ in range(4)]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        gc.set_threshold(*threshold)
    gc.collect()
    assert gauge.value == 4 * 500 * 5


def test_who_puts_writes_when_there_is_no_thread(
    make: Callable[..., Background[int]], sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    background = make(size=2)
    monkeypatch.setattr(threading.Thread, "start", refuse)
    for number in range(20):
        with pytest.raises(RuntimeError):
            background.put(number)
    assert sink.taken == list(range(20))
    assert set(sink.threads) == {"MainThread"}
    monkeypatch.undo()
    background.put(20)
    until(lambda: sink.taken[-1] == 20)


def test_who_puts_waits_while_the_buffer_is_full(
    make: Callable[..., Background[int]], sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_background, "_CALLER_WAITS", PATIENCE)
    background = make(size=1, interval=3600)
    sink.gate.clear()
    background.put(0)
    assert sink.inside.wait(PATIENCE)
    for number in range(1, 10):
        background.put(number)
    last = threading.Thread(target=background.put, args=(10,))
    last.start()
    last.join(0.3)
    assert last.is_alive()
    sink.gate.set()
    last.join(PATIENCE)
    assert not last.is_alive()
    assert background.flush()
    assert sink.taken == list(range(11))
    assert background.lost == 0


def test_a_write_that_hangs_keeps_nobody_waiting_twice(
    make: Callable[..., Background[int]],
    sink: Sink,
    monkeypatch: pytest.MonkeyPatch,
    warnings: Callable[[], list[str]],
) -> None:
    monkeypatch.setattr(_background, "_CALLER_WAITS", 0.5)
    monkeypatch.setattr(_background, "_PULSE", 0.3)
    monkeypatch.setattr(_buffer, "_MOST", 1000)
    background = make(size=1, interval=3600)
    sink.gate.clear()
    background.put(0)
    assert sink.inside.wait(PATIENCE)
    began = time.monotonic()
    for number in range(1, 1001):
        background.put(number)
    assert 0.5 <= time.monotonic() - began < 60  # each of the 990 that find no room would wait as long, or a pulse
    assert (background.lost, warnings()) == (0, [])  # full for the caller, and yet not too much
    for number in range(1001, 1241):
        background.put(number)
    assert background.lost == 240
    assert not background.flush(0.01)
    sink.gate.set()
    assert background.flush()
    assert sink.taken == [0, *range(241, 1241)]
    assert warnings() == ["spantape loses records: a write does not come to an end"]
    background.put(1241)
    assert background.flush()
    assert background.lost == 240


def test_a_write_that_hangs_holds_no_more_than_the_bytes_that_may_wait(
    make: Callable[..., Background[int]], sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_background, "_CALLER_WAITS", 0.1)
    background = make(size=1, interval=3600, most_bytes=1000)
    sink.gate.clear()
    background.put(100)
    assert sink.inside.wait(PATIENCE)
    for number in range(101, 151):
        background.put(number)
        assert background.buffer.bytes <= 1000 + number
    assert background.lost == 50 - len(background.buffer) > 40
    sink.gate.set()
    assert background.flush()
    assert sink.taken == [100, *range(101 + background.lost, 151)]


def test_many_threads_at_once(make: Callable[..., Background[int]], sink: Sink) -> None:
    background = make(size=3, interval=0.01)
    before = set(threading.enumerate())
    gate = threading.Barrier(8)

    def put(start: int) -> None:
        gate.wait()
        for number in range(start, start + 500):
            background.put(number)

    threads = [threading.Thread(target=put, args=(number * 500,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [thread.name for thread in set(threading.enumerate()) - before] == ["spantape"]
    assert background.flush()
    assert sorted(sink.taken) == list(range(4000))
    assert background.lost == 0


def test_after_the_end_what_is_put_is_written_at_once(make: Callable[..., Background[int]], sink: Sink) -> None:
    before = set(threading.enumerate())
    background = make(interval=3600)
    background.put(1)
    background.close()
    assert sink.taken == [1]
    background.put(2)
    assert sink.taken == [1, 2]
    assert set(threading.enumerate()) <= before
    background.close()


@pytest.mark.parametrize("interval", [0.01, 3600])
def test_the_end_comes_at_once(make: Callable[..., Background[int]], sink: Sink, interval: float) -> None:
    took = []
    for pause in range(20):
        background = make(interval=interval)
        background.put(pause)
        time.sleep(pause / 1000)
        began = time.monotonic()
        background.close()
        took.append(time.monotonic() - began)
    assert sorted(took)[10] < _background._CALLER_WAITS  # which is as long as a thread is waited for
    assert sink.taken == list(range(20))


def test_a_failure_of_ours_does_not_end_the_thread(
    make: Callable[..., Background[int]], sink: Sink, forgiving: None, warnings: Callable[[], list[str]]
) -> None:
    def fail() -> None:
        raise ValueError("a bug")

    background = make()
    sink.during = fail
    background.put(1)
    until(warnings)
    sink.during = bool
    background.put(2)
    until(lambda: sink.taken == [2])
    assert len(warnings()) == 1
    assert "ValueError: a bug" in warnings()[0]


class Owner:
    """Something that is only ever freed by the garbage collector."""

    def __init__(self) -> None:
        self.me = self


@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize("size", [1, 100])
def test_a_finalizer_in_the_middle_of_a_write(
    make: Callable[..., Background[int]], sink: Sink, size: int, closed: bool
) -> None:
    """It runs in the thread that writes, so it must not wait for that write to end."""
    background = make(size=size)
    late = list(range(100, 110))

    def collect() -> None:
        if late:
            weakref.finalize(Owner(), background.put, late.pop())
            gc.collect(0)

    if closed:
        background.close()
    sink.during = collect
    for number in range(20):
        background.put(number)
    until(lambda: background.flush() and not late)
    assert background.flush()
    assert sorted(sink.taken) == [*range(20), *range(100, 110)]
    assert background.lost == 0


def test_finalizers_everywhere(make: Callable[..., Background[int]], sink: Sink) -> None:
    background = make(size=1, interval=0.01)
    threshold = gc.get_threshold()
    gc.set_threshold(1, 1, 1)
    try:
        for number in range(300):
            weakref.finalize(Owner(), background.put, number)
            background.put(1000 + number)
    finally:
        gc.set_threshold(*threshold)
    gc.collect()
    assert background.flush()
    assert sorted(sink.taken) == [*range(300), *range(1000, 1300)]


def test_one_that_is_not_needed_any_more_can_go(sink: Sink) -> None:
    background = Background(sink.write, Buffer(Limits(1, 100), abs), 1, pulse=sink.pulse, forget=sink.forget)
    gone = weakref.ref(background)
    del background
    gc.collect()
    assert gone() is None


def test_an_end_that_can_not_wait(
    make: Callable[..., Background[int]], sink: Sink, monkeypatch: pytest.MonkeyPatch, warnings: Callable[[], list[str]]
) -> None:
    monkeypatch.setattr(_background, "_CALLER_WAITS", 0.1)
    background = make(interval=3600)
    sink.gate.clear()
    for number in range(5):
        background.put(number)
    assert sink.inside.wait(PATIENCE)
    until(lambda: len(background.buffer) == 0)
    for number in range(5, 7):
        background.put(number)
    monkeypatch.setattr(background, "flush", lambda: Background.flush(background, 0.1))
    assert not background.close()
    assert background.lost == 2
    assert len(warnings()) == 1
    sink.gate.set()
    until(lambda: sink.taken == [0, 1, 2, 3, 4])
    monkeypatch.undo()
