"""Rows of what happens to one request."""

from routing.models.access import ApiKey, Project
from routing.models.challenger import Challenger, ChallengerScore
from routing.models.count import StoredCount
from routing.models.feedback import Feedback
from routing.models.policy import Deployment, Policy, RouterVersion
from routing.models.request import Completion, Decision, Request
from routing.models.shadow import RepeatPair, ShadowJob, ShadowPair, ShadowSpend

__all__ = [
    "ApiKey",
    "Challenger",
    "ChallengerScore",
    "Completion",
    "Decision",
    "Deployment",
    "Feedback",
    "Policy",
    "Project",
    "RepeatPair",
    "Request",
    "RouterVersion",
    "ShadowJob",
    "ShadowPair",
    "ShadowSpend",
    "StoredCount",
]
