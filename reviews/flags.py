"""What is striking about a rater's work, in words. A flag says where to look, not who is wrong."""

from __future__ import annotations

from reviews.quality import Quality, Share

_ALPHA = 0.05
#: A share of fewer showings says little, however it looks.
_FEWEST = 5
_GOLD_SHARE = 0.7
_IDENTICAL_SHARE = 0.9
_REPEAT_SHARE = 0.7
_UNREAD_SHARE = 0.1


def of(found: Quality) -> list[str]:
    """Return the flags of one rater, the gravest first."""
    flags = [
        _gold(found.gold),
        _identical(found.identical),
        _flips(found.flips),
        _repeats(found.repeats),
        _side(found),
        _speed(found),
    ]
    return [flag for flag in flags if flag]


def _is_low(share: Share, least: float) -> bool:
    """Return whether the share, and not only its luck, lies below what is asked."""
    return share.n >= _FEWEST and share.interval.high < least


def _gold(gold: Share) -> str:
    low = _is_low(gold, _GOLD_SHARE)
    return f"{gold.hits:.0f} of {gold.n} gold pairs right: too few" if low else ""


def _identical(equal: Share) -> str:
    """Name even one miss in a handful: nobody can prefer one of two identical answers."""
    missed = equal.n - round(equal.hits)
    low = equal.share is not None and equal.share < _IDENTICAL_SHARE and missed >= 2
    return f"preferred one of two identical answers {missed} of {equal.n} times" if low else ""


def _flips(flips: Share) -> str:
    often = flips.hits >= 2 and flips.share is not None and flips.share >= 1 - _REPEAT_SHARE
    return f"{flips.hits:.0f} of {flips.n} repeats went with the side" if often else ""


def _repeats(repeats: Share) -> str:
    low = _is_low(repeats, _REPEAT_SHARE)
    return f"said the same again on {repeats.hits:.0f} of {repeats.n} repeats" if low else ""


def _side(found: Quality) -> str:
    left = found.left
    if left.share is None or found.left_p is None or found.left_p >= _ALPHA:
        return ""
    side, share = ("left", left.share) if left.share > 0.5 else ("right", 1 - left.share)
    return f"{side} {100 * share:.0f} % of {left.n}: too often"


def _speed(found: Quality) -> str:
    unread = found.unread
    if unread.n >= _FEWEST and unread.share is not None and unread.share >= _UNREAD_SHARE:
        return f"{unread.hits:.0f} of {unread.n} faster than reading allows"
    if found.is_hasty and unread.n >= _FEWEST:
        return f"median {found.median_seconds:.0f} s, below a quarter of everybody’s"
    return ""
