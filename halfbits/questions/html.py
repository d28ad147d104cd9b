"""The bank's Markdown as HTML."""

from __future__ import annotations

from collections.abc import Iterable

import mistune

__all__ = ["block", "bullets", "inline"]


def block(text: str) -> str:
    """Paragraphs."""
    return mistune.html(text)


def inline(text: str) -> str:
    """One line, without a paragraph around it."""
    return mistune.html(text).strip().removeprefix("<p>").removesuffix("</p>")


def bullets(points: Iterable[str]) -> str:
    """A list."""
    return f"<ul>{''.join(f'<li>{inline(point)}</li>' for point in points)}</ul>"
