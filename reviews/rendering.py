"""Answers are untrusted text: markdown to inert HTML, nothing that loads or leaks."""

from __future__ import annotations

import nh3
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt

_MARKDOWN = MarkdownIt("js-default", {"html": False, "linkify": False, "typographer": False})
_TAGS = {
    "p", "br", "hr", "em", "strong", "s", "code", "pre", "blockquote", "ul", "ol", "li",
    "h1", "h2", "h3", "h4", "h5", "h6", "table", "thead", "tbody", "tr", "th", "td",
}  # fmt: skip
#: Longer answers are cut for display, on both sides alike.
_MOST_CHARS = 100_000
#: Open brackets may begin links; looking for the ends of thousands takes seconds.
_MOST_BRACKETS = 5_000


def markdown(text: str) -> SafeString:
    """Return safe HTML. Links become their text, images vanish: both could tell or track."""
    if len(text) > _MOST_CHARS:
        text = f"{text[:_MOST_CHARS]}\n\n(cut for display)"
    if text.count("[") > _MOST_BRACKETS:
        return mark_safe(f"<p class='as-is'>{escape(text)}</p>")  # noqa: S308 - just escaped
    html = _MARKDOWN.render(text)
    clean = nh3.clean(html, tags=_TAGS, attributes={}, link_rel=None, strip_comments=True)
    return mark_safe(clean)  # noqa: S308 - nh3 has just made it inert


def plain(text: str) -> SafeString:
    """Return the text escaped, for an element that keeps white space."""
    return escape(text[:_MOST_CHARS])
