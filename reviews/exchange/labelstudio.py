"""Label Studio's tasks: written blind, and read back from its JSON export.

Source: labelstud.io, "Label Studio Task Format" and "Pairwise" (a choice of nothing has no result).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from reviews.exchange import labels
from reviews.exchange.labels import Label, Malformed, Names, Read

_TOOL = "label-studio"

#: The labelling interface for the tasks written here.
CONFIG = """
<View>
  <Text name="question" value="$query"/>
  <View style="display: flex; gap: 1em">
    <View style="flex: 1"><Header value="A"/><Text name="left" value="$left"/></View>
    <View style="flex: 1"><Header value="B"/><Text name="right" value="$right"/></View>
  </View>
  <Header value="Which answer is better?"/>
  <Choices name="preference" toName="question" choice="single-radio" required="true">
    <Choice value="left" html="A"/><Choice value="tie" html="About equal"/>
    <Choice value="right" html="B"/><Choice value="both_bad" html="Both bad"/>
  </Choices>
  <Header value="Is A good enough to send?"/>
  <Choices name="left_adequate" toName="left" choice="single-radio" required="true">
    <Choice value="yes"/><Choice value="no"/>
  </Choices>
  <Header value="Is B good enough to send?"/>
  <Choices name="right_adequate" toName="right" choice="single-radio" required="true">
    <Choice value="yes"/><Choice value="no"/>
  </Choices>
  <Header value="Sources, where there are any; do they support A, and B?"/>
  <Text name="sources" value="$sources"/>
  <Choices name="left_supported" toName="left" choice="single-radio">
    <Choice value="yes"/><Choice value="no"/>
  </Choices>
  <Choices name="right_supported" toName="right" choice="single-radio">
    <Choice value="yes"/><Choice value="no"/>
  </Choices>
</View>
""".strip()


def task(request_id: str, query: str, left: str, right: str, sources: str = "") -> dict[str, Any]:
    """Return one task; nothing in it tells which answer is which."""
    shown = {"query": query, "left": left, "right": right, "sources": sources}
    return {"data": {"request_id": request_id, **shown}}


def read(items: Iterable[Any], names: Names) -> Read:
    """Return what people said in an export, annotation by annotation."""
    found = Read()
    for row, item in enumerate(items, 1):
        try:
            _read_task(row, labels.obj(item, "the task"), names, found)
        except Malformed as exc:
            labels.refuse(found.refused, row, exc)
    return found


def _read_task(row: int, item: dict[str, Any], names: Names, found: Read) -> None:
    data = labels.obj(item.get("data"), "its data")
    said = [
        labels.obj(one, "an annotation")
        for one in labels.array(item.get("annotations"), "its annotations")
    ]
    taken = [one for one in said if not one.get("was_cancelled") and not one.get("ground_truth")]
    found.skipped += len(said) - len(taken)
    shown, known_by = labels.texts(data, names), labels.where(data, item.get("meta"))
    found.labels += [_label(row, one, known_by, shown, names) for one in taken]


def _label(
    row: int, one: dict[str, Any], known_by: tuple[str, ...], shown: tuple[str, str], names: Names
) -> Label:
    results = _results(one)
    return Label(
        row=row,
        rater=labels.person(_TOOL, _who(one.get("completed_by"))),
        where=known_by,
        left=shown[0],
        right=shown[1],
        preference=_preference(results, names),
        left_adequate=labels.adequate(results.get(names.left_adequate), names),
        right_adequate=labels.adequate(results.get(names.right_adequate), names),
        left_supported=labels.supported(results.get(names.left_supported)),
        right_supported=labels.supported(results.get(names.right_supported)),
        at=_time(one),
    )


def _time(one: dict[str, Any]) -> str:
    """Return when an annotation was changed last: times of one form sort as texts."""
    found = one.get("updated_at") or one.get("created_at")
    return found if isinstance(found, str) else ""


def _who(completed_by: Any) -> Any:
    """Return a person's mail address or number; exports have one or an object with both."""
    if isinstance(completed_by, dict):
        return completed_by.get("email") or completed_by.get("id")
    return completed_by


def _results(one: dict[str, Any]) -> dict[str, Any]:
    """Return what each control holds; that of a Pairwise tag also under its type."""
    found: dict[str, Any] = {}
    for result in labels.array(one.get("result"), "a result"):
        kind = str(labels.obj(result, "a result").get("type"))
        value = labels.obj(result.get("value"), "a value")
        if kind in _HOLDS:
            found[str(result.get("from_name"))] = value.get(_HOLDS[kind])
        if kind == "pairwise":
            found[_PAIRWISE] = value.get("selected")
    return found


_HOLDS = {"pairwise": "selected", "choices": "choices", "rating": "rating", "number": "number"}
#: No control has this name: XML names hold no space.
_PAIRWISE = "any pairwise"


def _preference(results: dict[str, Any], names: Names) -> str:
    said = results.get(names.preference, results.get(_PAIRWISE))
    is_rated = names.left_adequate in results or names.right_adequate in results
    if said is None and is_rated:
        return ""
    return labels.preference(said)
