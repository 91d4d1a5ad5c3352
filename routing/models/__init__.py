"""Rows of what happens to one request."""

from routing.models.access import ApiKey, Project
from routing.models.challenger import Challenger, ChallengerScore
from routing.models.count import StoredCount
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

__all__ = [
    "ApiKey",
    "Challenger",
    "ChallengerScore",
    "Chunk",
    "Collection",
    "CollectionVersion",
    "Completion",
    "Decision",
    "Deployment",
    "Document",
    "Feedback",
    "Policy",
    "Project",
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
]
