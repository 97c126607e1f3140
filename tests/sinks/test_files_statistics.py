"""Statistics answer at once and are what reading everything gives, whatever has happened to the files."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from sinks_tape import Tape
from sinks_tree import DAY, append, by_date, compress, line, record, rotate, write

import spantape
from spantape import Filter
from spantape.sinks.files import Recordings

EVERYTHING = Filter(until=datetime(2100, 1, 1, tzinfo=timezone.utc))
DAYS = (DAY, "2026-11-22")


@pytest.fixture
def recordings(base_dir: Path) -> Recordings:
    return spantape.recordings(base_dir)


def call(name: str, **more: Any) -> dict[str, Any]:
    figures = {
        "provider": "openai",
        "model": "gpt-4.1",
        "user_id": "ann",
        "usage": {"input_tokens": 100, "output_tokens": 20, "total_tokens": 120, "cache_read_input_tokens": 50},
        "cost": {"total": 0.1, "currency": "USD"},
        "timing": {"duration_ms": 1000.0},
        "status": "success",
    }
    return record(name, **{**figures, **more})


def test_the_keys_of_seed_000(base_dir: Path, recordings: Recordings) -> None:
    write(base_dir / by_date(), call("a"), call("b", status="failed", success=False), call("c", session_id="6"))
    stats = recordings.get_statistics()
    assert stats["total_interactions"] == 3
    assert stats["successful_interactions"] == 2
    assert stats["failed_interactions"] == 1
    assert stats["total_sessions"] == 2
    size = (base_dir / by_date()).stat().st_size
    assert stats["storage_info"]["by_date"] == {"count": 1, "size": size}
    assert stats["storage_info"]["archive"] == {"count": 0, "size": 0}
    for info in stats["storage_info"].values():
        assert info["count"] >= 0
        assert info["size"] / (1024 * 1024) >= 0


def test_tokens_cost_and_time(base_dir: Path, recordings: Recordings) -> None:
    costs = [0.1, 0.2, 0.3]
    write(
        base_dir / by_date(),
        *(call(str(number), cost={"total": cost, "currency": "USD"}) for number, cost in enumerate(costs)),
    )
    append(base_dir / by_date(), call("y", model="qwen-max", provider="aliyun", cost={"total": 2, "currency": "CNY"}))
    append(base_dir / by_date(), call("x", usage=None, cost=None, timing={}, user_id=None, model=None))
    stats = recordings.get_statistics()

    assert stats["cost"] == {"USD": 0.6, "CNY": 2.0}  # not 0.6000000000000001
    assert stats["usage"]["total_tokens"] == 480
    assert stats["usage"]["cache_read_input_tokens"] == 200
    assert "reasoning_output_tokens" not in stats["usage"]
    assert list(stats["by_model"]) == ["gpt-4.1", "qwen-max", "unknown"]
    assert stats["by_model"]["qwen-max"]["cost"] == {"CNY": 2.0}
    assert stats["by_model"]["unknown"] == {"calls": 1, "failed": 0}
    assert {name: part["calls"] for name, part in stats["by_provider"].items()} == {"openai": 4, "aliyun": 1}
    assert stats["by_user"]["ann"] == {
        "calls": 4,
        "failed": 0,
        "usage": {"total_tokens": 480},
        "cost": {"USD": 0.6, "CNY": 2.0},
    }
    assert stats["by_date"][DAY]["calls"] == 5
    assert stats["by_status"] == {"success": 5}
    json.dumps(stats)


def test_percentiles(base_dir: Path, recordings: Recordings) -> None:
    write(base_dir / by_date(), *(call(str(ms), timing={"duration_ms": ms}) for ms in range(1, 1001)))
    latency = recordings.get_statistics()["latency_ms"]
    assert latency["mean"] == 500.5
    for rank in (50, 90, 95, 99):
        assert latency[f"p{rank}"] == pytest.approx(rank * 10, rel=0.026)


def test_odd_figures_do_no_harm(base_dir: Path, recordings: Recordings) -> None:
    odd = [
        call("1", usage="many", cost=[], timing=None),
        call("2", usage={"total_tokens": "7", "input_tokens": True}, cost={"total": None}),
        call("3", provider=7, model=["x"], user_id={"a": 1}, session_id=5, timing={"duration_ms": -3}),
        call("4", timing={"duration_ms": 0}, cost={"total": 1e308, "currency": None}, metadata=None),
        call("5", model="a\x1fb", session_id="产品\x1f", user_id="\x1f"),
        {"id": "6"},
        {"timestamp": 3},
    ]
    write(base_dir / by_date(), *odd)
    assert recordings.get_statistics()["total_interactions"] == 7
    assert recordings.get_statistics()["total_sessions"] == 2
    assert spantape.recordings(base_dir).get_statistics() == recordings.get_statistics()


def test_nothing(base_dir: Path, recordings: Recordings) -> None:
    stats = recordings.get_statistics()
    assert stats["total_interactions"] == stats["total_sessions"] == 0
    assert "cost" not in stats
    assert stats["by_model"] == {}
    assert not base_dir.exists()


def test_statistics_of_some(base_dir: Path, recordings: Recordings) -> None:
    write(base_dir / by_date(), call("a"), call("b", model="o3"))
    stats = recordings.get_statistics(Filter(model="o3"))
    assert stats["total_interactions"] == 1
    assert list(stats["by_model"]) == ["o3"]


def test_of_calls_that_were_recorded(tape: Tape) -> None:
    for number in range(30):
        tape.call(str(number % 3), error="Oops" if number % 10 == 0 else None)
        tape.flush()
        assert tape.recordings.get_statistics()["total_interactions"] == number + 1
    stats = tape.recordings.get_statistics()
    assert (stats["successful_interactions"], stats["failed_interactions"], stats["total_sessions"]) == (27, 3, 3)


def test_what_is_not_new_is_not_read_again(base_dir: Path, recordings: Recordings, reads: Callable[[], int]) -> None:
    for day in DAYS:
        write(base_dir / by_date(day), *(call(f"{number:036}", prompt="x" * 3000) for number in range(300)))
    recordings.get_statistics()
    before = reads()
    assert spantape.recordings(base_dir).get_statistics() == recordings.get_statistics()
    append(base_dir / by_date(), call("new"))
    assert recordings.get_statistics()["total_interactions"] == 601
    assert reads() - before < 1_000_000  # of two times a million


def test_a_file_that_has_another_content(base_dir: Path, recordings: Recordings) -> None:
    """As when a backup is put in its place: larger does not mean that something was added."""
    file = write(base_dir / by_date(), call("a"), call("b"))
    assert recordings.get_statistics()["total_interactions"] == 2
    write(file, *(call(name, prompt="x" * 100, user_id="bob") for name in "cdefg"))
    for one in (recordings, spantape.recordings(base_dir)):
        stats = one.get_statistics()
        assert (stats["total_interactions"], list(stats["by_user"])) == (5, ["bob"])


@pytest.fixture
def reads() -> Callable[[], int]:
    if sys.platform != "linux":
        pytest.skip("only Linux tells")
    return lambda: int(Path("/proc/self/io").read_text().split()[1])


def test_a_copy_that_can_only_be_read(base_dir: Path, recordings: Recordings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may write anywhere: what stands in the way here is a file where the folder would be."""
    write(base_dir / by_date(), call("a"))
    (base_dir / ".summaries").write_text("in the way")
    for number in range(3):
        assert recordings.get_statistics()["total_interactions"] == number + 1
        append(base_dir / by_date(), call(str(number)))
    append(base_dir / by_date(), call("a", status="failed"))
    assert recordings.get_statistics()["by_status"] == {"success": 3, "failed": 1}


