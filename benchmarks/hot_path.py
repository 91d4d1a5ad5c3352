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
from collections.abc import Sequence
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
        missing: replies without a record; `unpaired`: without a pair where one was to be;
            `shed`: whose shadow call gave way to replies;
            `unscored`: recorded ones that the router failed on or came too late for.
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
    shed: int = 0
    unscored: int = 0
    memory: plants.Memory | None = None

    @property
    def sum_ms(self) -> float:
        """CPU of ours per reply, all processes."""
        return sum(self.cpu_ms.get(name, 0.0) for name in NAMES)


class Bench:
    """Measures windows on a running plant."""

    def __init__(self, plant: plants.Plant, traffic: Traffic, options: argparse.Namespace) -> None:
        self.plant, self.traffic, self.options = plant, traffic, options
        self.threshold = 0.5

    def window(self, router: str, shadow: bool, load: str, **how: object) -> Row:
        """Load the service, wait for the backlog, return what it cost."""
        ledger, before = Ledger(self.traffic), self.plant.costs()
        got = self._ask(self.plant.url, **how)
        counts = ledger.drained(got["good"])
        took_s = (time.monotonic_ns() - got["began_ns"]) / 1e9
        return Row(
            router, shadow, load, got["rps"], got["good"] / took_s, got["p50_ms"], got["p99_ms"],
            self._per_reply(before, got), got["errors"],
            missing=got["good"] - counts.records,
            unpaired=got["good"] - counts.pairs - ledger.shed() if shadow else 0,
            shed=ledger.shed() if shadow else 0,
            unscored=ledger.unscored(),
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
                "unique": not self.options.repeating}  # fmt: skip
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
        self.threshold = self.traffic.halving_threshold(self.plant.url)
        self.shadowing(kind, shadow)
        if shadow:
            self.plant.start("worker")
        self.window(kind, shadow, "warm-up", seconds=2, rate=20)

    def shadowing(self, kind: str, shadow: bool) -> None:
        """Turn shadow calls on or off, nothing else."""
        rate = 1.0 if shadow else 0.0
        self.traffic.deploy(router_version(kind), self.threshold, rate)

    def stop(self) -> None:
        """Stop web and worker."""
        for name in ("web", "worker"):
            self.plant.stop(name)


