"""Minutes at 80 % of what the service bears, shadow on: does memory grow, is anything lost?

The limit is found first: replies a second until the last shadow call was stored. Ends with 1 when
memory grew by more than 5 % after the warm-up, or anything went wrong.
Run: .venv/bin/python -m benchmarks.soak [--seconds 300] [--router static] [--rate 200]
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
from dataclasses import dataclass

import numpy as np

from benchmarks import plant as plants
from benchmarks.hot_path import Bench, Row
from benchmarks.traffic import Ledger, Skipped, Traffic, router_version

_EVERY_S = 5.0
_WARM_UP_S = 30.0
_MOST_GROWTH = 0.05
_SHARE = 0.8


@dataclass(frozen=True)
class Sample:
    """Memory of one process at a moment since the load began, s."""

    at_s: float
    memory: plants.Memory


class Sampler(threading.Thread):
    """Reads memory of web and worker every few seconds until it is stopped."""

    def __init__(self, plant: plants.Plant) -> None:
        super().__init__(daemon=True)
        self._plant, self._over = plant, threading.Event()
        self.samples: dict[str, list[Sample]] = {"web": [], "worker": []}

    def run(self) -> None:
        start = time.monotonic()
        while not self._over.wait(_EVERY_S):
            for name, samples in self.samples.items():
                memory = plants.Memory.of(self._plant.pids[name])
                samples.append(Sample(time.monotonic() - start, memory))

    def stop(self) -> None:
        """Stop and wait."""
        self._over.set()
        self.join()


@dataclass(frozen=True)
class Growth:
    """A straight line through the samples after the warm-up, MB.

    Attributes:
        share: growth from its first to its last moment by the line, as a share of its start.
    """

    start: float
    end: float
    per_minute: float

    @property
    def share(self) -> float:
        return (self.end - self.start) / self.start


def growth(samples: list[Sample], kind: str) -> Growth:
    """Fit `rss` or `pss` against time; needs two samples after the warm-up."""
    kept = [sample for sample in samples if sample.at_s >= _WARM_UP_S]
    at_s = np.array([sample.at_s for sample in kept])
    mb = np.array([getattr(sample.memory, kind) for sample in kept])
    slope, offset = np.polyfit(at_s, mb, 1)
    start, end = (float(offset + slope * moment) for moment in (at_s[0], at_s[-1]))
    return Growth(start, end, float(slope * 60))


def first_router(wanted: str) -> str:
    """Return the first of these routers that this tree has."""
    for kind in wanted.split(","):
        try:
            router_version(kind)
        except Skipped as reason:
            print(f"{kind} skipped: {reason}")
        else:
            return kind
    raise SystemExit("no such router in this tree")


def soaked(bench: Bench, kind: str, rate: float) -> tuple[Row, dict[str, list[Sample]], int]:
    """Load for the whole time; return the window, the samples, and the backlog as the load ends."""
    sampler = Sampler(bench.plant)
    ledger = Ledger(bench.traffic)
    sampler.start()
    backlog: list[int] = []
    timer = threading.Timer(bench.options.seconds, lambda: backlog.append(ledger.counts().backlog))
    timer.start()
    row = bench.window(kind, True, "soak", rate=rate)
    timer.join()
    sampler.stop()
    return row, sampler.samples, backlog[0]


def judged(row: Row, samples: dict[str, list[Sample]], backlog: int) -> list[str]:
    """Print what was found; return what is wrong with it."""
    print(f"{row.rate:.0f} replies/s, p50 {row.p50_ms:.1f} ms, p99 {row.p99_ms:.1f} ms, "
          f"CPU {row.sum_ms:.2f} ms per reply")  # fmt: skip
    print(f"errors {row.errors or 0}, without record {row.missing}, without pair {row.unpaired}, "
          f"unscored {row.unscored}, backlog as the load ended {backlog}")  # fmt: skip
    wrong = [f"{name}: {count}" for name, count in row.errors.items()]
    for name, count in (("no record", row.missing), ("no pair", row.unpaired),
                        ("not scored", row.unscored)):  # fmt: skip
        wrong += [f"{name}: {count}"] if count else []
    for name, found in samples.items():
        first = found[0].memory
        print(f"{name}: first RSS {first.rss:.0f}, PSS {first.pss:.0f} MB; after warm-up", end=" ")
        for kind in ("rss", "pss"):
            line = growth(found, kind)
            print(f"{kind.upper()} {line.start:.0f} to {line.end:.0f} MB "
                  f"({line.per_minute:+.2f} MB/min, {line.share:+.1%})", end=" ")  # fmt: skip
            if line.share > _MOST_GROWTH:
                wrong.append(f"{name} {kind} grew by {line.share:.1%}")
        print()
    return wrong


def parsed() -> argparse.Namespace:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seconds", type=float, default=300.0, help="at least 45")
    options.add_argument("--router", default="static,minilm", help="the first that there is")
    options.add_argument("--rate", type=float, help="requests a second; default: found")
    options.add_argument("--connections", type=int, default=64, help="to find the limit")
    options.set_defaults(words=None, repeating=False)
    chosen = options.parse_args()
    if chosen.seconds < _WARM_UP_S + 3 * _EVERY_S:
        options.error("too short to tell growth from warm-up")
    return chosen


def main() -> None:
    options = parsed()
    print(plants.machine())
    with plants.running() as plant:
        bench = Bench(plant, Traffic(plant.provider_url), options)
        kind = first_router(options.router)
        bench.configured(kind, True)
        rate = options.rate
        if rate is None:
            found = bench.window(kind, True, "find", connections=options.connections, seconds=10)
            rate = found.sustained * _SHARE
            print(f"{kind}: bears {found.sustained:.0f}/s with shadow on", end="; ")
        print(f"{options.seconds:.0f} s at {rate:.0f}/s", flush=True)
        wrong = judged(*soaked(bench, kind, rate))
    print("; ".join(wrong) or "nothing grew, nothing was lost")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
