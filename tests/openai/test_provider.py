"""The provider is told by the host."""

from __future__ import annotations

import pytest

import openai
from spantape.instrumentors.openai.provider import provider_of, whereabouts

HOSTS = {
    "api.openai.com": "openai",
    "eu.api.openai.com": "openai",
    "my-company.openai.azure.com": "azure.ai.openai",
    "x.services.ai.azure.com": "azure.ai.inference",
    "api.deepseek.com": "deepseek",
    "api.moonshot.cn": "moonshot_ai",
    "dashscope.aliyuncs.com": "dashscope",
    "open.bigmodel.cn": "zhipu",
    "api.groq.com": "groq",
    "generativelanguage.googleapis.com": "gcp.gemini",
    "ark.cn-beijing.volces.com": "volcengine",
    "API.OpenAI.com.": "openai",
    "vllm.inference.svc.cluster.local": "vllm",
    "ollama": "ollama",
    "gateway.example.com": "gateway.example.com",
    "notopenai.com": "notopenai.com",
    "openai.com.evil.example": "openai.com.evil.example",
    "127.0.0.1": "127.0.0.1",
}


@pytest.mark.parametrize("host", HOSTS)
def test_by_host(host: str) -> None:
    assert provider_of(host, 443) == HOSTS[host]


def test_by_port_and_class() -> None:
    assert provider_of("localhost", 11434) == "ollama"
    assert provider_of("localhost", 8000) == "localhost"
    azure = openai.AsyncAzureOpenAI(api_key="k", api_version="1", base_url="https://proxy.example.com")
    assert whereabouts(azure)["gen_ai.provider.name"] == "azure.ai.openai"
