"""Make the certificate of this decision pack again, from its files, with numpy alone.

    python recompute.py [FOLDER]

Reads data.csv, evidence.json: the columns and the plan. Prints what is certified, overall and by
task type, and compares it with the certificate in evidence.json; ends with 1 where they differ, or
where a file is not what manifest.json says. It shares no code with the software that wrote the
pack.
"""

from __future__ import annotations

import csv
import hashlib
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

#: Columns by name, and what was read of JSON.
Rows = dict[str, np.ndarray]
Plan = dict[str, Any]

FEWEST_PER_TASK = 60
DAY_S = 86_400
SAME = 1e-9


def read(folder: Path) -> tuple[Rows, Plan, Plan, Plan]:
    """Return the columns by name, the plan, what is said of the columns, and the certificate."""
    with open(folder / "data.csv", newline="", encoding="utf-8") as file:
        names, *rows = csv.reader(file)
    cells = dict(zip(names, zip(*rows, strict=True), strict=True)) if rows else {}
    evidence = json.loads((folder / "evidence.json").read_text(encoding="utf-8"))
    columns = {name: column(name, cells.get(name, ())) for name in names}
    return columns, evidence["plan"], evidence["inputs"]["about"], evidence["certificate"]


def column(name: str, cells: Sequence[str]) -> np.ndarray:
    """Return a column of numbers, nan where a cell is empty."""
    if name in ("order", "pair_id", "task"):  # a float would round them
        return np.array([int(cell) for cell in cells], dtype=object if name == "order" else int)
    known = {"": np.nan, "true": 1.0, "false": 0.0}
    return np.array([known[cell] if cell in known else float(cell) for cell in cells])


def frame(data: Rows, plan: Plan, about: Plan) -> tuple[Rows, int, bool]:
    """Return the rows that count, in their order, and how many rows were planned."""
    ends_early = plan["closed"]["basis"] in ("early", "by_hand")
    is_final = bool(plan["closed"]["basis"])
    losses = {"harm": "harm", "strict_harm": "strict"}
    said = 1 - data["adequate"] if plan["loss"] == "inadequate" else data[losses[plan["loss"]]]
    drawn = data["selected"] == 1
    place = np.where(drawn, data["u"] / np.where(data["pi"] > 0, data["pi"], 1), np.inf)
    budget, cut = plan["rating_budget"], 1.0
    if budget and drawn.sum() > budget:
        cut = float(np.sort(place)[budget])
    unrated = drawn & np.isnan(said)
    if not ends_early and not is_final and about["from_queue"]:
        cut = min(cut, float(place[unrated].min(initial=np.inf)))
    due = place < cut
    n_plan, by_hash = max(said.size, 1), np.argsort(data["order"], kind="stable")
    if ends_early:
        took = arrived(data, due & unrated & about["from_queue"])
        n_plan = planned(data, plan)
    else:
        took = by_hash
    lost = data["lost"] > 0
    # Nothing was better where the expensive model was asked in vain; good enough nobody said.
    worst = lost if plan["loss"] == "inadequate" else np.isin(data["lost"], (1, 3))
    judged = plan["judge_role"] == "certificate" and not about["judge_problem"]
    rows = {
        "score": data["score"],
        "pi": np.where(lost, 1.0, cut * data["pi"]),
        "rated": due | lost,
        "loss": np.where(lost, worst * 1.0, said),
        "bad": 1 - np.where(lost, 0.0, data["adequate"]),
        "judge": np.nan_to_num(data["judge"]) if judged else np.zeros(said.size),
        "traffic": data["traffic"],
        "task": data["task"],
        "spoken": due & ~np.isnan(said),
    }
    return {name: values[took] for name, values in rows.items()}, n_plan, judged


def arrived(data: Rows, waits: np.ndarray) -> np.ndarray:
    """Return the places of the rows of finished days, the oldest first."""
    day = np.floor(data["received_at"] / DAY_S)
    took = sorted(range(day.size), key=lambda i: (data["received_at"][i], data["order"][i]))
    first_open = day[waits].min(initial=np.inf)
    return np.array([i for i in took if day[i] < first_open], dtype=int)


def planned(data: Rows, plan: Plan) -> int:
    """Return how many rows a stream was to have, from its first week."""
    day = np.floor(data["received_at"] / DAY_S)
    if not day.size or day.max() - day.min() < 7:
        return max(day.size, 1)
    week = int((day < day.min() + 7).sum())
    days = max(plan["window"]["end_s"] / DAY_S - day.min(), 7)
    return max(round(week * days / 7), 1)


