"""The columns of an export: one list, of which files and their documentation are made."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import NamedTuple

Value = str | float | int | bool | datetime | list[str] | None
#: One line of an export, by column.
Row = dict[str, Value]


class Type(Enum):
    """What a column holds; every column may be empty."""

    TEXT = "text"
    NUMBER = "number"
    WHOLE = "whole number"
    FLAG = "true or false"
    TIME = "time, UTC"
    TEXTS = "list of texts"


class Column(NamedTuple):
    """One column: its name, what it holds, what it means."""

    name: str
    type: Type
    meaning: str


_T = Type
COLUMNS = (
    Column("record", _T.TEXT, "`rating`, `skip`, or `verdict`: one without a rating"),
    Column("id", _T.WHOLE, "Number of the record among those of its kind"),
    Column("study_id", _T.WHOLE, "Number of the study"),
    Column("study", _T.TEXT, "Name of the study"),
    Column("pair_id", _T.WHOLE, "Number of the pair"),
    Column("request_id", _T.TEXT, "The request both answers are of"),
    Column("task", _T.TEXT, "Task type"),
    Column("score", _T.NUMBER, "The router's score"),
    Column("shadow_rate", _T.NUMBER, "Probability with which the request was paired"),
    Column("inclusion_probability", _T.NUMBER, "Chance of the pair to calibrate: pi"),
    Column("u", _T.NUMBER, "The pair's draw, uniform in [0, 1)"),
    Column("selected", _T.FLAG, "Whether the pair was drawn"),
    Column("purpose", _T.TEXT, "`calibrate` or `train`"),
    Column("stratum", _T.TEXT, "Task type and score band"),
    Column("retrieval_strategy", _T.TEXT, "`bm25`, `dense`, `hybrid` or `client`; empty without"),
    Column("retrieval_confidence", _T.NUMBER, "P(the sources hold the answer)"),
    Column("kind", _T.TEXT, "`sample`, `practice`, `gold`, `repeat`, `identical`, `again`, …"),
    Column("rater", _T.TEXT, "Name or pseudonym; of a judge always its name"),
    Column("rater_kind", _T.TEXT, "`human`, `llm_judge` or `answer_key`"),
    Column("left", _T.TEXT, "Tier that stood left (A)"),
    Column("choice", _T.TEXT, "What was chosen, by side"),
    Column("preference", _T.TEXT, "The same by tier: `cheap`, `tie`, `expensive`, `both_bad`, …"),
    Column("cheap_adequate", _T.FLAG, "Whether the cheap answer is good enough"),
    Column("expensive_adequate", _T.FLAG, "Whether the expensive answer is good enough"),
    Column("cheap_supported", _T.FLAG, "Whether the sources support the cheap answer"),
    Column("expensive_supported", _T.FLAG, "Whether the sources support the expensive answer"),
    Column("reasons", _T.TEXTS, "Reasons that were ticked"),
    Column("comment", _T.TEXT, "In the rater's words"),
    Column("seconds", _T.NUMBER, "Active time on the page"),
    Column("skip_reason", _T.TEXT, "Why the pair could not be judged"),
    Column("guideline_version", _T.WHOLE, "Version of the guidelines that held"),
    Column("shown_at", _T.TIME, "When the pair was handed out"),
    Column("created_at", _T.TIME, "When the record was written"),
    Column("supersedes", _T.WHOLE, "`id` of the earlier record that this one corrects"),
    Column("is_newest", _T.FLAG, "Whether no later record corrects this one"),
    Column("cheap_leaks", _T.TEXTS, "Kinds of what could tell the cheap model"),
    Column("expensive_leaks", _T.TEXTS, "Kinds of what could tell the expensive model"),
    Column("origin_guess", _T.TEXT, "Side taken for the expensive one: `left`, `right`, `unsure`"),
    Column("adjudication_cause", _T.TEXT, "Of an adjudication: why raters disagreed"),
    Column("adjudication_note", _T.TEXT, "Of an adjudication: the lead's words"),
)
#: Only where they were asked for.
TEXT_COLUMNS = (
    Column("query", _T.TEXT, "The last user turn"),
    Column("cheap_answer", _T.TEXT, "The cheap tier's answer as stored"),
    Column("expensive_answer", _T.TEXT, "The expensive tier's answer as stored"),
)


def columns(*, texts: bool) -> tuple[Column, ...]:
    """Return the columns of an export, with or without question and answers."""
    return COLUMNS + TEXT_COLUMNS if texts else COLUMNS


def markdown() -> str:
    """Return the columns as the table in docs/exports.md."""
    rows = [f"| `{c.name}` | {c.type.value} | {c.meaning} |" for c in columns(texts=True)]
    return "\n".join(["| column | holds | meaning |", "|---|---|---|", *rows])
