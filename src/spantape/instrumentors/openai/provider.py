"""Which provider answers at an address: OpenAI-compatible APIs are told apart by their host."""

from __future__ import annotations

import weakref
from functools import lru_cache
from typing import Any

from ... import semconv
from ...content import Attributes

# Host suffix → gen_ai.provider.name: the conventions' value where there is one, else the name people use.
_BY_SUFFIX = {
    "openai.azure.com": "azure.ai.openai",
    "cognitiveservices.azure.com": "azure.ai.openai",
    "services.ai.azure.com": "azure.ai.inference",
    "inference.ai.azure.com": "azure.ai.inference",
    "openai.com": "openai",
    "deepseek.com": "deepseek",
    "moonshot.cn": "moonshot_ai",
    "moonshot.ai": "moonshot_ai",
    "dashscope.aliyuncs.com": "dashscope",
    "dashscope-intl.aliyuncs.com": "dashscope",
    "bigmodel.cn": "zhipu",
    "z.ai": "zhipu",
    "groq.com": "groq",
    "mistral.ai": "mistral_ai",
    "x.ai": "x_ai",
    "perplexity.ai": "perplexity",
    "anthropic.com": "anthropic",
    "cohere.com": "cohere",
    "cohere.ai": "cohere",
    "generativelanguage.googleapis.com": "gcp.gemini",
    "aiplatform.googleapis.com": "gcp.vertex_ai",
    "openrouter.ai": "openrouter",
    "together.xyz": "together",
    "together.ai": "together",
    "fireworks.ai": "fireworks",
    "cerebras.ai": "cerebras",
    "siliconflow.cn": "siliconflow",
    "siliconflow.com": "siliconflow",
    "volces.com": "volcengine",
    "minimax.chat": "minimax",
    "minimaxi.com": "minimax",
    "baichuan-ai.com": "baichuan",
    "lingyiwanwu.com": "lingyiwanwu",
    "stepfun.com": "stepfun",
    "hunyuan.cloud.tencent.com": "hunyuan",
    "qianfan.baidubce.com": "qianfan",
    "ai.nvidia.com": "nvidia",
    "api.nvidia.com": "nvidia",
    "huggingface.co": "huggingface",
    "deepinfra.com": "deepinfra",
    "novita.ai": "novita",
    "sambanova.ai": "sambanova",
    "githubcopilot.com": "github",
    "models.github.ai": "github",
}
_clients: weakref.WeakKeyDictionary[Any, tuple[Any, Attributes]] = weakref.WeakKeyDictionary()
# Servers that people run themselves are known by a label of the host's name, or by their usual port.
_BY_LABEL = ("ollama", "vllm", "sglang", "lmstudio", "litellm")
_BY_PORT = {11434: "ollama", 1234: "lmstudio"}


def provider_of(host: str, port: int | None) -> str:
    """Give the provider's name for a host and port; the host itself when nothing is known of it."""
    host = host.lower().rstrip(".")
    for suffix in _suffixes(host):
        if suffix in _BY_SUFFIX:
            return _BY_SUFFIX[suffix]
    for name in _BY_LABEL:
        if any(label.startswith(name) for label in host.split(".")):
            return name
    return _BY_PORT.get(port or 0) or host


def whereabouts(client: Any) -> Attributes:
    """Give whom a client talks to, and where; made anew when its address is another one."""
    url = getattr(client, "_base_url", None)  # what stands behind the property is not imported at each call
    known, where = _clients.get(client, (None, {}))
    if known is None or known is not url:
        where = _where(client, client.base_url)
        _clients[client] = (url, where)
    return where


def _where(client: Any, url: Any) -> Attributes:
    return at_address(str(url.scheme), str(url.host), url.port, "Azure" in type(client).__name__)


@lru_cache(maxsize=256)
def at_address(scheme: str, host: str, port: int | None, is_azure: bool) -> Attributes:
    """Give who answers at an address, and the address."""
    port = port or {"https": 443, "http": 80}.get(scheme)
    provider = "azure.ai.openai" if is_azure else provider_of(host, port)
    where = {semconv.PROVIDER: provider, semconv.SERVER_ADDRESS: host}
    return where if port is None else where | {semconv.SERVER_PORT: port}


def _suffixes(host: str) -> list[str]:
    labels = host.split(".")
    return [".".join(labels[start:]) for start in range(len(labels))]
