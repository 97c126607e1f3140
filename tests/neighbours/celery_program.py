"""A Celery application with a folder for its broker and one task, which asks the model; run, it is its worker."""

from __future__ import annotations

import os
from pathlib import Path

import openai
import spantape

if os.environ["RECORDS_FROM"] == "before celery":
    spantape.instrument(base_dir="records", flush_interval=3600)

from celery import Celery, signals

if os.environ["RECORDS_FROM"] == "the application":
    spantape.instrument(base_dir="records", flush_interval=3600)


@signals.worker_process_init.connect(weak=False)
def started(**_: object) -> None:
    if os.environ["RECORDS_FROM"] == "each worker":
        spantape.instrument(base_dir="records", flush_interval=3600)


for name in ("queue", "control"):
    Path(name).mkdir(exist_ok=True)
application = Celery("celery_program", broker="filesystem://")
application.conf.broker_transport_options = {
    "data_folder_in": "queue",
    "data_folder_out": "queue",
    "control_folder": "control",
}


@application.task(name="ask")
def ask(number: int) -> None:
    client = openai.OpenAI(base_url=os.environ["SERVER"], api_key="test")
    client.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": f"Number {number}"}])


if __name__ == "__main__":
    application.worker_main(["worker", "--pool=prefork", "--concurrency=2", "--loglevel=WARNING", "--without-mingle"])
