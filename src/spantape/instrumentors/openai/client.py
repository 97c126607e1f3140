"""The choke point of the openai package: every call of every resource passes through `request` of the base client.

Read here: the body that is about to be sent (already serialised: the user's own arguments are never touched), the
response's headers and body, and the stream objects. `post_parser`, which the client calls with each typed result or
stream, lets us see streams that are parsed late. Where one of the private names is gone, only its details are missing.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from functools import partial
from typing import Any

from ... import semconv
from ...content import Attributes
from ...guard import guard
from ...jsontext import Json
from .._around import Function
from .._body import body_of, events, is_events
from .._call import Call
from .._enclosing import opened
from .._endpoint import Request
from .._frame import Frame
from .._mapping import fields, given, plain
from .._neighbours import is_suppressed
from .._packed import unpacker
from .._stream import Tee, WatchedBytes, end_with, watch
from .._tape import Tape
from .include_usage import ask_for_usage
from .keys import keys_of
from .provider import whereabouts
from .routes import Route, route
from .uploads import uploads

_HEADERS = {
    name.encode(): name
    for name in ("content-type", "content-encoding", "x-request-id", "apim-request-id", "openai-processing-ms")
}
Arguments = tuple[tuple[Any, ...], dict[str, Any]]


class Wrappers:
    """The functions that stand around the client's own; quiet once `active` is False."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self.active = True

    def sync(self, original: Function) -> Function:
        """Make what stands around `SyncAPIClient.request`."""

        def request(client: Any, *args: Any, **kwargs: Any) -> Any:
            call = self._opened(client, args, kwargs)
            if call is None:
                return original(client, *args, **kwargs)
            args, kwargs = self._shown(call, args, kwargs)
            with Frame(call):
                return _returned(call, original(client, *args, **kwargs))

        return request

    def asynchronous(self, original: Function) -> Function:
        """Make what stands around `AsyncAPIClient.request`."""

        async def request(client: Any, *args: Any, **kwargs: Any) -> Any:
            call = self._opened(client, args, kwargs)
            if call is None:
                return await original(client, *args, **kwargs)
            args, kwargs = self._shown(call, args, kwargs)
            with Frame(call):
                return _returned(call, await original(client, *args, **kwargs))

        return request

    def processing(self, original: Function) -> Function:
        """Make what stands around `_process_response`, sync or async: it is only looked at what goes in."""

        def process_response(client: Any, *args: Any, **kwargs: Any) -> Any:
            parser = getattr(kwargs.get("options"), "post_parser", None)
            if type(parser) is PostParser:
                with guard:
                    _received(parser.call, kwargs["response"], streamed=bool(kwargs.get("stream")))
            return original(client, *args, **kwargs)

        return process_response

    def _opened(self, client: Any, args: Any, kwargs: Any) -> Call | None:
        """Open the call that the options describe; None when it is not to be recorded."""
        if not self.active or is_suppressed(client):
            return None
        with guard:
            if self._tape.looks_away():
                return None
            options = _options(args, kwargs)
            found = route(options.method, options.url)
            if found is None or type(options.post_parser) is PostParser:
                return None
            keys = partial(keys_of, client, options.headers)  # asked for when they are needed: the client may renew one
            call = opened(self._tape, Request(found.endpoint, whereabouts(client), _body(options, found), keys))
            return call if call.is_told else None
        return None

    def _shown(self, call: Call, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Arguments:
        """Give the arguments with our parser in a copy of the options: the user's may be used again."""
        with guard:
            options = _options(args, kwargs)
            ours = copy.copy(options)
            vars(ours)["post_parser"] = PostParser(call, options.post_parser)  # a model sets as slowly as it is copied
            if call.endpoint.tells_usage_if_asked and self._tape.asks_for_usage(call.host):
                ask_for_usage(ours, call)
            if "options" in kwargs:
                return args, {**kwargs, "options": ours}
            return (args[0], ours, *args[2:]), kwargs
        return args, kwargs


class PostParser:
    """Called by the client with each parsed result: lets the call see it, then does what the user's parser does.

    Options that have one are those of a call of ours.
    """

    __slots__ = ("_users", "call")

    def __init__(self, call: Call, users: Any) -> None:
        self.call = call
        self._users = users

    def __call__(self, parsed: Any) -> Any:
        """Look at a result; the user's own parser has the last word."""
        with guard:
            if self.call.body is None:  # to ask a model whether it is a stream takes its time
                self._look_at(parsed)
        result = self._users(parsed) if callable(self._users) else parsed
        with guard:
            self.call.gave(result)
        return result

    def _look_at(self, parsed: Any) -> None:
        if _is_stream(parsed):
            watch(parsed, self.call)
        elif self.call.endpoint.typed:
            self.call.answered(fields(parsed))


def _options(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    return kwargs["options"] if "options" in kwargs else args[1]


def _returned(call: Call, result: Any) -> Any:
    """Take what the client gives back, and give it on: the very same object."""
    with guard:
        call.gave(result)
        if _is_complete(call, result):
            call.end()
        return result
    with guard:
        call.end()
    return result


def _received(call: Call, response: Any, *, streamed: bool) -> None:
    headers = _headers(response.headers)
    call.note(_told(headers))
    call.received(response)
    if response.is_closed and response.is_stream_consumed and not streamed:
        if not call.endpoint.typed or _raw(response):  # who asks for the raw response may never parse it
            _read(call, response.content, headers.get("content-type", ""))
        return
    unpack = unpacker(response, headers.get("content-encoding", "")) if _raw(response) == "stream" else None
    tee = Tee(call, headers.get("content-type", ""), unpack) if unpack is not None else None
    response.stream = WatchedBytes(response.stream, call, tee)
    end_with(response, call)


def _raw(response: Any) -> str | None:
    """Give in which way the application has asked for the response itself, if it has."""
    raw: str | None = response.request.headers.get("x-stainless-raw-response")
    return raw


def _read(call: Call, data: bytes, content_type: str) -> None:
    """Take a body that the client has in memory."""
    if is_events(content_type):
        call.replayed(events(data))
        return
    body = body_of(data, content_type)
    if body is not None:
        call.answered(body)


def _headers(headers: Any) -> Mapping[str, str]:
    """Give the headers that tell something; asked for one by one, each is looked for in all of them."""
    return {name: value.decode("latin-1") for key, value in headers.raw if (name := _HEADERS.get(key.lower()))}


def _told(headers: Mapping[str, str]) -> Attributes:
    milliseconds = headers.get("openai-processing-ms", "")
    is_time = milliseconds.isdecimal() and len(milliseconds) < 19  # no exporter takes more than 64 bits
    told: Attributes = {semconv.SERVER_TIME: int(milliseconds)} if is_time else {}
    return told | {semconv.REQUEST_ID: headers.get("x-request-id") or headers.get("apim-request-id")}


def _is_complete(call: Call, result: Any) -> bool:
    """Say whether nothing is left to be read."""
    if call.body is not None and call.chunks is None:
        return True
    if _is_stream(result):
        if not call.watched:  # the client did not show it to the parser
            watch(result, call)
        return False
    raw = getattr(result, "http_response", None)
    if raw is not None and isinstance(raw.stream, WatchedBytes):
        return False
    if call.body is None and raw is None:
        body = plain(result)  # the private hook is gone: what was parsed has to do
        if isinstance(body, (Mapping, str)):
            call.answered(body if isinstance(body, Mapping) else {"text": body})
    return True


def _is_stream(result: Any) -> bool:
    return hasattr(result, "_iterator") and hasattr(result, "__stream__")


def _body(options: Any, found: Route) -> Mapping[str, Json]:
    """Give what will be sent: the body, with `extra_body` laid over it, as the client does, or the query of a GET;
    the files that go with it; and the ids of the path.
    """
    query = fields(options.params) if options.params and str(options.method).lower() == "get" else {}
    extra = getattr(options, "extra_json", None)
    sent = {**query, **fields(options.json_data), **(fields(extra) if extra else {}), **found.ids}
    files = uploads(options.files) if options.files else ()
    return given({**sent, "files": files} if files else sent)
