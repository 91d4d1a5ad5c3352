"""Compare what clients saw with the rows that are left: the counts and claims of a scenario."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.chaos.load import Load, Reply
from tests.chaos.prepare import LARGE, SMALL
from tests.chaos.provider import Key, Provider
from tests.chaos.stack import ATTEMPTS, Account, Stack, eventually

MODELS = {"cheap": SMALL, "expensive": LARGE}
_REQUESTS = """
SELECT r.id::text, substring(r.payload::text from 'marker ([a-z0-9-]+)'), r.status, d.tier,
       d.reason, c.id IS NOT NULL
FROM routing_request r LEFT JOIN routing_decision d ON d.request_id = r.id
LEFT JOIN routing_completion c ON c.request_id = r.id AND c.tier = d.tier AND NOT c.is_shadow
     AND NOT c.is_partial
WHERE r.project_id = %s
"""
_JOBS = """
SELECT j.request_id::text, j.state, j.tier, j.attempts, split_part(j.reason, ':', 1)
FROM routing_shadowjob j WHERE j.project_id = %s
"""
_MOST_COMPLETIONS = """
SELECT coalesce(max(n), 0) FROM (
    SELECT count(*) AS n FROM routing_completion c JOIN routing_request r ON r.id = c.request_id
    WHERE r.project_id = %s GROUP BY c.request_id, c.tier) AS counted
