"""Characters that hide or reorder text, made visible. Pure: no Django, no markdown."""

from __future__ import annotations

import re
from itertools import groupby

#: Scripts whose words are joined or parted by zero-width characters: Arabic to Thaana, India's,
#: Tibetan, Burmese, Khmer, Mongolian.
_JOINING = "\u0600-\u08ff\u0900-\u0dff\u0f00-\u109f\u1780-\u18af"
_RIGHT_TO_LEFT = "\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc"
_PICTURES = "\u00a9\u00ae\u203c-\u3299\U0001f000-\U0001faff"
_SELECTORS = "\ufe00-\ufe0f"
#: Controls; what has no width; what turns the direction; tags and selectors that can carry words.
_HIDDEN = (
    "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
#: Where such characters do what they are for, they stay; elsewhere or in numbers they are shown.
_HONEST = re.compile(
    rf"(?<=[{_JOINING}])[\u200c\u200d]"
    rf"|(?<=[{_PICTURES}])\ufe0f?\u200d(?=[{_PICTURES}])"
    r"|(?<=[^>\s])[\ufe00-\ufe0f]"
    rf"|(?<=[{_RIGHT_TO_LEFT}])[\u200e\u200f]|[\u200e\u200f](?=[{_RIGHT_TO_LEFT}])"
    r"|(?<=\U0001f3f4)[\U000e0030-\U000e0039\U000e0061-\U000e007a]{1,6}\U000e007f"
)
_RUN = re.compile(rf"[{_HIDDEN}]+")
#: Of a longer run only the beginning is spelled out.
_MOST_MARKED = 20
#: Nobody reads more; then each run becomes a plain replacement character.
_MOST_RUNS = 5_000


def valid(text: str) -> str:
    """Return the text with lone surrogates replaced, so that it can be encoded."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def show(html: str) -> str:
    """Return the HTML with a small mark such as ``U+202E`` where characters hide.

    Args:
        html: Finished markup whose tags hold no such character: it is changed without parsing.
    """
    if len(_RUN.findall(html)) > _MOST_RUNS:
        return _RUN.sub("\ufffd", html)
    return _RUN.sub(_marks, html)


def _marks(found: re.Match[str]) -> str:
    honest = _HONEST.match(found.string, found.start())
    if honest and honest.end() == found.end():
        return found[0]
    runs = [(char, len(list(same))) for char, same in groupby(found[0][:_MOST_MARKED])]
    left = len(found[0]) - _MOST_MARKED
    more = f'<span class="invisible">+{left}</span>' if left > 0 else ""
    return "".join(_mark(char, times) for char, times in runs) + more


def _mark(char: str, times: int) -> str:
    many = f"×{times}" if times > 1 else ""
    return f'<span class="invisible">U+{ord(char):04X}{many}</span>'
