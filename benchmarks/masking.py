"""What it costs to look for secrets and personal data in texts that have none: `python benchmarks/masking.py`.

Prints nanoseconds a character, for the default (secrets only) and for everything; the limit is 10 (1 µs per 100
characters).
"""

from __future__ import annotations

import sys
import time

from spantape.masking import Masking

TEXTS = {
    "prose": "The quick brown fox jumps over the lazy dog, as people write it: with commas; on 3 May, at 10:15. ",
    "Chinese": "今天天气很好，我们去公园散步吧。这是一个测试的句子，里面有３个全角数字，没有敏感信息。",
    "code": "def find(self, number_of_attempts: int) -> str:\n"
    "    return self._table.get(number_of_attempts, 'x')  # why\n",
    "JSON": '{"id":"chatcmpl-9aBcD","created":1715000000,"ok":true,"items":[{"name":"a","price":12.5},{"name":"b"}]} ',
    "log": "2024-05-06 12:33:44,123 INFO [worker-7] request 1715000000123 took 0.532 s, status=200, "
    "id=7c9e6679-7425-40de-944b-e07fc1f90ae7\n",
}
_CHARS = 4_000
_RUNS = 50


def nanoseconds(masking: Masking, text: str) -> float:
    """Give what one character takes: the best of some rounds."""
    best = float("inf")
    for _ in range(15):
        start = time.process_time()
        for _ in range(_RUNS):
            masking.text(text)
        best = min(best, (time.process_time() - start) / _RUNS)
    return best / len(text) * 1e9


def main() -> int:
    print("| text | secrets | all |")
    print("| --- | ---: | ---: |")
    for name, sample in TEXTS.items():
        text = sample * (_CHARS // len(sample))
        figures = [nanoseconds(Masking((group,)), text) for group in ("secrets", "all")]
        print(f"| {name} | " + " | ".join(f"{figure:.1f}" for figure in figures) + " |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
