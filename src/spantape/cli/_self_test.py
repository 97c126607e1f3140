"""One call of a real client library, without a network, and its record: whether this environment would record."""

from __future__ import annotations

import sys
from collections.abc import Callable


def _openai() -> None:
    """Call the client through the built-in server."""
    import openai

    from ..testing import ScriptedServer

    with ScriptedServer() as server, openai.OpenAI(base_url=server.url, api_key="self-test", max_retries=0) as client:
        client.chat.completions.create(model="self-test", messages=[{"role": "user", "content": "Is this recorded?"}])


def _langchain() -> None:
    """Call a chat model that answers from memory."""
    from langchain_core.language_models import FakeListChatModel

    FakeListChatModel(responses=["Yes."]).invoke("Is this recorded?")


CALLS: dict[str, Callable[[], None]] = {"openai": _openai, "langchain-core": _langchain}
"""How each library is called, by the name of its distribution."""


def _others() -> list[str]:
    """Give the names of other instrumentations that are active in this process."""
    module = sys.modules.get("opentelemetry.instrumentation.instrumentor")
    kinds = module.BaseInstrumentor.__subclasses__() if module else []
    active = [kind for kind in kinds if kind().is_instrumented_by_opentelemetry]
    return sorted({kind.__module__ for kind in active if not kind.__module__.startswith("spantape.")})


def main(library: str) -> int:
    """Call, flush, and find the record."""
    import spantape

    spantape.instrument()
    CALLS[library]()
    spantape.flush()
    records = spantape.recordings().get_latest_interactions()
    if len(records) != 1:
        sys.stderr.write(f"{len(records)} records of one call\n")
        return 1
    beside = f"; active, too: {', '.join(_others())}" if _others() else ""
    print(f"the hook of {library} took hold: its call was recorded as {records[0]['id']}{beside}")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