def full(bench: Bench, kind: str, shadow: bool) -> Row:
    """Return the window at full load.

    A router that many connections overwhelm sends to EXPENSIVE unscored, which is no measure of
    it: then again with fewer.
    """
    connections = bench.options.connections
    row = bench.window(kind, shadow, f"c{connections}", connections=connections)
    if row.unscored * 100 > row.rate * bench.options.seconds:
        show([row])
        connections = max(connections // 16, 1)
        row = bench.window(kind, shadow, f"c{connections}", connections=connections)
    return row


def measured(bench: Bench, kind: str, shadow: bool) -> Row:
    """Show the rows of one configuration: full, then half of the rate it bore; return the full."""
    bench.configured(kind, shadow)
    top = full(bench, kind, shadow)
    show([top])
    rounds = []
    for _ in range(bench.options.repeat):
        base = bench.direct("half", rate=top.sustained / 2)
        rounds.append((base, bench.window(kind, shadow, "half", rate=top.sustained / 2)))
        show(rounds[-1])
    if len(rounds) > 1:
        p50, p99 = (statistics.median(getattr(row, name) - getattr(base, name)
                    for base, row in rounds) for name in ("p50_ms", "p99_ms"))  # fmt: skip
        print(f"{kind:8}median of {len(rounds)}: added p50 {p50:.1f} ms, p99 {p99:.1f} ms")
    return top


def shadow_effect(bench: Bench, kind: str, rate: float) -> None:
    """Show what turning shadow on does to the reply's p99, in alternation at one rate."""
    found: dict[bool, list[float]] = {False: [], True: []}
    for _ in range(max(3, bench.options.repeat)):
        for shadow in found:
            bench.shadowing(kind, shadow)
            found[shadow].append(bench.window(kind, shadow, "p99", rate=rate).p99_ms)
    off, on = (statistics.median(found[shadow]) for shadow in found)
    rounds = ", ".join(f"{a:.1f}/{b:.1f}" for a, b in zip(*found.values(), strict=True))
    print(f"{kind:8}reply p99 at {rate:.0f}/s, shadow off {off:.1f} ms, on {on:.1f} ms: "
          f"ratio of medians {on / off:.3f}; off/on by round {rounds}", flush=True)  # fmt: skip


def growth(bench: Bench, kind: str, sizes: list[int]) -> None:
    """Show CPU per request against stored rows, shadow on, all at one rate."""
    from benchmarks import growth as rows

    bench.configured(kind, True)
    rate = bench.window(kind, True, "find", connections=32).sustained / 2
    for size in sizes:
        stored = rows.fill(bench.traffic.project, size)
        bench.window(kind, True, "warm-up", seconds=2, rate=rate)
        found = [bench.window(kind, True, "half", rate=rate) for _ in range(bench.options.repeat)]
        show(found)
        both = statistics.median(row.cpu_ms["web"] + row.cpu_ms["postgres"] for row in found)
        print(f"{kind:8}{stored} requests stored: web and Postgres {both:.2f} ms per request")


_HEAD = (
    "router  shadow load      req/s  bears   p50 ms  p99 ms   +p50   +p99    web"
    " worker postgr valkey    sum  gener provid   RSS  PSS  errors shed no-score no-record no-pair"
)

_FOOT = (
    "CPU in ms per good reply; sum: web, worker, Postgres, Valkey. bears: replies a second until "
    "the last record and pair were stored. half: of that, Poisson; + against the direct call above."
)


def line(row: Row, base: Row | None) -> str:
    """Return a row of the table; `base` is the direct one at the same rate."""
    added = [""] * 2 if base is None else [f"{row.p50_ms - base.p50_ms:6.1f}",
                                           f"{row.p99_ms - base.p99_ms:6.1f}"]  # fmt: skip
    cpu = [f"{row.cpu_ms[name]:6.2f}" if name in row.cpu_ms else "     -" for name in NAMES]
    ours = f"{row.sum_ms:6.2f}" if row.router != "direct" else "     -"
    memory = f"{row.memory.rss:5.0f}{row.memory.pss:5.0f}" if row.memory else " " * 10
    lost = f"{row.shed:6d} {row.unscored:8d} {row.missing:9d} {row.unpaired:7d}"
    return (
        f"{row.router:8}{'on' if row.shadow else 'off':7}{row.load:7}{row.rate:8.0f}"
        f"{row.sustained:7.0f}{row.p50_ms:9.1f}{row.p99_ms:8.1f} {added[0]:>6} {added[1]:>6} "
        f"{' '.join(cpu)} {ours} {row.cpu_ms['generator']:6.3f} {row.cpu_ms['standin']:6.3f} "
        f"{memory} {sum(row.errors.values()):7d} {lost}"
    )


def show(rows: Sequence[Row]) -> None:
    """Print rows; one that follows a direct one is compared with it."""
    base = None
    for row in rows:
        print(line(row, base), flush=True)
        base = row if row.router == "direct" else None


def parsed() -> argparse.Namespace:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--quick", action="store_true", help="one router, shadow off, 5 s")
    options.add_argument("--routers", default="rules,static,minilm")
    options.add_argument("--shadow", default="off,on")
    options.add_argument("--seconds", type=float, default=10.0, help="of each window")
    options.add_argument("--connections", type=int, default=256)
    options.add_argument("--repeat", type=int, default=1, help="half-load windows, alternating")
    options.add_argument("--words", type=int)
    options.add_argument("--repeating", action="store_true", help="400 questions in turn, not ever"
                         " new ones: an embedder may remember them")  # fmt: skip
    options.add_argument("--rows", help="also: cost by stored rows, such as 10000,1000000")
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
        done = [kind for kind in options.routers.split(",") if compared(bench, kind)]
        if options.rows and done:
            growth(bench, done[0], [int(size) for size in options.rows.split(",")])
        print(_FOOT)


def compared(bench: Bench, kind: str) -> bool:
    """Show one router, shadow off and on; tell whether this tree has it."""
    shadows = bench.options.shadow.split(",")
    try:
        router_version(kind)
    except Skipped as reason:
        print(f"{kind:8}skipped: {reason}")
        return False
    tops = {shadow: measured(bench, kind, shadow == "on") for shadow in shadows}
    if "on" in tops and "off" in tops:
        shadow_effect(bench, kind, tops["on"].sustained / 2)
    return True


if __name__ == "__main__":
    main()
