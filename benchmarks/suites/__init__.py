"""Everything that is measured: add a module, and name it here."""

from __future__ import annotations

from suites.langchain import LANGCHAIN
from suites.openai import OPENAI

SUITES = {"openai": OPENAI, "langchain": LANGCHAIN}
