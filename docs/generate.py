"""Write the parts of the documentation that are made from the code: `make docs`. A test checks that they are so."""

from __future__ import annotations

import re
import runpy
import sys
from dataclasses import Field, fields
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from spantape.cli import COMMANDS, spantape
from spantape.instrumentors.openai.routes import ENDPOINTS
from spantape.masking import GROUPS
from spantape.settings import Settings, variables

ROOT = Path(__file__).parent.parent
OPENAI = "<!-- endpoints: made by docs/generate.py -->", "<!-- end of endpoints -->"
SCORES = "<!-- scores: made by docs/generate.py -->", "<!-- end of scores -->"
CLI = "<!-- commands: made by docs/generate.py -->", "<!-- end of commands -->"
BEGIN, END = "<!-- settings: made by docs/generate.py -->", "<!-- end of settings -->"


def table() -> str:
    rows = [
        "| `instrument(…)` | environment | default | what it does |",
        "| --- | --- | --- | --- |",
    ]
    for option in fields(Settings):
        names = "<br>".join(f"`{name}`" for name in variables(option)) if not keyword_only(option) else "–"
        rows.append(f"| `{option.name}` | {names} | {shown(option.default)} | {option.metadata['help']} |")
    return "\n".join(rows)


def keyword_only(option: Field[Any]) -> bool:
    return str(option.metadata["kind"].accepts).endswith("(by keyword only)")


def accepted() -> str:
    return "\n".join(f"- `{option.name}`: {option.metadata['kind'].accepts}" for option in fields(Settings))


def shown(default: object) -> str:
    if default in (None, ()):
        return "–"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    return f"`{default.as_posix() if isinstance(default, Path) else getattr(default, 'name', default)}`"


def page() -> str:
    return f"""# Settings

Made from the code by `make docs`. A setting is looked for in this order: the keyword given to `spantape.instrument()`,
the environment (our variable, then the older names beside it), a `.env` file in the working directory or above it, the
default. An empty variable counts as not set. A value that can't be used raises `spantape.SettingError`, which names the
setting, the value and what is accepted.

{table()}

What is accepted:

{accepted()}

OpenTelemetry's own variables hold as they do everywhere: `OTEL_EXPORTER_OTLP_*` (endpoint, headers, protocol,
certificates, compression, time-out), `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_SDK_DISABLED`.
"""


def endpoints() -> str:
    rows = ["| request | `operation` | streams |", "| --- | --- | --- |"]
    for (method, path), endpoint in ENDPOINTS.items():
        streams = "yes" if endpoint.join is not None else ""
        rows.append(f"| `{method.upper()} {path}` | `{endpoint.operation}` | {streams} |")
    return "\n".join(rows)


def scores() -> str:
    """Give how well the masking's detectors do on the labelled set."""
    labelled = runpy.run_path(str(ROOT / "tests" / "masking" / "labelled.py"))
    cases = labelled["cases"]()
    rows = [f"{len(cases)} texts, {sum(not case.wanted for case in cases)} of them with nothing to find:", ""]
    rows += [
        "| kind | masked | right | wrong | missed | precision | recall |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, score in labelled["scores"]().items():
        when = "always" if name in GROUPS["secrets"] else "on request"
        figures = f"{score.right} | {score.wrong} | {score.missed} | {score.precision:.2f} | {score.recall:.2f}"
        rows.append(f"| `{name}` | {when} | {figures} |")
    return "\n".join(rows)


def command(*words: str) -> str:
    """Give what `--help` of a command prints."""
    shown = CliRunner().invoke(spantape, [*words, "--help"], prog_name="spantape", terminal_width=100)
    return f"```\n{shown.output.rstrip()}\n```"


def commands() -> str:
    return "\n\n".join([command(), *(f"## spantape {name}\n\n{command(name)}" for name in COMMANDS)])


def between(path: Path, begin: str, end: str, made: str) -> str:
    text = path.read_text(encoding="utf-8")
    return re.sub(f"{re.escape(begin)}.*?{re.escape(end)}", lambda _: f"{begin}\n{made}\n{end}", text, flags=re.DOTALL)


def pages() -> dict[Path, str]:
    readme, openai = ROOT / "README.md", ROOT / "docs" / "openai.md"
    cli, privacy = ROOT / "docs" / "cli.md", ROOT / "docs" / "privacy.md"
    return {
        ROOT / "docs" / "settings.md": page(),
        cli: between(cli, *CLI, commands()),
        readme: between(readme, BEGIN, END, table()),
        openai: between(openai, *OPENAI, endpoints()),
        privacy: between(privacy, *SCORES, scores()),
    }


def main() -> int:
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
