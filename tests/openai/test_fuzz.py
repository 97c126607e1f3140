"""Whatever is sent and whatever comes back, the application sees what the bare client shows; nothing of ours fails."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openai_hostile as hostile
import openai_malformed as malformed
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from openai_acts import ACTS, KINDS, Act, Pair, looked_at, plain, settled, side_by_side
from openai_rows import MORE, ROWS, Row
from openai_wire import whole
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

import spantape
from recorded import Recorded
from spantape.instrumentors.openai.routes import route

# The client marks assistants as deprecated.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

EXAMPLES = int(os.environ.get("SPANTAPE_TEST_EXAMPLES", "60"))
LOGGERS = ("spantape", "opentelemetry")  # an exporter says there what it can't encode


Pairs = dict[str, Pair]


@pytest.fixture
def pairs() -> Iterator[Pairs]:
    with side_by_side("sync") as sync, side_by_side("async") as asynchronous:
        yield {"sync": sync, "async": asynchronous}


kinds = st.sampled_from(KINDS)


@pytest.fixture
def quiet() -> Iterator[None]:
    """Nothing is logged: merely malformed data is no failure of ours."""
    said: list[logging.LogRecord] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = said.append  # type: ignore[method-assign]
    for name in LOGGERS:
        logging.getLogger(name).addHandler(handler)
    yield
    for name in LOGGERS:
        logging.getLogger(name).removeHandler(handler)
    assert [entry.getMessage() for entry in said] == []


def fuzz(check: Callable[..., None], **strategies: Any) -> None:
    """Run a check on many examples, always the same ones."""
    chosen = settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    chosen(given(**strategies)(check))()


@dataclass
class Spans:
    """The spans of the calls: taken out after each, so that what is wrong is seen with the call that made it."""

    recorded: Recorded
    count: int = 0

    def begin(self) -> None:
        """Forget what an example that failed has left: hypothesis goes on to look for a smaller one."""
        self.recorded.exporter.clear()

    def take(self) -> list[Any]:
        """Give the spans since the last time; every exporter of OpenTelemetry can send them."""
        spans = self.recorded.spans
        self.recorded.exporter.clear()
        encode_spans(spans).SerializeToString()
        self.count += len(spans)
        return spans


def written(base_dir: Path) -> int:
    """Count the records; not by their ids, since hypothesis seeds the generator that spans get theirs from."""
    assert spantape.flush()
    return sum(len(json.loads(file.read_bytes())) for file in (base_dir / "by_session").glob("*/*.json"))


@pytest.fixture
def spans(recorded: Recorded) -> Iterator[Spans]:
    spans = Spans(recorded)
    yield spans
    assert written(spans.recorded.base_dir) == spans.count


def client_with(row: Row, pairs: Pairs) -> Any:
    client = pairs["sync"].ours
    if row.resource_of(client) is None:
        pytest.skip(f"this version of openai has no {row.name}")
    return client


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("row", [row for row in [*ROWS, *MORE] if row.body is not None], ids=lambda row: row.name)
def test_malformed_answers(row: Row, pairs: Pairs, spans: Spans) -> None:
    has_raw = hasattr(row.resource_of(client_with(row, pairs)).with_raw_response, row.method)
    is_recorded = route("post", row.path) is not None

    def check(kind: str, answer: malformed.Answer, act: Act) -> None:
        spans.begin()
        pairs[kind].wire.answer = answer
        sent = pairs[kind].same(lambda client: act(row, client, stream=False))
        assert len(spans.take()) == (is_recorded and sent != b"")

    acts = ACTS if has_raw else [plain]
    fuzz(check, kind=kinds, answer=malformed.wholes(row.body), act=st.sampled_from(acts))


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("row", [row for row in [*ROWS, *MORE] if row.chunks], ids=lambda row: row.name)
def test_malformed_streams(row: Row, pairs: Pairs, spans: Spans) -> None:
    if not row.streams_with(client_with(row, pairs)):
        pytest.skip(f"this version of openai does not stream {row.name}")
    is_recorded = route("post", row.path) is not None

    def check(kind: str, answer: malformed.Answer, act: Act) -> None:
        spans.begin()
        pairs[kind].wire.answer = answer
        sent = pairs[kind].same(lambda client: act(row, client, stream=True))
        assert len(spans.take()) == (is_recorded and sent != b"")

    acts = [plain] if row.method == "stream" else ACTS
    fuzz(check, kind=kinds, answer=malformed.streams(row.chunks), act=st.sampled_from(acts))


async def asked(client: Any, arguments: dict[str, Any]) -> AsyncIterator[Any]:
    async for thing in looked_at(await settled(client.chat.completions.create(**hostile.fresh(arguments)))):
        yield thing


def same_for_all(values: list[Any], pairs: Pairs, spans: Spans, *, at_least: int) -> None:
    def check(kind: str, arguments: dict[str, Any]) -> None:
        spans.begin()
        pairs[kind].wire.answer = lambda request: whole(ROWS[0].body)
        sent = pairs[kind].same(lambda client: asked(client, arguments))
        assert (at_least if sent else 0) <= len(spans.take()) <= 1

    fuzz(check, kind=kinds, arguments=hostile.calls(values))


@pytest.mark.usefixtures("quiet")
def test_odd_requests(pairs: Pairs, spans: Spans) -> None:
    same_for_all(hostile.ODD, pairs, spans, at_least=1)


@pytest.mark.usefixtures("forgiving")
def test_hostile_requests(pairs: Pairs, spans: Spans) -> None:
    same_for_all(hostile.HOSTILE, pairs, spans, at_least=0)
