"""Where in the record of a call each attribute of its span stands. Tables."""

from __future__ import annotations

from . import semconv

KEYS = (
    *("id", "timestamp", "session_id", "message_id", "role_name", "step_id", "round_index", "provider", "model"),
    *("prompt", "response", "success", "error_message", "performance_metrics", "metadata", "trace_id", "span_id"),
    *("parent_span_id", "operation", "user_id", "agent_key", "conversation_id", "request", "messages"),
    *("output_messages", "finish_reasons", "usage", "cost", "timing", "error", "status", "retries", "response_id"),
    *("request_id", "server", "source"),
)
_PLAIN = {
    "session_id": semconv.SESSION_ID,
    "message_id": semconv.MESSAGE_ID,
    "role_name": semconv.ROLE_NAME,
    "step_id": semconv.STEP_ID,
    "round_index": semconv.ROUND_INDEX,
    "provider": semconv.PROVIDER,
    "operation": semconv.OPERATION,
    "user_id": semconv.USER_ID,
    "agent_key": semconv.AGENT_KEY,
    "conversation_id": semconv.CONVERSATION_ID,
    "finish_reasons": semconv.RESPONSE_FINISH_REASONS,
    "retries": semconv.RETRIES,
    "response_id": semconv.RESPONSE_ID,
    "request_id": semconv.REQUEST_ID,
}
USAGE = {
    "input_tokens": semconv.INPUT_TOKENS,
    "output_tokens": semconv.OUTPUT_TOKENS,
    "cache_read_input_tokens": semconv.CACHE_READ_TOKENS,
    "cache_write_input_tokens": semconv.CACHE_WRITE_TOKENS,
    "reasoning_output_tokens": semconv.REASONING_TOKENS,
    "text_input_tokens": semconv.TEXT_INPUT_TOKENS,
    "text_output_tokens": semconv.TEXT_OUTPUT_TOKENS,
    "text_cache_read_input_tokens": semconv.TEXT_CACHE_READ_TOKENS,
    "image_input_tokens": semconv.IMAGE_INPUT_TOKENS,
    "image_output_tokens": semconv.IMAGE_OUTPUT_TOKENS,
    "image_cache_read_input_tokens": semconv.IMAGE_CACHE_READ_TOKENS,
    "audio_input_tokens": semconv.AUDIO_INPUT_TOKENS,
    "audio_output_tokens": semconv.AUDIO_OUTPUT_TOKENS,
    "audio_cache_read_input_tokens": semconv.AUDIO_CACHE_READ_TOKENS,
    "svg_input_tokens": semconv.SVG_INPUT_TOKENS,
    "svg_output_tokens": semconv.SVG_OUTPUT_TOKENS,
    "seconds": semconv.SECONDS,
}
COST = {
    "input": semconv.COST_INPUT,
    "output": semconv.COST_OUTPUT,
    "cached": semconv.COST_CACHED,
    "total": semconv.COST_TOTAL,
    "currency": semconv.COST_CURRENCY,
    "source": semconv.COST_SOURCE,
    "price_date": semconv.COST_PRICE_DATE,
}
_REQUEST = {
    "model": semconv.REQUEST_MODEL,
    "temperature": semconv.REQUEST_TEMPERATURE,
    "top_p": semconv.REQUEST_TOP_P,
    "top_k": semconv.REQUEST_TOP_K,
    "max_tokens": semconv.REQUEST_MAX_TOKENS,
    "frequency_penalty": semconv.REQUEST_FREQUENCY_PENALTY,
    "presence_penalty": semconv.REQUEST_PRESENCE_PENALTY,
    "stop": semconv.REQUEST_STOP_SEQUENCES,
    "seed": semconv.REQUEST_SEED,
    "n": semconv.REQUEST_CHOICE_COUNT,
    "stream": semconv.REQUEST_STREAM,
    "reasoning_effort": semconv.REQUEST_REASONING_LEVEL,
    "output_type": semconv.OUTPUT_TYPE,
    "service_tier": semconv.OPENAI_REQUEST_SERVICE_TIER,
    "previous_response_id": semconv.REQUEST_PREVIOUS_RESPONSE_ID,
    "stream_cursor": semconv.REQUEST_STREAM_CURSOR,
    "prompt_name": semconv.PROMPT_NAME,
    "prompt_version": semconv.PROMPT_VERSION,
}
_ERROR = {
    "type": semconv.ERROR_TYPE,
    "message": semconv.ERROR_MESSAGE,
    "code": semconv.ERROR_CODE,
    "status_code": semconv.HTTP_STATUS,
    "provider_type": semconv.PROVIDER_ERROR_TYPE,
}
_OWN = {
    "session_topic": semconv.TOPIC,
    "api_response_time": semconv.SERVER_TIME,
    "model_used": semconv.RESPONSE_MODEL,
    "stream_end": semconv.STREAM_END,
    "service_tier": semconv.OPENAI_RESPONSE_SERVICE_TIER,
    "response_status": semconv.RESPONSE_STATUS,
    "api_type": semconv.OPENAI_API_TYPE,
    "cache_hit": semconv.CACHE_HIT,
    "counted_tokens": semconv.COUNTED_TOKENS,
    "content_dropped": semconv.CONTENT_DROPPED,
}
HEADERS = {"request_headers": semconv.REQUEST_HEADER, "response_headers": semconv.RESPONSE_HEADER}
"""Where in the metadata the headers are, and how their attributes begin."""
OWN_METADATA = frozenset({"stage", *_OWN, *HEADERS})
"""What the metadata holds that nobody has given to a session."""
_SERVER = {"address": semconv.SERVER_ADDRESS, "port": semconv.SERVER_PORT}
_CODE = {"function": semconv.CODE_FUNCTION, "file": semconv.CODE_FILE, "line": semconv.CODE_LINE}


_SECTIONS = {
    "metadata": _OWN,
    "request": _REQUEST,
    "usage": USAGE,
    "cost": COST,
    "error": _ERROR,
    "server": _SERVER,
    "source": _CODE,
}
PLACES = {key: ("", name) for name, key in _PLAIN.items()} | {
    key: (section, name) for section, table in _SECTIONS.items() for name, key in table.items()
}
"""By attribute: the section of the record, or none, and the key there."""
