"""Microsoft Presidio as a detector, for names and places that no pattern finds: install `presidio-analyzer`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from .detector import Detector


def presidio(
    analyzer: Any = None, *, language: str = "en", entities: Sequence[str] | None = None, score: float = 0.5
) -> Detector:
    """Give a detector that asks Presidio: `instrument(mask=["personal", presidio()])`.

    `analyzer` is an `AnalyzerEngine`, by default a new one. It takes milliseconds a text, in the thread of the caller.
    """
    if analyzer is None:
        from presidio_analyzer import AnalyzerEngine

        analyzer = AnalyzerEngine()

    def find(text: str) -> Iterable[tuple[int, int]]:
        found = analyzer.analyze(text=text, language=language, entities=entities, score_threshold=score)
        return [(one.start, one.end) for one in found]

    return Detector("presidio", find)