@pytest.mark.parametrize("spoiled", [b"", b"{}", b"garbage\n", b'{"version": 1}\n', b"\0" * 100, b"[]\n12345678"])
def test_spoiled_summaries(base_dir: Path, recordings: Recordings, spoiled: bytes) -> None:
    write(base_dir / by_date(), call("a"))
    recordings.get_statistics()
    (summary,) = (base_dir / ".summaries").iterdir()
    kept = summary.read_bytes()
    for content in (spoiled, kept[:-1], kept + b"x"):
        summary.write_bytes(content)
        assert spantape.recordings(base_dir).get_statistics() == recordings.get_statistics()
        assert summary.read_bytes() == kept


def test_summaries_are_private_and_go_with_their_day(base_dir: Path, recordings: Recordings) -> None:
    for day in DAYS:
        write(base_dir / by_date(day), call(day))
    recordings.get_statistics()
    folder = base_dir / ".summaries"
    assert sorted(file.name for file in folder.iterdir()) == list(DAYS)
    if sys.platform != "win32":
        assert {oct(path.stat().st_mode)[-3:] for path in folder.iterdir()} == {"600"}
        assert oct(folder.stat().st_mode)[-3:] == "700"
    (base_dir / by_date()).unlink()
    assert recordings.get_statistics()["total_interactions"] == 1
    assert [file.name for file in folder.iterdir()] == [DAYS[1]]


