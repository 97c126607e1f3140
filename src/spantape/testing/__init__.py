"""A scripted, OpenAI-compatible HTTP server on loopback, for tests which must not touch the network."""

from __future__ import annotations

from .replies import Reply, completion, error, stream
from .request import Request
from .responses import response, response_stream
from .server import ScriptedServer

__all__ = ["Reply", "Request", "ScriptedServer", "completion", "error", "response", "response_stream", "stream"]
