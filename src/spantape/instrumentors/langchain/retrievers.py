"""Retriever runs → attributes; pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ... import semconv
from ...content import Attributes
from ...jsontext import Json
from .._endpoint import Endpoint
from .._mapping import fields, items, plain, text, whole


def where(metadata: Mapping[str, Any], name: str | None) -> Attributes:
    """Give what is known of a retriever run when it begins."""
    found = {
        semconv.STEP_NAME: name,
        semconv.REQUEST_MODEL: text(metadata.get("ls_embedding_model")),
        semconv.PROVIDER: text(metadata.get("ls_vector_store_provider")),
    }
    return {key: value for key, value in found.items() if value is not None}


def _request(body: Mapping[str, Any]) -> Attributes:
    asked = getattr(body["retriever"], "search_kwargs", None)
    return {semconv.RETRIEVAL_TOP_K: whole(fields(asked).get("k") or getattr(body["retriever"], "k", None))}


def _asked(body: Mapping[str, Any]) -> Attributes:
    return {semconv.RETRIEVAL_QUERY: text(body["query"])}


def _answered(body: Mapping[str, Any]) -> Attributes:
    return {semconv.RETRIEVAL_DOCUMENTS: [_document(one) for one in items(body["documents"])] or None}


def _response(body: Mapping[str, Any]) -> Attributes:  # noqa: ARG001 - what was found is content
    return {}


def _document(found: Mapping[str, Any]) -> dict[str, Json]:
    about = fields(found.get("metadata"))
    document = {
        "id": plain(found.get("id") or about.get("id")),
        "score": plain(about.get("score") or about.get("relevance_score")),
        "content": found.get("page_content"),
        "metadata": plain(about) or None,
    }
    return {key: value for key, value in document.items() if value is not None}


RETRIEVER = Endpoint(semconv.RETRIEVAL, _request, _response, _asked, _answered, named_by=semconv.STEP_NAME)
