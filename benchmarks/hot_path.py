"""What one request costs: rate, added latency, CPU by process, memory; shadow off and on.

Real processes: Postgres with fsync, Valkey, one web, one worker, a provider's stand-in (100 ms) and
a load generator, all on this machine. A request's CPU includes its shadow call, pair and rows: each
window ends when the backlog is empty.
Run: .venv/bin/python -m benchmarks.hot_path [--quick] [--routers rules,static,minilm] [--repeat 3]
"""

from __future__ import annotations

import argparse
import statistics
import time
from dataclasses import dataclass

from benchmarks import plant as plants
from benchmarks.traffic import Ledger, Skipped, Traffic, router_version

NAMES = ("web", "worker", "postgres", "valkey")


@dataclass(frozen=True)
class Row:
    """One window under one configuration.

    Attributes:
        rate: good replies a second.
        sustained: the same, until the last shadow call was stored.
        cpu_ms: per good reply, by process.
        missing: replies without a record; `unpaired`: without a pair where one was to be.
    """

    router: str
    shadow: bool
    load: str
    rate: float
    sustained: float
    p50_ms: float
    p99_ms: float
    cpu_ms: dict[str, float]
    errors: dict[str, int]
    missing: int = 0
    unpaired: int = 0
    memory: plants.Memory | None = None

    @property
    def sum_ms(self) -> float:
        """CPU of ours per reply, all processes."""
        return sum(self.cpu_ms.get(name, 0.0) for name in NAMES)


class Bench:
    """Measures windows on a running plant."""

    def __init__(self, plant: plants.Plant, traffic: Traffic, options: argparse.Namespace) -> None:
        self.plant, self.traffic, self.options = plant, traffic, options

    def window(self, router: str, shadow: bool, load: str, **how: object) -> Row:
        """Load the service, wait for the backlog, return what it cost."""
        ledger, before, start = Ledger(self.traffic), self.plant.costs(), time.monotonic()
        got = self._ask(self.plant.url, **how)
        counts = ledger.drained(got["good"])
        took_s = time.monotonic() - start
        return Row(
            router, shadow, load, got["rps"], got["good"] / took_s, got["p50_ms"], got["p99_ms"],
            self._per_reply(before, got), got["errors"],
            missing=got["good"] - counts.records,
            unpaired=got["good"] - counts.pairs if shadow else 0,
            memory=plants.Memory.of(self.plant.pids["web"]),
        )  # fmt: skip

    def direct(self, load: str, **how: object) -> Row:
        """Ask the stand-in itself."""
        before = self.plant.costs()
        got = self._ask(self.plant.provider_url, **how)
        cpu_ms = {k: v for k, v in self._per_reply(before, got).items() if k not in NAMES}
        return Row("direct", False, load, got["rps"], got["rps"], got["p50_ms"], got["p99_ms"],
                   cpu_ms, got["errors"])  # fmt: skip

    def _ask(self, url: str, **how: object) -> dict:
        said = {"seconds": self.options.seconds, "words": self.options.words,
                "unique": self.options.unique}  # fmt: skip
        return self.plant.load(url, self.traffic.key or "none", **{**said, **how})

    def _per_reply(self, before: dict[str, float], got: dict) -> dict[str, float]:
        used = {name: ms - before.get(name, 0.0) for name, ms in self.plant.costs().items()}
        return {name: ms / max(got["good"], 1)
                for name, ms in {**used, "generator": got["cpu_ms"]}.items()}  # fmt: skip

    def configured(self, kind: str, shadow: bool) -> None:
        """Start afresh with this router, half of the traffic each way."""
        version = router_version(kind)
        self.stop()
        self.traffic.deploy(version, 0.5, 0.0)
        self.plant.start("web")
        threshold = self.traffic.halving_threshold(self.plant.url)
        self.traffic.deploy(version, threshold, 1.0 if shadow else 0.0)
        if shadow:
            self.plant.start("worker")
        self.window(kind, shadow, "warm-up", seconds=2)

    def stop(self) -> None:
        """Stop web and worker."""
        for name in ("web", "worker"):
            self.plant.stop(name)


def measured(bench: Bench, kind: str, shadow: bool) -> list[Row]:
    """Return the rows of one configuration: full, then half of the rate that it bore."""
    bench.configured(kind, shadow)
    full = bench.window(kind, shadow, "full", connections=bench.options.connections)
    rate = (full.sustained if shadow else full.rate) / 2
    rows = [full]
    for _ in range(bench.options.repeat):
        rows.append(bench.direct("half", rate=rate))
        rows.append(bench.window(kind, shadow, "half", rate=rate))
    return rows


_HEAD = (
    "router  shadow load      req/s  bears   p50 ms  p99 ms   +p50   +p99"
    "    web worker postgr valkey    sum  gener provid   RSS  PSS  errors no-record no-pair"
)


def line(row: Row, base: Row | None) -> str:
    """Return a row of the table; `base` is the direct one at the same rate."""
    added = [""] * 2 if base is None else [f"{row.p50_ms - base.p50_ms:6.1f}",
                                           f"{row.p99_ms - base.p99_ms:6.1f}"]  # fmt: skip
    cpu = [f"{row.cpu_ms[name]:6.2f}" if name in row.cpu_ms else "     -" for name in NAMES]
    ours = f"{row.sum_ms:6.2f}" if row.router != "direct" else "     -"
    memory = f"{row.memory.rss:5.0f}{row.memory.pss:5.0f}" if row.memory else " " * 10
    return (
        f"{row.router:8}{'on' if row.shadow else 'off':7}{row.load:6}{row.rate:9.0f}"
        f"{row.sustained:7.0f}{row.p50_ms:9.1f}{row.p99_ms:8.1f} {added[0]:>6} {added[1]:>6} "
        f"{' '.join(cpu)} {ours} {row.cpu_ms['generator']:6.3f} {row.cpu_ms['standin']:6.3f} "
        f"{memory} {sum(row.errors.values()):7d} {row.missing:9d} {row.unpaired:7d}"
    )


def show(rows: list[Row]) -> None:
    base = None
    for row in rows:
        print(line(row, base if row.load == "half" and row.router != "direct" else None), flush=True)
        base = row if row.router == "direct" else base


def parsed() -> argparse.Namespace:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--quick", action="store_true", help="one router, shadow off, 5 s")
    options.add_argument("--routers", default="rules,static,minilm")
    options.add_argument("--shadow", default="off,on")
    options.add_argument("--seconds", type=float, default=10.0, help="of each window")
    options.add_argument("--connections", type=int, default=256)
    options.add_argument("--repeat", type=int, default=1, help="half-load windows, alternating")
    options.add_argument("--words", type=int)
    options.add_argument("--unique", action="store_true", help="no question twice")
    chosen = options.parse_args()
    if chosen.quick:
        chosen.seconds, chosen.shadow = 5.0, "off"
    return chosen


def main() -> None:
    options = parsed()
    print(plants.machine())
    with plants.running() as plant:
        bench = Bench(plant, Traffic(plant.provider_url), options)
        print(_HEAD)
        show([bench.direct("full", connections=options.connections)])
        for kind in options.routers.split(","):
            for shadow in options.shadow.split(","):
                try:
                    show(measured(bench, kind, shadow == "on"))
                except Skipped as reason:
                    print(f"{kind:8}skipped: {reason}")
                    break


if __name__ == "__main__":
    main()
