"""Rows of what people learn from many requests."""

from reviews.models.adjudication import Adjudication
from reviews.models.audit import AuditEntry, AuditHead
from reviews.models.guidance import Gold, Guideline, GuidelineRead
from reviews.models.judging import JudgeBatch, JudgeCall, JudgeRun, JudgeSpec
from reviews.models.monitoring import Alarm, Alerting, QuarterReview, Reading
from reviews.models.notice import Notice
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
from reviews.models.retrieval import RetrievalEvaluation
from reviews.models.rollout import Rollout, RolloutEvent, SignedDeployment
from reviews.models.sampling import SampledPair
from reviews.models.signoff import Approval, Comment, Evidence, Revision, SignOff
from reviews.models.study import PlanChange, Study
from reviews.models.training import TrainingExample, TrainingRun

__all__ = [
    "Adjudication",
    "Alarm",
    "Alerting",
    "Approval",
    "AuditEntry",
    "AuditHead",
    "Comment",
    "Evidence",
    "Gold",
    "Guideline",
    "GuidelineRead",
    "Invitation",
    "JudgeBatch",
    "JudgeCall",
    "JudgeRun",
    "JudgeSpec",
    "Notice",
    "OriginGuess",
    "PlanChange",
    "Presentation",
    "QuarterReview",
    "Rater",
    "Rating",
    "Reminder",
    "ReminderStop",
    "Reading",
    "RetrievalEvaluation",
    "Reveal",
    "Revision",
    "Rollout",
    "RolloutEvent",
    "SampledPair",
    "SignOff",
    "SignedDeployment",
    "Skip",
    "Slot",
    "Study",
    "TrainingExample",
    "TrainingRun",
    "Verdict",
]