def bets(
    rows: Rows,
    grid: np.ndarray,
    floor: float,
    delta: float,
    n_plan: int,
    edges: np.ndarray,
    judged: bool,
    second: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Return ln of each threshold's capital and its peak: the bets against "above the floor".

    `second` bets about the rows routed cheap alone, on whether their answers are good enough.
    """
    a = rows["traffic"] / rows["traffic"].mean()
    drawable = rows["pi"] > 0
    pi = np.where(drawable, rows["pi"], 1.0)
    w = rows["rated"] / pi
    y = rows["bad"] if second else rows["loss"]
    y = np.where(rows["rated"], np.where(np.isnan(y), 1.0, y), 0.0)
    f = np.zeros(y.size) if second else rows["judge"]
    below = rows["score"][:, None] < grid
    n = below.sum(axis=0)
    heaviest = np.where(below, (a / pi)[:, None], 0).max(axis=0, initial=0)
    square = np.where(n > 0, (below * (a * a / pi)[:, None]).sum(axis=0) / np.maximum(n, 1), 1.0)
    prior = 20 / (floor * pi[drawable].mean()) if drawable.any() else 20 / floor
    prior_square = floor * square - floor**2 * (a * a).mean() + floor**2
    cap = 0.95 / (np.where(n > 0, heaviest, 1.0) - a.min() * floor)
    target, zero = np.log(1 / delta), np.zeros(grid.size)
    log_k, peak, seen, total, squares = zero, zero, zero, zero, zero
    learned = np.zeros((3, grid.size))
    for start, end in zip(edges[:-1], edges[1:], strict=True):
        mean = (prior * floor + total) / (prior + seen)
        spread = (prior * prior_square + squares) / (prior + seen) - mean**2
        left = max(n_plan - start, 0.1 * n_plan)
        left = left * (1 + seen) / (1 + start) if second else left
        aim = 2 * np.maximum(target - log_k, 0) / (left * np.maximum(spread, 1e-12))
        bet = np.minimum(np.sqrt(aim), cap)
        trust = np.clip(learned[0] / (learned[1] + 1e-12), 0, 1) * learned[2] / (learned[2] + 5)
        i = slice(start, end)
        z = below[i] * ((w[i] * y[i])[:, None] + judged * trust * ((1 - w[i]) * f[i])[:, None])
        counts = below[i] if second else np.ones(below[i].shape)
        grown = (counts * np.log1p(bet * a[i, None] * (floor - z))).sum(axis=0)
        live = log_k < target
        log_k = np.where(live, log_k + grown, log_k)
        peak = np.maximum(peak, log_k)
        part = counts * (a[i, None] * (z - floor) + floor)
        seen, total = seen + counts.sum(axis=0), total + part.sum(axis=0)
        squares = squares + (part**2).sum(axis=0)
        terms = [w[i] * (w[i] - 1) * y[i] * f[i], (1 / pi[i] - 1) * f[i] ** 2, y[i] > 0]
        learned = learned + judged * np.array(terms, dtype=float) @ below[i]
    return log_k, peak


def test(
    rows: Rows,
    plan: Plan,
    grid: np.ndarray,
    delta: float,
    n_plan: int,
    is_stream: bool,
    judged: bool,
) -> tuple[np.ndarray, Callable[[float], float | None], Callable[[float], bool]]:
    """Return ln of the capitals, and a function from a level to what is certified at it."""
    n, floor = rows["score"].size, plan["floor"]
    step = -(-n_plan // 50)
    edges = np.append(np.arange(0, max(n, 1), step), n) if is_stream else np.linspace(0, n, 51)
    edges = edges.astype(int)
    log_k, peak = bets(rows, grid, floor, delta, n_plan, edges, judged)
    below = rows["score"][:, None] < grid
    share = (below * rows["traffic"][:, None]).sum(axis=0) / rows["traffic"].sum()
    is_known = not is_stream and bool((rows["traffic"] == 1).all())
    safe, skipped, second = share <= (floor if is_known else 0), 0, np.full(grid.size, np.inf)
    if plan["adequacy_floor"] is not None:
        allowed = 1 - plan["adequacy_floor"]
        second = bets(rows, grid, allowed, delta, n_plan, edges, False, second=True)[1]
        expected = (below * rows["pi"][:, None]).sum(axis=0) * n_plan / max(n, 1)
        skipped = int((expected < 2 * np.ceil(np.log(delta) / np.log1p(-allowed))).sum())

    def passed(level: float) -> np.ndarray:
        target = np.log(1 / level)
        holds = ((safe | (peak >= target)) & (second >= target))[skipped:]
        return np.append(np.zeros(skipped, dtype=bool), np.logical_and.accumulate(holds))

    def largest(level: float) -> float | None:
        found = np.flatnonzero(passed(level) & (share > 0) & rows["rated"].any())
        return float(grid[found[-1]]) if found.size else None

    return log_k, largest, lambda level: bool(passed(level)[skipped:].all())


def by_task(
    rows: Rows,
    plan: Plan,
    grid: np.ndarray,
    delta: float,
    n_plan: int,
    is_stream: bool,
    judged: bool,
) -> dict[int, float | None]:
    """Return the threshold of each task, all right at once; a task that is done hands on its part.

    Args are those of `test`, for all tasks together.
    """
    codes = np.unique(rows["task"])
    of = {code: {name: v[rows["task"] == code] for name, v in rows.items()} for code in codes}
    enough = [code for code in codes if of[code]["spoken"].sum() >= FEWEST_PER_TASK]
    tests = {}
    for code in enough:
        share = 1 / codes.size if is_stream else of[code]["rated"].size / rows["rated"].size
        n_task = max(1, round(n_plan * share))
        part = delta / len(enough)
        tests[code] = test(of[code], plan, grid, part, n_task, is_stream, judged)
    done: set[int] = set()
    while True:
        part = delta / max(len(enough) - len(done), 1)
        more = {code for code in enough if code not in done and tests[code][2](part)}
        if not more or len(done | more) == len(enough):
            break
        done |= more
    return {int(code): tests[code][1](part) if code in tests else None for code in codes}


def certify(
    data: Rows, plan: Plan, about: Plan
) -> tuple[float | None, np.ndarray, dict[str, float | None]]:
    """Return the certified threshold, ln of each capital, and the threshold of each task."""
    rows, n_plan, judged = frame(data, plan, about)
    grid = np.append(np.arange(101) / 100, 1.01)
    grid = grid[grid <= plan["largest_threshold"]]
    basis, delta = plan["closed"]["basis"], 1 - plan["confidence"]
    is_stream = basis in ("early", "by_hand")
    has_looks = plan["early_stop"] or any(d["field"] == "early_stop" for d in plan["deviations"])
    if has_looks:
        delta *= 0.2 if is_stream else 0.8
    day = np.floor(data["received_at"] / DAY_S)
    has_week = day.size > 0 and day.max() - day.min() >= 7
    too_early = is_stream and not (has_looks and has_week)
    nobody = about["kind"] == "llm_judge" or not rows["spoken"].any()
    if basis == "futile" or nobody or too_early:
        return None, np.zeros(grid.size), {}
    asked = (rows, plan, grid, round(delta, 12), n_plan, is_stream, judged)
    log_k, largest, _ = test(*asked)
    tasks = {about["tasks"][code]: at for code, at in by_task(*asked).items()}
    # A plan by task type spends its error there, and certifies nothing for all together.
    return None if plan["by_task"] else largest(round(delta, 12)), log_k, tasks


def differences(folder: Path) -> tuple[float | None, dict[str, float | None], list[str]]:
    """Return what was recomputed, and a line for each thing that differs from the certificate."""
    data, plan, about, said = read(folder)
    threshold, log_k, tasks = certify(data, plan, about)
    found = []
    if threshold != said["threshold"]:
        found.append(f"threshold: {threshold} here, {said['threshold']} in evidence.json")
    for point, here in zip(said["grid"], log_k, strict=True):
        if abs(point["log_k"] - here) > SAME * max(1, abs(here)):
            found.append(f"log_k at {point['threshold']}: {here}, not {point['log_k']}")
    for task, one in said["by_task"].items():
        if tasks.get(task) != one["threshold"]:
            found.append(f"threshold of {task}: {tasks.get(task)} here, {one['threshold']} there")
    return threshold, tasks, found


def changed(folder: Path) -> list[str]:
    """Return a line for each file that is not what the manifest says; none without a manifest."""
    manifest = folder / "manifest.json"
    if not manifest.exists():
        return []
    files = json.loads(manifest.read_text(encoding="utf-8"))["files"]
    there = {name: folder / name for name in files if (folder / name).exists()}
    gone = [f"{name}: is not there" for name in files if name not in there]
    return gone + [
        f"{name}: was changed since the pack was made"
        for name, path in there.items()
        if hashlib.sha256(path.read_bytes()).hexdigest() != files[name]["sha256"]
    ]


def main() -> int:
    """Print what is certified and what differs."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    threshold, tasks, found = differences(folder)
    found += changed(folder)
    print("certified up to:", "nothing" if threshold is None else threshold)
    for task, at in tasks.items():
        print(f"  {task}:", "nothing" if at is None else at)
    print("\n".join(found) or "the same as in evidence.json")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
