"""A recorded tree whose every byte is known, and the command as a process over it."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from unittest import mock

DAY = "2026-11-21"
ZONE = "UTC-8"  # POSIX for eight hours east of Greenwich, which every libc knows


def said(role: str, text: str) -> dict[str, Any]:
    return {"role": role, "parts": [{"type": "text", "content": text}]}


def record(number: int, **changed: Any) -> dict[str, Any]:
    """Give the record of the call that started `number` seconds after noon."""
    prompt, response = changed.get("prompt", f"question {number}"), changed.get("response", f"answer {number}")
    made = {
        "id": f"{number:08x}-0000-5000-8000-000000000000",
        "timestamp": f"{DAY}T12:00:{number:02}.000000+08:00",
        "session_id": "5",
        "message_id": None,
        "role_name": None,
        "provider": "openai",
        "model": "gpt-4o-mini",
        "prompt": prompt,
        "response": response,
        "success": True,
        "error_message": None,
        "metadata": {"stage": "completed", "model_used": "gpt-4o-mini-2024-07-18"},
        "trace_id": f"{number:032x}",
        "span_id": f"{number:016x}",
        "operation": "chat",
        "user_id": "ada",
        "agent_key": None,
        "request": {"model": "gpt-4o-mini", "temperature": 0.3},
        "messages": [said("user", prompt)],
        "output_messages": [{**said("assistant", response), "finish_reason": "stop"}] if response else None,
        "finish_reasons": ["stop"] if response else None,
        "usage": {"input_tokens": 1000, "output_tokens": 200, "total_tokens": 1200},
        "cost": {"input": 0.00015, "output": 0.00012, "total": 0.00027, "currency": "USD", "source": "genai-prices@1"},
        "timing": {
            "start_time": f"{DAY}T12:00:{number:02}.000000+08:00",
            "end_time": f"{DAY}T12:00:{number + 1:02}.500000+08:00",
            "duration_ms": 1500.0,
            "time_to_first_chunk_ms": None,
        },
        "error": None,
        "status": "success",
        "retries": 0,
        "request_id": f"req_{number}",
        "server": {"address": "api.openai.com", "port": 443},
        "source": {"service": "shop", "function": "app.ask", "file": "/srv/app.py", "line": 7},
    }
    return made | changed


FAILED = record(
    3,
    id="fa11ed00-0000-5000-8000-000000000000",
    response=None,
    success=False,
    status="failed",
    retries=2,
    usage=None,
    cost=None,
    error_message="Error code: 429 - slow down",
    error={
        "type": "openai.RateLimitError",
        "message": "Error code: 429 - slow down",
        "code": "rate",
        "status_code": 429,
    },
)
CHINESE = record(
    2,
    prompt="选择一款产品 🙂",
    response="好的，以下是三款产品。",
    session_id="产品专员",
    user_id="grace",
    model="qwen-max",
    request={"model": "qwen-max", "tools": [{"type": "function", "name": "get_weather"}]},
)
RECORDS = [
    record(0),
    record(1, messages=[said("user", "question 0"), said("assistant", "answer 0"), said("user", "more")]),
    CHINESE,
    FAILED,
]


def tree(folder: Path, records: list[dict[str, Any]] | None = None) -> Path:
    """Write records as the recorder does, below a folder."""
    records = RECORDS if records is None else records
    write(folder / "by_date" / f"{DAY}_all_interactions.json", records)
    write(folder / "errors" / f"{DAY}_errors.json", [each for each in records if not each["success"]])
    for session in {each["session_id"] for each in records}:
        from spantape.sinks.files import layout

        write(folder / layout.session_file(session, DAY), [each for each in records if each["session_id"] == session])
    return folder


def write(file: Path, records: list[dict[str, Any]]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    lines = ",\n".join(json.dumps(each, ensure_ascii=False, separators=(",", ":")) for each in records)
    file.write_text(f"[\n{lines}\n]\n" if records else "[\n]\n", encoding="utf-8")


def spantape(*words: str, folder: Path, code: int = 0, **more: str) -> str:
    """Run the command, and give what it printed."""
    done = process(*words, folder=folder, **more)
    assert done.returncode == code, done.stderr
    return done.stdout


def process(*words: str, folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a process would, but in this one: its goldens are of real processes."""
    from spantape.cli import main

    before, here = dict(os.environ), Path.cwd()
    streams = [io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in "oe"]
    with (
        mock.patch.object(sys, "argv", ["spantape", *words]),
        mock.patch.object(sys, "stdin", io.StringIO()),
        mock.patch.object(sys, "stdout", streams[0]),
        mock.patch.object(sys, "stderr", streams[1]),
    ):
        try:
            _become(environment(folder, **more), folder)
            main()
            code: object = 0
        except SystemExit as end:
            code = end.code or 0
        finally:
            _become(before, here)
    told = []
    for stream in streams:
        stream.flush()
        told.append(stream.buffer.getvalue().decode())  # type: ignore[attr-defined]
    return subprocess.CompletedProcess(words, int(str(code)), *told)


def _become(variables: dict[str, str], folder: Path) -> None:
    os.environ.clear()
    os.environ.update(variables)
    if hasattr(time, "tzset"):
        time.tzset()
    os.chdir(folder)


def real(*words: str, folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "spantape", *words],
        check=False,
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        cwd=folder,
        env=environment(folder, **more),
    )


def environment(folder: Path, **more: str) -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("SPANTAPE_", "OTEL_", "LLM_"))}
    return ours | {"SPANTAPE_BASE_DIR": str(folder), "TZ": ZONE, "NO_COLOR": "1", "COLUMNS": "80"} | more
