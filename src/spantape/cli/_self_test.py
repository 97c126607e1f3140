"""One call of the real client through the built-in server, and its record: whether this environment would record."""

from __future__ import annotations

import sys


def main() -> int:
    """Call, flush, and find the record."""
    import openai
    import spantape

    from ..testing import ScriptedServer

    spantape.instrument()
    with ScriptedServer() as server, openai.OpenAI(base_url=server.url, api_key="self-test", max_retries=0) as client:
        client.chat.completions.create(model="self-test", messages=[{"role": "user", "content": "Is this recorded?"}])
    spantape.flush()
    records = spantape.recordings().get_latest_interactions()
    if len(records) != 1:
        sys.stderr.write(f"{len(records)} records of one call\n")
        return 1
    print(f"a call of openai {openai.__version__} was recorded as {records[0]['id']}")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
