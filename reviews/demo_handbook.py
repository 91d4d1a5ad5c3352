"""The demo's collection: what the support desk knows, and queries whose documents are known."""

from __future__ import annotations

from pathlib import Path

from routing import collections
from routing.models import Collection, Project

HANDBOOK = Path(__file__).parent / "data" / "handbook.jsonl"
#: For `evaluate_retrieval`, the page Evaluation, and training `auto`.
QRELS = HANDBOOK.with_name("handbook_qrels.jsonl")


def write(project: Project) -> Collection:
    """Make the collection and send its file; a worker indexes it."""
    made = collections.create(project, HANDBOOK.stem, description="What the support desk knows")
    collections.upload(made, HANDBOOK.name, HANDBOOK.read_bytes())
    return made