"""
_SHADOW_SPEND = """
SELECT count(*), coalesce(sum(c.cost_usd), 0) FROM routing_completion c
JOIN routing_request r ON r.id = c.request_id WHERE r.project_id = %s AND c.is_shadow
"""
_PAIRS = "SELECT count(*) FROM routing_shadowpair WHERE project_id = %s"
_IDS = "SELECT id::text FROM routing_request WHERE project_id = %s"
_OPEN = """
SELECT count(*) FROM routing_shadowjob WHERE project_id = %s AND state IN ('pending', 'running')
"""


@dataclass(frozen=True)
class Recorded:
    """One row of the requests."""

    id: str
    marker: str
    status: int
    tier: str
    reason: str
    has_completion: bool


@dataclass(frozen=True)
class Job:
    """One row of the shadow jobs."""

    request_id: str
    state: str
    tier: str
    attempts: int
    reason: str


@dataclass(frozen=True)
class Ledger:
    """All that is known after a scenario."""

    replies: list[Reply]
    requests: list[Recorded]
    jobs: list[Job]
    completions_max: int
    shadow_completions: int
    spend_usd: float
    pairs: int
    calls: Counter[Key] = field(default_factory=Counter)

    @property
    def whole(self) -> list[Reply]:
        """The replies that came to their end and carry an id: each must have been recorded."""
        return [reply for reply in self.replies if reply.is_whole and reply.request_id]

    @property
    def lost(self) -> list[Reply]:
        """Whole replies without a row, or with another status, tier or no completion."""
        by_id = {row.id: row for row in self.requests}
        return [reply for reply in self.whole if not _agrees(reply, by_id.get(reply.request_id))]

    @property
    def duplicates(self) -> list[str]:
        """Prompts that were recorded more than once; each was asked once."""
        counted = Counter(row.marker for row in self.requests)
        return [marker for marker, count in counted.items() if count > 1]

    def failures(self, explained: Callable[[Reply], bool]) -> list[Reply]:
        """Replies that failed and that the fault does not explain."""
        return [reply for reply in self.replies if reply.failure and not explained(reply)]

    def states(self) -> dict[str, int]:
        """Jobs by state, and by the first word of their reason where they did not get done."""
        return dict(
            Counter(
                job.state if job.state == "done" else f"{job.state} {job.reason}".strip()
                for job in self.jobs
            )
        )

    def ends(self) -> set[str]:
        """How jobs ended, but for the calls that a busy machine sheds."""
        return set(self.states()) - {"skipped overload"}

    def line(self, scenario: str) -> str:
        """Return the counts in one line."""
        failed = Counter(reply.failure for reply in self.replies if reply.failure)
        good = sum(not reply.failure for reply in self.replies)
        asked = self.shadow_calls().values()
        return (
            f"chaos {scenario}: replies {good} ok, failed {dict(failed)}; recorded "
            f"{len(self.requests)}, lost {len(self.lost)}, duplicates {len(self.duplicates)}; "
            f"jobs {self.states()}; completions per (request, tier) {self.completions_max} at "
            f"most; pairs {self.pairs}; shadow calls {sum(asked)}, per request "
            f"{max(asked, default=0)} at most; shadow spend {self.spend_usd:.3f} USD"
        )

    def shadow_calls(self) -> dict[str, int]:
        """Calls of the shadow tier, by request id.

        Where the cheap tier failed first and was replaced, its first call was the client's.
        """
        row_of = {row.id: row for row in self.requests}
        counts = {}
        for job in self.jobs:
            row = row_of[job.request_id]
            was_asked = row.reason == "fallback"
            counts[row.id] = self.calls[Key(row.marker, MODELS[job.tier])] - was_asked
        return counts

    def check(
        self, explained: Callable[[Reply], bool] = lambda reply: False, lost: int = 0
    ) -> None:
        """Claim what must hold after every fault; `lost`: replies that the service gave up."""
        assert not (failed := self.failures(explained)), failed[:3]
        self.check_records(lost)
        self.check_jobs()

    def check_records(self, lost: int = 0) -> None:
        """Claim that every whole reply was recorded exactly once, and with its job."""
        assert self.whole
        assert len(self.lost) == lost, (len(self.lost), self.lost[:3])
        assert not self.duplicates, self.duplicates[:3]
        assert {job.request_id for job in self.jobs} == {row.id for row in self.requests}

    def check_jobs(self) -> None:
        """Claim that jobs have ended, with one completion and one pair, paid as often as counted.

        There may be fewer calls than attempts, never more: an attempt is counted before its call.
        """
        assert not [job for job in self.jobs if job.state in ("pending", "running")]
        assert self.completions_max == 1
        done = sum(job.state == "done" for job in self.jobs)
        assert self.pairs == done == self.shadow_completions
        calls = self.shadow_calls()
        overpaid = [job for job in self.jobs if calls[job.request_id] > job.attempts]
        assert not overpaid, overpaid[:3]
        assert max((job.attempts for job in self.jobs), default=0) <= ATTEMPTS


def _agrees(reply: Reply, row: Recorded | None) -> bool:
    if row is None or (row.marker, row.status) != (reply.marker, reply.status):
        return False
    return bool(reply.failure) or (row.has_completion and row.tier == reply.tier)


def read(stack: Stack, account: Account, load: Load, provider: Provider) -> Ledger:
    """Read the rows as they are now."""
    project = account.project
    shadows, spend = stack.rows(_SHADOW_SPEND, project)[0]
    return Ledger(
        replies=list(load.replies),
        requests=[Recorded(*row) for row in stack.rows(_REQUESTS, project)],
        jobs=[Job(*row) for row in stack.rows(_JOBS, project)],
        completions_max=stack.rows(_MOST_COMPLETIONS, project)[0][0],
        shadow_completions=shadows,
        spend_usd=float(spend),
        pairs=stack.rows(_PAIRS, project)[0][0],
        calls=Counter(provider.calls),
    )


def settled(
    stack: Stack,
    account: Account,
    load: Load,
    provider: Provider,
    limit_s: float = 120,
    lost: Callable[[], int] = lambda: 0,
) -> Ledger:
    """Wait until whole replies are recorded and jobs have ended, and read the rows.

    When that does not come, the rows are read as they are: the claims then say what is missing.

    Args:
        stack: whose rows.
        account: of the scenario.
        load: which is over.
        provider: that was asked.
        limit_s: how long to wait.
        lost: how many replies will never come, as far as the service has said.
    """

    def is_settled() -> bool:
        found = {row[0] for row in stack.rows(_IDS, account.project)}
        whole = {reply.request_id for reply in load.replies if reply.is_whole}
        return len(whole - found) <= lost() and not stack.rows(_OPEN, account.project)[0][0]

    with contextlib.suppress(AssertionError):
        eventually(is_settled, limit_s, "all recorded and ended")
    return read(stack, account, load, provider)
