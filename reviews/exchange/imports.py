"""Take what people said in other tools as verdicts: all of a file, or nothing of it.

An item finds its pair by an id, and its sides by the two texts: a file names no tier. Imported
verdicts come without a rating, by raters of the project; the newest of each rater on a pair counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from reviews import blinding, passages
from reviews.errors import BadInput
from reviews.exchange import argilla, labels, labelstudio
from reviews.exchange.labels import Label, Names, Refused
from reviews.models import Rater, Study, Verdict
from routing.models import ShadowPair
from routing.types import Tier

TOOLS = {"label-studio": labelstudio, "argilla": argilla}
_GROUP = 500
_P = Verdict.Preference
#: What is said of a pair, as columns of a verdict.
_CONTENT = (
    "preference", "cheap_adequate", "expensive_adequate", "cheap_supported", "expensive_supported",
)  # fmt: skip
_NO_SIDE = {"": "", "tie": _P.TIE.value, "both_bad": _P.BOTH_BAD.value, "cannot": _P.CANNOT.value}


@dataclass(frozen=True, slots=True)
class Said:
    """One person's verdict on one pair, as it would be stored."""

    pair_id: int
    rater: str
    preference: str
    cheap_adequate: bool | None
    expensive_adequate: bool | None
    cheap_supported: bool | None = None
    expensive_supported: bool | None = None

    @property
    def content(self) -> tuple[str | bool | None, ...]:
        """What is said; the same again is nothing new."""
        return tuple(getattr(self, name) for name in _CONTENT)


@dataclass(frozen=True)
class Outcome:
    """What an import adds, or would.

    Attributes:
        new: verdicts to write, one for each person and pair.
        unchanged: those that are there already.
        skipped: answers that the tool marks as none, or that say only that nobody could judge.
        written: whether anything was stored.
        n_drawn: pairs of the study that were drawn.
        n_covered: how many of them people have spoken about, with the new verdicts.
    """

    new: list[Said]
    unchanged: int
    skipped: int
    refused: list[Refused]
    written: bool
    n_drawn: int
    n_covered: int

    def __str__(self) -> str:
        people, pairs = len({s.rater for s in self.new}), len({s.pair_id for s in self.new})
        verb = "were" if self.written else "would be"
        parts = [
            f"{len(self.new)} ratings by {people} people on {pairs} pairs {verb} added",
            f"{self.unchanged} are there already",
            f"{self.skipped} answers are none (skipped, drafts, ground truth, cannot judge)",
            f"{len(self.refused)} rows are refused",
        ]
        return "; ".join(parts) + "."


def run(
    study: Study,
    content: bytes,
    tool: str,
    names: Names,
    *,
    dry_run: bool = False,
    skip_bad: bool = False,
) -> Outcome:
    """Check every row of a file, then write its verdicts in one transaction.

    Nothing is written on a dry run, nor when a row is refused, unless `skip_bad`. A file that is
    imported again adds nothing.

    Raises:
        BadInput: when the file cannot be read, the tool is unknown, the study is closed, or
            `labels.MOST_REFUSED` rows are refused.
    """
    if tool not in TOOLS:
        raise BadInput(f"Files come from {' or '.join(TOOLS)}.")
    read = TOOLS[tool].read(labels.items(content), names)
    with transaction.atomic():
        # Two imports at once would both find nothing there.
        locked = Study.objects.select_for_update(no_key=True).get(pk=study.pk)
        if locked.state == Study.State.CLOSED:
            raise BadInput("This study is closed: it takes no more verdicts.")
        resolved, refused = _resolve(study, read.labels, read.refused)
        # Only the rating room gives a pair up, when others were asked as well.
        said = [one for one in resolved if one.preference != _P.CANNOT]
        known = _known(study, said)
        new = [one for one in said if known.get((one.pair_id, one.rater)) != one.content]
        writes = not dry_run and (skip_bad or not refused)
        if writes:
            _write(study, new)
    n_drawn, n_covered = _coverage(study, () if writes else new)
    skipped = read.skipped + len(resolved) - len(said)
    return Outcome(new, len(said) - len(new), skipped, refused, writes, n_drawn, n_covered)


def _resolve(
    study: Study, found: Sequence[Label], unread: Sequence[Refused]
) -> tuple[list[Said], list[Refused]]:
    """Return the verdict of each label, the newest of a person on a pair, and all that is refused.

    Args:
        study: whose drawn pairs count.
        found: what could be read.
        unread: what was refused when it was read.
    """
    said: dict[tuple[int, str], tuple[Label, Said]] = {}
    refused = list(unread)
    for group in (found[at : at + _GROUP] for at in range(0, len(found), _GROUP)):
        pairs = _drawn_pairs(study, group)
        for label in group:
            try:
                one = _said(label, _pair(label, pairs), study)
                _take(said, label, one)
            except labels.Malformed as exc:
                labels.refuse(refused, label.row, exc)
    by_row = sorted(refused, key=lambda one: one.row)
    return [one for _, one in said.values()], by_row


def _take(said: dict[tuple[int, str], tuple[Label, Said]], label: Label, one: Said) -> None:
    """Keep the newest of what a person said at one item; two items must not contradict."""
    key = one.pair_id, one.rater
    before = said.get(key)
    if before is None or (before[0].row == label.row and before[0].at <= label.at):
        said[key] = label, one
    elif before[0].row != label.row and before[1].content != one.content:
        raise labels.Malformed(f"row {before[0].row} says something else of the same pair for them")


