"""Rows of what people learn from many requests."""

from reviews.models.adjudication import Adjudication
from reviews.models.guidance import Gold, Guideline, GuidelineRead
from reviews.models.judging import JudgeBatch, JudgeCall, JudgeRun, JudgeSpec
from reviews.models.people import Invitation, Reminder, ReminderStop
from reviews.models.rating import (
    OriginGuess,
    Presentation,
    Rater,
    Rating,
    Reveal,
    Skip,
    Slot,
    Verdict,
)
from reviews.models.sampling import SampledPair
from reviews.models.signoff import Approval, Evidence, SignOff
from reviews.models.study import PlanChange, Study

__all__ = [
    "Adjudication",
    "Approval",
    "Evidence",
    "Gold",
    "Guideline",
    "GuidelineRead",
    "Invitation",
    "JudgeBatch",
    "JudgeCall",
    "JudgeRun",
    "JudgeSpec",
    "OriginGuess",
    "PlanChange",
    "Presentation",
    "Rater",
    "Rating",
    "Reminder",
    "ReminderStop",
    "Reveal",
    "SampledPair",
    "SignOff",
    "Skip",
    "Slot",
    "Study",
    "Verdict",
]
