"""Rows of what happens to one request."""

from routing.models.access import ApiKey, Project
from routing.models.challenger import Challenger, ChallengerScore
from routing.models.count import StoredCount
from routing.models.erasure import Erasure
from routing.models.feedback import Feedback
from routing.models.policy import Deployment, Policy, RouterVersion
from routing.models.request import Completion, Decision, Request
from routing.models.retrieval import (
    Chunk,
    Collection,
    CollectionVersion,
    Document,
    Retrieval,
    RetrievalPair,
    StrategyVersion,
    Upload,
)
from routing.models.shadow import RepeatPair, ShadowJob, ShadowPair, ShadowSpend
from routing.models.usage import Budget, Reconciliation, Usage

__all__ = [
    "ApiKey",
    "Budget",
    "Challenger",
    "ChallengerScore",
    "Chunk",
    "Collection",
    "CollectionVersion",
    "Completion",
    "Decision",
    "Deployment",
    "Document",
    "Erasure",
    "Feedback",
    "Policy",
    "Project",
    "Reconciliation",
    "RepeatPair",
    "Request",
    "Retrieval",
    "RetrievalPair",
    "RouterVersion",
    "ShadowJob",
    "ShadowPair",
    "ShadowSpend",
    "StoredCount",
    "StrategyVersion",
    "Upload",
    "Usage",
]