def _drawn_pairs(study: Study, group: Iterable[Label]) -> dict[str, ShadowPair]:
    """Return the study's drawn pairs that the labels name, by request id and by number."""
    ids = {one for label in group for one in label.where}
    related = ("request__decision__policy", "request__retrieval", "cheap", "expensive")
    drawn = _drawn(study).select_related(*related)
    requests = [one for one in ids if _is_uuid(one)]
    numbers = [int(n) for one in ids if (n := one.removeprefix("pair ")) != one and _is_id(n)]
    found: dict[str, ShadowPair] = {}
    for pair in [*drawn.filter(request_id__in=requests), *drawn.filter(pk__in=numbers)]:
        found[str(pair.request_id)] = found[f"pair {pair.pk}"] = pair
    return found


def _drawn(study: Study) -> QuerySet[ShadowPair]:
    return ShadowPair.objects.filter(draws__study=study, draws__selected=True)


def _pair(label: Label, pairs: dict[str, ShadowPair]) -> ShadowPair:
    found = {pairs[_plain(one)] for one in label.where if _plain(one) in pairs}
    if not found:
        raise labels.Malformed("no pair that was drawn for this study has its id")
    if len(found) > 1:
        raise labels.Malformed("its ids name different pairs")
    return found.pop()


def _plain(name: str) -> str:
    return str(UUID(name)) if _is_uuid(name) else name


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 19


def _said(label: Label, pair: ShadowPair, study: Study) -> Said:
    """Return a label by tier.

    Answers that look the same have no tier: preferring one says nothing, and what is good enough
    on one side and not on the other is not known.
    """
    if label.preference == "" and label.left_adequate is label.right_adequate is None:
        raise labels.Malformed("it says nothing")
    left = _left(label, pair, study)
    preference = _NO_SIDE.get(label.preference)
    fits, backed = (label.left_adequate, label.right_adequate), _supported(label, pair)
    if left is None:
        fallback = _P.TIE.value if preference is None else preference
        return Said(pair.pk, label.rater, fallback, *_same(fits), *_same(backed))
    if left is Tier.EXPENSIVE:
        fits, backed = fits[::-1], backed[::-1]
    if preference is None:
        better = left if label.preference == "left" else left.other
        preference = (_P.CHEAP if better is Tier.CHEAP else _P.EXPENSIVE).value
    return Said(pair.pk, label.rater, preference, *fits, *backed)


def _supported(label: Label, pair: ShadowPair) -> tuple[bool | None, bool | None]:
    """Return what is said of sources; nothing where there are none."""
    if passages.of(pair) is None:
        return None, None
    return label.left_supported, label.right_supported


def _same(sides: tuple[bool | None, bool | None]) -> tuple[bool | None, bool | None]:
    left, right = sides
    return sides if left == right else (None, None)


def _left(label: Label, pair: ShadowPair, study: Study) -> Tier | None:
    """Return the tier that stood left, by the texts; None when both answers look the same."""
    stored = {Tier.CHEAP.value: pair.cheap.text, Tier.EXPENSIVE.value: pair.expensive.text}
    fits = _fits(label, stored) or _fits(label, blinding.told(pair, study))
    if not fits:
        raise labels.Malformed("its texts are not the answers of this pair")
    return fits[0] if len(fits) == 1 else None


def _fits(label: Label, texts: Mapping[str, str]) -> list[Tier]:
    """Return the tiers that may have stood left."""
    looks = {tier: _loose(texts[tier.value]) for tier in Tier}
    shown = _loose(label.left), _loose(label.right)
    return [tier for tier in Tier if (looks[tier], looks[tier.other]) == shown]


def _loose(text: str) -> str:
    """Return a text without differences in white space: tools trim and wrap."""
    return " ".join(text.split())


def _known(study: Study, said: Sequence[Said]) -> dict[tuple[int, str], Any]:
    """Return the newest verdict that each of these people has on each of these pairs."""
    rows = Verdict.objects.filter(
        study=study, rater__in=_raters(study, said), pair_id__in={one.pair_id for one in said}
    )
    fields = ("pair_id", "rater__name", *_CONTENT)
    return {(row[0], row[1]): row[2:] for row in rows.order_by("id").values_list(*fields)}


def _raters(study: Study, said: Iterable[Said]) -> QuerySet[Rater]:
    names = {one.rater for one in said}
    return Rater.objects.filter(kind=Rater.Kind.HUMAN, project=study.project, name__in=names)


def _write(study: Study, new: Sequence[Said]) -> None:
    names = {one.rater for one in new}
    rows = [Rater(kind=Rater.Kind.HUMAN, project=study.project, name=name) for name in names]
    Rater.objects.bulk_create(rows, ignore_conflicts=True)
    raters = {rater.name: rater for rater in _raters(study, new)}
    Verdict.objects.bulk_create(
        [
            Verdict(
                study=study,
                pair_id=one.pair_id,
                rater=raters[one.rater],
                **{name: getattr(one, name) for name in _CONTENT},
            )
            for one in new
        ],
        batch_size=_GROUP,
    )


def _coverage(study: Study, new: Iterable[Said]) -> tuple[int, int]:
    """Return how many pairs were drawn, and how many of them people have spoken about."""
    said = Verdict.objects.filter(study=study, rater__kind=Rater.Kind.HUMAN)
    spoken = {*said.values_list("pair_id", flat=True), *(one.pair_id for one in new)}
    drawn = set(_drawn(study).values_list("pk", flat=True))
    return len(drawn), len(drawn & spoken)
