"""Argilla's records: written blind, and read back from its exports.

Four shapes are read: `records.to_json` of version 2, its flattened form and data sets, the feedback
records of version 1, and their data sets. Source: argilla-io/argilla, `records/_resource.py` and
`records/_io/_generic.py`; docs of 1.x, "Work with suggestions and responses".
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from reviews.exchange import labels
from reviews.exchange.labels import Label, Malformed, Names, Read

_TOOL = "argilla"
#: What version 2 leaves out of `records.to_json` was either submitted or filtered by whoever asked.
_COUNTS = ("submitted", None)

#: The settings of a data set for the records written here.
SETTINGS = """
rg.Settings(
    fields=[
        *(rg.TextField(name=name) for name in ("query", "left", "right")),
        rg.TextField(name="sources", required=False),
    ],
    questions=[
        rg.LabelQuestion(name="preference", labels=["left", "tie", "right", "both_bad"]),
        rg.LabelQuestion(name="left_adequate", labels=["yes", "no"]),
        rg.LabelQuestion(name="right_adequate", labels=["yes", "no"]),
        rg.LabelQuestion(name="left_supported", labels=["yes", "no"], required=False),
        rg.LabelQuestion(name="right_supported", labels=["yes", "no"], required=False),
    ],
    metadata=[rg.TermsMetadataProperty(name="request_id")],
)
""".strip()


class _Answer(NamedTuple):
    question: str
    user: str
    value: Any
    status: Any


def task(request_id: str, query: str, left: str, right: str, sources: str = "") -> dict[str, Any]:
    """Return one record, as `records.from_json` takes it."""
    return {
        "id": request_id,
        "fields": {"query": query, "left": left, "right": right, "sources": sources},
        "metadata": {"request_id": request_id},
        "suggestions": {}, "responses": {}, "vectors": {},
    }  # fmt: skip


def read(items: Iterable[Any], names: Names) -> Read:
    """Return what people said in an export, person by person."""
    found = Read()
    for row, item in enumerate(items, 1):
        try:
            _read_record(row, labels.obj(item, "the record"), names, found)
        except Malformed as exc:
            labels.refuse(found.refused, row, exc)
    return found


def _read_record(row: int, record: dict[str, Any], names: Names, found: Read) -> None:
    fields = labels.obj(record.get("fields") or record, "its fields")
    named = {"request_id": record.get("external_id") or record.get("id")}
    known_by = labels.where(_metadata(record), record, fields, named)
    shown = labels.texts(fields, names)
    by_user: dict[str, dict[str, Any]] = defaultdict(dict)
    for answer in _answers(record):
        if answer.status in _COUNTS:
            by_user[answer.user][answer.question] = answer.value
        elif answer.question == names.preference:
            found.skipped += 1
    for user, said in by_user.items():
        found.labels.append(_label(row, user, said, known_by, shown, names))


def _metadata(record: dict[str, Any]) -> Any:
    """Return the metadata, which data sets of version 1 hold as JSON."""
    found = record.get("metadata")
    if not isinstance(found, str):
        return found
    try:
        return json.loads(found)
    except (ValueError, RecursionError) as exc:
        raise Malformed("its metadata are not JSON") from exc


def _answers(record: dict[str, Any]) -> Iterator[_Answer]:
    """Return who answered which question how, whatever the shape."""
    responses = record.get("responses")
    if isinstance(responses, list):
        yield from _version_1(responses)
    elif isinstance(responses, dict):
        for question, given in responses.items():
            yield from _listed(question, given)
    else:
        yield from _flat(record)


def _version_1(responses: list[Any]) -> Iterator[_Answer]:
    for one in responses:
        given = labels.obj(one, "a response")
        for question, value in labels.obj(given.get("values") or {}, "its values").items():
            said = labels.obj(value, "an answer").get("value")
            yield _Answer(question, _user(given.get("user_id")), said, given.get("status"))


def _listed(question: str, given: Any) -> Iterator[_Answer]:
    for one in labels.array(given, "its answers"):
        said = labels.obj(one, "an answer")
        yield _Answer(question, _user(said.get("user_id")), said.get("value"), said.get("status"))


def _flat(record: dict[str, Any]) -> Iterator[_Answer]:
    """Return the answers of a data set: columns of values, users and states, or objects."""
    for name, given in record.items():
        if name.endswith(".responses") and given is not None:
            users = labels.array(record.get(f"{name}.users"), "its users")
            values, status = labels.array(given, "its answers"), record.get(f"{name}.status")
            states = status if isinstance(status, list) else [None] * len(values)
            if not len(values) == len(users) == len(states):
                raise Malformed("its answers, users and states are not as many")
            question = name.removesuffix(".responses")
            for value, user, state in zip(values, users, states, strict=True):
                yield _Answer(question, _user(user), value, state)
        elif isinstance(given, list) and given and all(_is_answer(one) for one in given):
            yield from _listed(name, given)


def _user(name: Any) -> str:
    return str(name) if isinstance(name, int | str) else ""


def _is_answer(value: Any) -> bool:
    return isinstance(value, dict) and "user_id" in value and "value" in value


def _label(
    row: int,
    user: str,
    said: dict[str, Any],
    known_by: tuple[str, ...],
    shown: tuple[str, str],
    names: Names,
) -> Label:
    return Label(
        row=row,
        rater=labels.person(_TOOL, user),
        where=known_by,
        left=shown[0],
        right=shown[1],
        preference=_preference(said, names),
        left_adequate=labels.adequate(said.get(names.left_adequate), names),
        right_adequate=labels.adequate(said.get(names.right_adequate), names),
        left_supported=labels.supported(said.get(names.left_supported)),
        right_supported=labels.supported(said.get(names.right_supported)),
    )


def _preference(said: dict[str, Any], names: Names) -> str:
    value = said.get(names.preference)
    is_rated = names.left_adequate in said or names.right_adequate in said
    if value is None and is_rated:
        return ""
    return labels.preference(_first(value) if isinstance(value, list) and value else value)


def _first(ranking: list[Any]) -> Any:
    """Return what a ranking puts first; equal ranks are a tie. Version 2 ranks by order."""
    if not all(isinstance(one, dict) for one in ranking):
        return ranking[0]
    if not all(isinstance(one.get("rank"), int) for one in ranking):
        raise Malformed("a rank is no number")
    first = min(one["rank"] for one in ranking)
    best = [one.get("value") for one in ranking if one["rank"] == first]
    return best[0] if len(best) == 1 else "tie"