IDS = st.sampled_from([*"abcdefgh", "3a17b8cf-500d-4f38-a231-aaf01244fa37", "产品", 'quo"te', "back\\slash"])
CALLS = st.fixed_dictionaries(
    {"status": st.sampled_from(["success", "failed", "timeout"])},
    optional={
        "model": st.sampled_from(["gpt-4.1", "产品", None]),
        "user_id": st.sampled_from(["ann", "bob", ""]),
        "session_id": st.sampled_from(["5", "6", None, 7]),
        "cost": st.builds(lambda total: {"total": total, "currency": "USD"}, st.floats(0, 10)),
        "timing": st.builds(lambda ms: {"duration_ms": ms}, st.floats(0, 1e6)),
        "usage": st.builds(lambda count: {"total_tokens": count}, st.integers(0, 10**6)),
    },
)


class Life(RuleBasedStateMachine):
    """Anything that may happen to recordings, in any order; two readers look at them, one of them now and then."""

    def __init__(self) -> None:
        super().__init__()
        self.base_dir = Path(tempfile.mkdtemp())
        self.steady = spantape.recordings(self.base_dir)
        self.written: dict[str, dict[str, dict[str, Any]]] = {day: {} for day in DAYS}

    def live(self, day: str) -> Path:
        return self.base_dir / by_date(day)

    @rule(day=st.sampled_from(DAYS), name=IDS, more=CALLS)
    def append(self, day: str, name: str, more: dict[str, Any]) -> None:
        append(self.live(day), call(name, **more))
        self.written[day][name] = call(name, **more)

    @rule(day=st.sampled_from(DAYS), calls=st.lists(st.tuples(IDS, CALLS), min_size=1, max_size=6))
    def append_several(self, day: str, calls: list[tuple[str, dict[str, Any]]]) -> None:
        append(self.live(day), *(call(name, **more) for name, more in calls))
        self.written[day].update({name: call(name, **more) for name, more in calls})

    @rule(day=st.sampled_from(DAYS))
    def rotate(self, day: str) -> None:
        if self.live(day).exists():
            rotate(self.base_dir, by_date(day))

    @rule()
    def compress(self) -> None:
        for file in (self.base_dir / "archive").glob("*.json"):
            compress(file)

    @rule(day=st.sampled_from(DAYS), cut=st.integers(1, 60))
    def tear(self, day: str, cut: int) -> None:
        """A process dies while it writes; the next one repairs the file."""
        if self.live(day).exists():
            whole = self.live(day).read_bytes()
            self.live(day).write_bytes(whole[:-3] + b",\n" + line(call("torn"))[:cut])
            self.the_same_as_reading_everything()
            self.live(day).write_bytes(whole)

    @rule(day=st.sampled_from(DAYS))
    def rewrite(self, day: str) -> None:
        """Prompts are removed, or someone edits the file."""
        if self.live(day).exists():
            changed = [{**one, "prompt": None} for one in json.loads(self.live(day).read_bytes())]
            write(self.live(day), *changed)

    @rule(day=st.sampled_from(DAYS))
    def delete(self, day: str) -> None:
        for file in [self.live(day), *(self.base_dir / "archive").glob(f"{day}_*")]:
            file.unlink(missing_ok=True)
        self.written[day].clear()

    @rule()
    def lose_summaries(self) -> None:
        shutil.rmtree(self.base_dir / ".summaries", ignore_errors=True)

    @rule()
    def look(self) -> None:
        assert self.steady.get_statistics() == spantape.recordings(self.base_dir).get_statistics(EVERYTHING)

    @invariant()
    def the_same_as_reading_everything(self) -> None:
        recordings = spantape.recordings(self.base_dir)
        stats = recordings.get_statistics()
        assert stats == recordings.get_statistics(EVERYTHING)
        calls = [one for day in DAYS for one in self.written[day].values()]
        assert stats["total_interactions"] == len(calls)
        assert stats["successful_interactions"] == sum(one["status"] == "success" for one in calls)
        assert stats["total_sessions"] == len(
            {str(one["session_id"]) for one in calls if one["session_id"] is not None}
        )
        tokens = sum(one["usage"]["total_tokens"] for one in calls)
        assert stats.get("usage", {}).get("total_tokens", 0) == tokens

    def teardown(self) -> None:
        shutil.rmtree(self.base_dir)


TestLife = Life.TestCase
TestLife.settings = settings(
    max_examples=15, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)
