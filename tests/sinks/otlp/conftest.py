"""What OTLP is tried with: a client, receivers that are there, and addresses where none is."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import openai
import spantape
from receivers import Received, grpc_receiver, http_receiver
from spantape.testing import ScriptedServer, completion

SAID = "你好，杭州 🎉"

Ask = Callable[..., Any]


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    """A thread that still tries to send would log into the next test."""
    yield
    spantape.uninstrument()
    for thread in threading.enumerate():
        if thread.name == "spantape-otlp":
            thread.join(60)
            assert not thread.is_alive()


@pytest.fixture
def ask(server: ScriptedServer) -> Iterator[Ask]:
    http = openai.DefaultHttpxClient(verify=False)
    with openai.OpenAI(base_url=server.url, api_key="test", http_client=http) as client:

        def create(text: str = SAID, says: str = "", **more: Any) -> Any:
            if says:  # instead of an echo
                server.replies(completion(says))
            body: Any = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": text}]} | more
            return client.chat.completions.create(**body)

        yield create


@pytest.fixture
def start(tmp_path: Path) -> Callable[..., None]:
    def instrument(**settings: Any) -> None:
        spantape.instrument(**({"base_dir": tmp_path / "records"} | settings))

    return instrument


@pytest.fixture(params=["grpc", "http/protobuf"])
def backend(request: pytest.FixtureRequest) -> Iterator[Received]:
    receiver: Any = grpc_receiver if request.param == "grpc" else http_receiver
    with receiver() as received:
        received.protocol = request.param
        yield received


@pytest.fixture
def collector() -> Iterator[Received]:
    with http_receiver() as received:
        yield received


@pytest.fixture
def nobody() -> Iterator[str]:
    """An address at which nobody listens, and nobody else can begin to while it is taken."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture
def silent() -> Iterator[str]:
    """An address at which somebody listens and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as open_socket:
        yield f"http://127.0.0.1:{open_socket.getsockname()[1]}"
