"""Where things are, and what is set."""

from __future__ import annotations

import json
from pathlib import Path

from cli_tree import spantape


def test_each_setting_and_where_it_came_from(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("LLM_RECORDS_RETENTION_DAYS=7\n")
    told = json.loads(spantape("config", "-o", "json", folder=tmp_path, SPANTAPE_INCLUDE_USAGE="a.example, b.example"))
    found = {each["setting"]: (each["value"], each["from"]) for each in told}
    assert found["base_dir"] == (str(tmp_path), "SPANTAPE_BASE_DIR")
    assert found["retention_days"] == (7, "LLM_RECORDS_RETENTION_DAYS in .env")
    assert found["include_usage"] == ("a.example, b.example", "SPANTAPE_INCLUDE_USAGE")
    assert found["capture_content"] == ("SPAN_ONLY", "default")
    assert found["otlp_endpoint"] == (None, "default")


def test_where(tmp_path: Path) -> None:
    assert spantape("where", folder=tmp_path) == f"{tmp_path}\n"
    assert spantape("where", "--dir", "other", folder=tmp_path) == f"{tmp_path / 'other'}\n"


def test_help_is_there_for_every_command(tmp_path: Path) -> None:
    from spantape.cli import COMMANDS

    told = spantape("--help", folder=tmp_path)
    for name, about in COMMANDS.items():
        assert f"  {name} " in told
        assert about.split()[0] in told


def test_completion_of_the_shell(tmp_path: Path) -> None:
    assert "_spantape_completion" in spantape(folder=tmp_path, _SPANTAPE_COMPLETE="bash_source")
    asked = {"_SPANTAPE_COMPLETE": "bash_complete", "COMP_CWORD": "1"}
    assert spantape(folder=tmp_path, **asked, COMP_WORDS="spantape st") == "plain,stats\nplain,status\n"
