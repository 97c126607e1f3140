"""An agent of LangGraph with a tool, whose model is that of a purpose. See examples/demo.py."""

from __future__ import annotations

from typing import Any

from langchain.agents import create_agent
from langchain_core.tools import tool

import spantape
from spantape.langchain import get_llm


@tool
def get_weather(city: str) -> str:
    """Tell the weather in a city."""
    return f"{city}: 晴 ☀️ 23°C"


def ask(question: str, **options: Any) -> str:
    """Have the model ask for the tool, then answer with its result."""
    agent = create_agent(get_llm("weather", model="gpt-4o-mini", **options), [get_weather], name="weather agent")
    with spantape.session("trip-7", user_id="ada"):
        answer = agent.invoke({"messages": [{"role": "user", "content": question}]})
    return str(answer["messages"][-1].content)
