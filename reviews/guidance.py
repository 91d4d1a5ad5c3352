"""What raters are told: guidelines by version, what changed since they read them, the questions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from django.contrib.auth.models import User
from django.db import transaction
from django.utils.safestring import SafeString, mark_safe

from reviews import leaks, rendering, worddiff
from reviews.errors import BadInput, Conflict
from reviews.models import Guideline, GuidelineRead, Rater, Rating, Study

#: What a study starts with; leads write their own.
DEFAULT = """\
Read the question, then both answers. The sides are drawn by lot; some pairs come more than once.

**Better** means: you would rather send this one to the person who asked.
- Right and complete beats well written.
- Longer is not better. Nor is shorter.
- *About equal*: you would not care which of the two is sent.
- *Both bad*: you would send neither.

**Good enough to send** is asked of each answer alone: it would help and not mislead.

*Example.* Asked for the capital of Australia, A says “Canberra.” and B says “Sydney, the largest
city.” A is much better; A is good enough, B is not.
"""
_MOST_CHARS = 20_000
_TIERS = re.compile(r"(?<!\w)(?:tier|cheap|expensive)(?!\w)", re.IGNORECASE)


@dataclass(frozen=True)
class Briefing:
    """What a rater has still to read.

    Attributes:
        guideline: the current version.
        html: its text, safe.
        changes_html: the same text with what changed since the version read last marked; empty
            at a first reading.
    """

    guideline: Guideline
    html: SafeString
    changes_html: SafeString | str


def current(study: Study) -> Guideline:
    """Return the newest version of the guidelines; the first is written at first use."""
    newest = study.guidelines.first()
    if newest is None:
        newest, _ = Guideline.objects.get_or_create(
            study=study, version=1, defaults={"body": DEFAULT}
        )
    return newest


@transaction.atomic
def publish(study: Study, body: str, by: User) -> Guideline:
    """Write a new version, which every rater is shown before their next pair.

    Raises:
        BadInput: when there is no text, too much of it, nothing changed, or it gives away which
            answer is which.
    """
    Study.objects.select_for_update(no_key=True).get(pk=study.pk)
    last, body = current(study), body.replace("\r\n", "\n").strip() + "\n"
    if not body.strip() or len(body) > _MOST_CHARS:
        raise BadInput(f"Guidelines hold 1 to {_MOST_CHARS:,} characters.")
    if body == last.body:
        raise BadInput("Nothing changed: this is the current version.")
    check_blind(study, body)
    return Guideline.objects.create(study=study, version=last.version + 1, body=body, created_by=by)


def check_blind(study: Study, text: str) -> None:
    """Refuse what raters must not read: words for the tiers, and the ids of their models.

    Raises:
        BadInput: names the first such word.
    """
    told = _TIERS.search(text)
    word = told[0] if told else _model_in(study, text)
    if word:
        raise BadInput(
            f"Raters read this, and “{word}” could tell them which answer is which: "
            "name no tier and no model."
        )


def _model_in(study: Study, text: str) -> str:
    """Return the first id of one of the study's models in a text, however it is spelled."""
    ids = [one["model"] for one in study.policy.identity.values()]
    for leak in leaks.find(text, ids):
        found = text[leak.start : leak.end]
        # An id that is one plain word is found as a name.
        if leak.kind is leaks.Kind.OWN_ID or found.lower() in map(str.lower, ids):
            return found
    return ""


def briefing(study: Study, rater: Rater) -> Briefing | None:
    """Return what the rater has to read before their next pair; None when they have."""
    newest = current(study)
    reads = rater.guidelines_read.filter(guideline__study=study)
    last = reads.order_by("-guideline__version").select_related("guideline").first()
    if last is not None and last.guideline_id == newest.pk:
        return None
    changed = last and worddiff.compare(last.guideline.body, newest.body)
    changes = mark_safe(changed.right_html) if changed else ""  # noqa: S308 - escaped text
    return Briefing(newest, rendering.markdown(newest.body), changes)


def mark_read(study: Study, rater: Rater, version: int) -> None:
    """Note that the rater has read a version of the guidelines; again is no error."""
    read = Guideline.objects.get(study=study, version=version)
    GuidelineRead.objects.get_or_create(guideline=read, rater=rater)


def is_rated(study: Study) -> bool:
    """Return whether somebody answered the study's questions: then they stay."""
    return Rating.objects.filter(presentation__slot__study=study).exists()


@transaction.atomic
def ask(study: Study, *, preference: str, adequacy: str, reasons: Sequence[str]) -> None:
    """Change the questions, while nobody has answered them; Postgres refuses it afterwards.

    Raises:
        Conflict: when somebody has.
        BadInput: when a question is empty.
    """
    if is_rated(study):
        raise Conflict("The questions were answered already; start another study to change them.")
    if not preference.strip() or not adequacy.strip():
        raise BadInput("Both questions need words.")
    names = list(dict.fromkeys(name.strip()[:40] for name in reasons if name.strip()))
    study.preference_question, study.adequacy_question = preference[:200], adequacy[:200]
    study.reasons = names[:20]
    study.save(update_fields=["preference_question", "adequacy_question", "reasons"])
