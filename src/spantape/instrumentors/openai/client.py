"""The choke point of the openai package: every call of every resource passes through `request` of the base client.

Read here: the body that is about to be sent (already serialised: the user's own arguments are never touched), the
response's headers and body, and the stream objects. `post_parser`, which the client calls with each typed result or
stream, lets us see streams that are parsed late. Where one of the private names is gone, only its details are missing.
"""

from __future__ import annotations

import copy
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from ... import semconv
from ...content import Attributes
from ...guard import guard
from ...jsontext import Json
from .._call import Call, Endpoint, Frame, Tape, body_of
from .._mapping import fields, given, plain
from .._stream import Tee, WatchedBytes, end_with, watch
from . import chat
from .provider import address, provider_of

ENDPOINTS: Mapping[tuple[str, str], Endpoint] = {
    ("post", "/chat/completions"): chat.ENDPOINT,
}
"""What is recorded, by method and path; everything else is passed through."""


class Wrappers:
    """The functions that stand around the client's own; quiet once `active` is False."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self.active = True

    def sync(self, wrapped: Callable[..., Any], client: Any, args: Any, kwargs: Any) -> Any:
        """Stand around `SyncAPIClient.request`."""
        opening = Opening(self, client, args, kwargs)
        with Frame(opening.begin):
            return opening.returned(wrapped(*opening.args, **opening.kwargs))

    async def asynchronous(self, wrapped: Callable[..., Awaitable[Any]], client: Any, args: Any, kwargs: Any) -> Any:
        """Stand around `AsyncAPIClient.request`."""
        opening = Opening(self, client, args, kwargs)
        with Frame(opening.begin):
            return opening.returned(await wrapped(*opening.args, **opening.kwargs))

    def building(self, wrapped: Callable[..., Any], client: Any, args: Any, kwargs: Any) -> Any:  # noqa: ARG002
        """Stand around `_build_request`, which runs once an attempt."""
        with guard:
            parser = _parser_of(args, kwargs)
            if parser is not None:
                parser.call.attempts += 1
        return wrapped(*args, **kwargs)

    def processing(self, wrapped: Callable[..., Any], client: Any, args: Any, kwargs: Any) -> Any:  # noqa: ARG002
        """Stand around `_process_response`, sync or async: it is only looked at what goes in."""
        with guard:
            parser = _parser_of(args, kwargs)
            if parser is not None:
                _received(parser.call, kwargs["response"], streamed=bool(kwargs.get("stream")))
        return wrapped(*args, **kwargs)

    def open(self, client: Any, options: Any) -> Call | None:
        """Open the call that the options describe, or none when it is not to be recorded."""
        endpoint = ENDPOINTS.get((str(options.method).lower(), _path(str(options.url)))) if self.active else None
        if endpoint is None or isinstance(options.post_parser, PostParser):
            return None
        return Call(self._tape, endpoint, _where(client), _body(options))


class Opening:
    """The arguments of one `request`, exchanged for ours when the call is recorded."""

    def __init__(self, wrappers: Wrappers, client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._wrappers, self._client = wrappers, client
        self.args, self.kwargs = args, kwargs
        self._call: Call | None = None

    def begin(self) -> Call | None:
        """Open the call and put its parser into a copy of the options."""
        options = self.kwargs["options"] if "options" in self.kwargs else self.args[1]
        ours = copy.copy(options)  # before the call is opened: once it is, nothing may fail
        call = self._wrappers.open(self._client, options)
        if call is not None:
            ours.post_parser = PostParser(call, options.post_parser)
            self.args = tuple(ours if arg is options else arg for arg in self.args)
            self.kwargs = {name: ours if arg is options else arg for name, arg in self.kwargs.items()}
            self._call = call
        return call

    def returned(self, result: Any) -> Any:
        """Take what the client gives back, and give it on: the very same object."""
        if self._call is not None:
            done = False
            with guard:
                _result(self._call, result)
                done = True
            if not done:
                with guard:
                    self._call.end()
        return result


class PostParser:
    """Called by the client with each parsed result: lets the call see it, then does what the user's parser does."""

    def __init__(self, call: Call, users: Any) -> None:
        self.call = call
        self._users = users

    def __call__(self, parsed: Any) -> Any:
        """Look at a result; the user's own parser has the last word."""
        with guard:
            if _is_stream(parsed):
                watch(parsed, self.call)
        return self._users(parsed) if callable(self._users) else parsed


def _parser_of(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> PostParser | None:
    options = kwargs["options"] if "options" in kwargs else args[0]
    return options.post_parser if isinstance(options.post_parser, PostParser) else None


def _received(call: Call, response: Any, *, streamed: bool) -> None:
    call.note(_headers(response.headers))
    if response.is_closed and not streamed:
        body = body_of(response.content)
        if body is not None:
            call.answered(body)
        return
    raw = response.request.headers.get("x-stainless-raw-response") == "stream"
    tee = (
        Tee(call, response.headers.get("content-type", ""), response.headers.get("content-encoding", ""))
        if raw
        else None
    )
    response.stream = WatchedBytes(response.stream, call, tee)
    end_with(response, call)


def _headers(headers: Any) -> Attributes:
    milliseconds = headers.get("openai-processing-ms", "")
    return {
        semconv.REQUEST_ID: headers.get("x-request-id") or headers.get("apim-request-id"),
        semconv.SERVER_TIME: int(milliseconds) if milliseconds.isdigit() else None,
    }


def _result(call: Call, result: Any) -> None:
    """End the call, unless there is something left to read."""
    raw = getattr(result, "http_response", None)
    if _is_stream(result):
        if not call.watched:  # the client did not show it to the parser
            watch(result, call)
        return
    if raw is not None and isinstance(raw.stream, WatchedBytes):
        return
    if not call.is_answered and raw is None:
        body = plain(result)  # the private hook is gone: what was parsed has to do
        if isinstance(body, Mapping):
            call.answered(body)
    call.end()


def _is_stream(result: Any) -> bool:
    return hasattr(result, "_iterator") and hasattr(result, "__stream__")


def _where(client: Any) -> Attributes:
    host, port = address(client)
    provider = provider_of(host, port, type(client).__name__)
    return {semconv.PROVIDER: provider, semconv.SERVER_ADDRESS: host, semconv.SERVER_PORT: port}


def _path(url: str) -> str:
    """Give the path below the API's root: absolute addresses are recognised by their end."""
    path = "/" + url.partition("?")[0].strip("/")
    if "://" not in url:
        return path
    return next((known for _, known in ENDPOINTS if path.endswith(known)), path)


def _body(options: Any) -> Mapping[str, Json]:
    """Give what will be sent: the body, with `extra_body` laid over it, as the client does."""
    return given({**fields(options.json_data), **fields(getattr(options, "extra_json", None))})
