"""`spantape demo`: a few calls to a built-in server, recorded, to see what there is to see."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import click

_FOLDER = Path("demo-records")
_ASKED: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("gpt-4o-mini", "请用一句话介绍你自己 🙂", {"temperature": 0.3}),
    ("gpt-4o", "Tell me a short story about a tape recorder.", {"stream": True}),
    ("no-such-model", "Hello?", {}),
)


@click.command("demo")
@click.option("--dir", "folder", type=click.Path(path_type=Path), default=_FOLDER, show_default=True, help="Where to.")
def command(folder: Path) -> None:
    """Record a few calls of the real client to a server in this process: no key, no network."""
    import spantape

    from ..testing import ScriptedServer

    try:
        import openai
    except ModuleNotFoundError:
        raise click.ClickException("the demo calls the openai client: pip install openai") from None
    spantape.instrument(base_dir=folder)
    with ScriptedServer() as server, spantape.session("demo", user_id="you"):
        client = openai.OpenAI(base_url=server.url, api_key="demo", max_retries=0)
        for model, text, more in _ASKED:
            with contextlib.suppress(openai.APIError):
                _ask(client, model, text, more)
    spantape.flush()
    spantape.uninstrument()
    click.echo(f"{len(_ASKED)} calls were recorded to {folder}. See them:\n")
    for words in ("ls", "show err", "show last~1 --as curl"):
        click.echo(f"  spantape {words} --dir {folder}")


def _ask(client: Any, model: str, text: str, more: dict[str, Any]) -> None:
    messages = [{"role": "user", "content": text}]
    answer = client.chat.completions.create(model=model, messages=messages, **more)
    for _ in answer if more.get("stream") else ():
        pass
