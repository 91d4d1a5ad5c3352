"""Answers are untrusted text: markdown to inert HTML, nothing that loads or leaks."""

from __future__ import annotations

import re
from collections.abc import Sequence

import nh3
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

from reviews import highlighting, invisible

_TAGS = {
    "p", "br", "hr", "em", "strong", "s", "code", "pre", "blockquote", "ul", "ol", "li", "span",
    "h1", "h2", "h3", "h4", "h5", "h6", "table", "thead", "tbody", "tr", "th", "td", "div",
}  # fmt: skip
_CLEANER = nh3.Cleaner(
    tags=_TAGS,
    attributes={"ol": {"start"}},
    tag_attribute_values={"div": {"tabindex": {"0"}}},
    allowed_classes={"span": set(highlighting.CLASSES), "div": {"scroll"}},
    link_rel=None,
)
#: Longer answers are cut for display, on both sides alike.
_MOST_CHARS = 60_000
_CUT = "\n\n(cut for display)"
#: Parsing costs some 5 µs a unit: what is left of an answer when they are spent is shown as it is.
_MOST_WORK = 10_000
_LINES = re.compile(r"[^\n]*\n|[^\n]+")
_LINE_WORK = 6
_DEAR = re.compile(r"[*_~`]")
_CHEAP = re.compile(r"[!#$%&+\-:<=>@\[\]\\^{}]")
_DEAR_WORK = 4
_QUOTE = re.compile(r"[ >]*")
_ITEM = re.compile(r"[ >]*(?:\d+[.)]|[-+*])[ \n]")
_ITEM_WORK = 15
#: The parser leaves out what is nested deeper: such an answer is shown as it is.
_MOST_LEVELS = 30
_MOST_COLOURED = 10_000
#: Answers that differ in length would give the longer one away at a glance; both fold, or none.
_FOLD_CHARS = 3_000
_FOLD_LINES = 45
#: One level of brackets and no line break: each attempt ends within the limits.
_LINK = re.compile(
    r"(!?)\[((?:\\.|[^\[\]\\\n]){0,500})\]"
    r"\([ ]{0,9}<?([^\s<>()]{0,2000}(?:\([^\s<>()]{0,500}\)[^\s<>()]{0,500})?)>?"
    r"(?:[ ]{1,9}\"[^\"\n]{0,500}\"|[ ]{1,9}'[^'\n]{0,500}')?[ ]{0,9}\)"
)
#: A formula by the rules of Pandoc: "$5 and $6" is none.
_LATEX = re.compile(
    r"\$\$[^$]{1,2000}\$\$|\$(?=[^\s$])[^$\n]{1,500}(?<=\S)\$(?!\d)"
    r"|\\[(\[](?:[^\\]|\\(?![()\[\]])){1,2000}\\[)\]]"
)


def markdown(text: str) -> SafeString:
    """Return safe HTML. Links become text and address, images too: both could tell or track."""
    rich, rest = _split(cut(text))
    state: EnvType = {"coloured": _MOST_COLOURED}
    tokens = _MARKDOWN.parse(rich, state)
    if any(token.level >= _MOST_LEVELS - 1 for token in tokens):
        return _as_is(rich + rest)
    html = _CLEANER.clean(_MARKDOWN.renderer.render(tokens, _MARKDOWN.options, state))
    return mark_safe(invisible.show(html) + _as_is(rest))  # noqa: S308 - nh3 made it inert


def plain(text: str) -> SafeString:
    """Return the text escaped, for an element that keeps white space."""
    return mark_safe(invisible.show(escape(cut(text))))  # noqa: S308 - just escaped


def fold(left: str, right: str) -> bool:
    """Tell whether both answers are shown folded: as soon as one of them is long."""
    return any(len(a) > _FOLD_CHARS or a.count("\n") > _FOLD_LINES for a in (left, right))


def cut(text: str) -> str:
    """Return as much of a text as is ever shown, valid and with plain line ends.

    Cut again, it stays what it is.
    """
    shown = text if len(text) <= _MOST_CHARS else text[: _MOST_CHARS - len(_CUT)] + _CUT
    return invisible.valid(shown).replace("\r\n", "\n").replace("\r", "\n")


def _as_is(text: str) -> SafeString:
    if not text:
        return SafeString()
    shown = invisible.show(escape(text))
    return mark_safe(f'<p class="as-is">{shown}</p>')  # noqa: S308 - just escaped


def _split(text: str) -> tuple[str, str]:
    """Part the lines that can be parsed in time from those that are shown as they are."""
    work = end = depth = cells = 0
    for line in _LINES.findall(text):
        # Each level of a quote looks again at the lines that continue it; short rows are padded.
        blank = not line.strip()
        depth = 0 if blank else max(depth, _QUOTE.match(line)[0].count(">"))  # type: ignore[index]
        cells = 0 if blank else max(cells, line.count("|"))
        work += _LINE_WORK + 2 * depth + _DEAR_WORK * (cells + len(_DEAR.findall(line)))
        work += len(_CHEAP.findall(line)) + (_ITEM_WORK if _ITEM.match(line) else 0)
        if work > _MOST_WORK:
            break
        end += len(line)
    return text[:end], text[end:]


def _latex(state: StateInline, silent: bool) -> bool:
    """Keep a formula as it was written: its backslashes and underscores are no markup."""
    found = _LATEX.match(state.src, state.pos, state.posMax)
    if not found:
        return False
    if not silent:
        state.pending += found[0]
    state.pos = found.end()
    return True


def _link(state: StateInline, silent: bool) -> bool:
    """Show a link's words, then its address unless that is what they say already."""
    found = _LINK.match(state.src, state.pos, state.posMax)
    if not found:
        return False
    if not silent:
        _show_link(state, found)
    state.pos = found.end()
    return True


def _show_link(state: StateInline, found: re.Match[str]) -> None:
    image, words, address = found.groups()
    outer = state.posMax
    state.pending += "image: " if image else ""
    state.pos, state.posMax = found.span(2)
    state.md.inline.tokenize(state)
    state.posMax = outer
    state.pending += f" ({address})" if address and address != words else ""


def _fence(
    self: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType
) -> str:
    """Colour a block of code while the answer's allowance lasts."""
    token = tokens[index]
    language = (token.info.split() or [""])[0]
    env["coloured"] -= len(token.content)
    known = language if env["coloured"] >= 0 else ""
    return f"<pre><code>{highlighting.highlight(token.content, known)}</code></pre>\n"


def _table_open(
    self: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType
) -> str:
    return '<div class="scroll" tabindex="0"><table>'


def _table_close(
    self: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType
) -> str:
    return "</table></div>"


def _parser() -> MarkdownIt:
    """Return a parser whose own rules for what points elsewhere are off."""
    md = MarkdownIt("js-default", {"html": False, "maxNesting": _MOST_LEVELS})
    md.disable(["reference", "image", "autolink", "html_block", "html_inline"])
    md.inline.ruler.at("link", _link)
    md.inline.ruler.before("escape", "latex", _latex)
    for name, rule in (
        ("fence", _fence), ("table_open", _table_open), ("table_close", _table_close),
    ):  # fmt: skip
        md.add_render_rule(name, rule)
    return md


_MARKDOWN = _parser()
