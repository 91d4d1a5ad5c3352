"""What monitors say of a day: effects beyond chance, and alarms that do not flap."""

import numpy as np
import pytest

from reviews.stats import watch
from reviews.stats.daychart import CHART_TOP, Days, cost_chart, share_chart
from reviews.stats.rows import Rows
from reviews.stats.watch import AT_ONCE, Bet, Level, Rule, fold, last_event

FULL = np.full(14, 1000)


def days(share, n=14, m=1000):
    return Days(np.full(n, share * m), np.full(n, m))


def test_a_share_that_stays_is_quiet_and_one_that_moves_rings():
    assert watch.share(days(0.5), days(0.5)).level is Level.OK
    assert watch.share(days(0.5), days(0.6)).level is Level.ALARM
    assert watch.share(days(0.5), days(0.4)).level is Level.ALARM


def test_an_effect_too_small_never_adds_up():
    small, enough = (watch.share(days(0.5), days(share, n=200)) for share in (0.51, 0.56))
    assert (small.value, enough.level) == (0.0, Level.ALARM)
    assert watch.share(days(0.5), days(0.56, n=200), effect=0.1).value == 0


def test_days_without_rows_change_nothing_and_say_nothing():
    now = Days([600.0] * 9 + [0.0], [1000] * 9 + [0])
    assert watch.share(days(0.5), now).level is Level.QUIET
    chart = share_chart(days(0.5), now)
    assert chart[-1] == chart[-2]


def test_a_reference_that_swings_by_more_than_chance_allows_more():
    swings = Days(np.tile([400.0, 600.0], 7), FULL)
    assert watch.share(days(0.5), days(0.56, n=8)).level is Level.ALARM
    assert watch.share(swings, days(0.56, n=8)).level is Level.OK


def test_a_short_reference_says_nothing():
    assert watch.share(days(0.5, n=4), days(0.9)).level is Level.QUIET
    assert watch.cost(days(0.5, n=4), days(0.9)).level is Level.QUIET


def test_a_chart_comes_down_when_the_change_is_over():
    chart = share_chart(days(0.5), Days([700.0] * 50 + [500.0] * 25, np.full(75, 1000)))
    assert (chart.max(), chart[-1]) == (CHART_TOP, 0.0)


def test_a_price_change_rings_and_a_free_day_is_left_out():
    rng = np.random.default_rng(1)
    usual = Days(rng.normal(100, 5, 14), FULL)
    assert watch.cost(usual, Days(np.full(10, 120.0), np.full(10, 1000))).level is Level.ALARM
    free = Days(np.append(np.full(9, 100.0), 0.0), np.full(10, 1000))
    assert cost_chart(usual, free)[-1] < 1


@pytest.mark.parametrize("bad", [([2.0], [1.0]), ([-1.0], [1.0]), ([1.0], [1.0, 2.0])])
def test_counts_that_cannot_be_are_refused(bad):
    with pytest.raises(ValueError, match="count"):
        share_chart(days(0.5), Days(*bad))


def test_scores_ask_for_an_effect_and_for_more_than_chance():
    rng = np.random.default_rng(2)
    usual, same = rng.beta(2, 3, 5000), rng.beta(2, 3, 3000)
    assert watch.scores(usual, same).level is Level.OK
    assert watch.scores(usual, np.minimum(same + 0.04, 1)).level is Level.WARN
    assert watch.scores(usual, rng.beta(3, 2, 3000)).level is Level.ALARM
    assert watch.scores(usual, same[:99]).level is Level.QUIET


def test_task_mix_counts_what_moved():
    usual = {"math": 5000, "chat": 5000}
    levels = [
        watch.tasks(usual, {"math": 5000 + moved, "chat": 5000 - moved}).level
        for moved in (100, 700, 1500)
    ]
    assert levels == [Level.OK, Level.WARN, Level.ALARM]
    moved = watch.tasks(usual, {"math": 400, "chat": 400, "code": 200})
    assert (moved.value, moved.n) == (pytest.approx(0.2), 1000)
    assert watch.tasks(usual, {"math": 60, "chat": 40}).level is Level.OK


def test_models_that_were_never_studied_are_counted():
    assert watch.models(["a"], {"a": 9}) == watch.Signal(0, 0, Level.OK, 9)
    assert watch.models(["a"], {"a": 9, "b": 1, "c": 0}).level is Level.ALARM
    assert watch.models(["a"], {}).level is Level.QUIET


def test_vectors_that_moved_ring():
    rng = np.random.default_rng(3)
    usual, same = rng.normal(size=(150, 2)), rng.normal(size=(120, 2))
    assert watch.embeddings(usual, same, rng).level is Level.OK
    assert watch.embeddings(usual, same + 1, rng).level is Level.ALARM
    assert watch.embeddings(usual, same[:99], rng).level is Level.QUIET


def living(harms, starts=(0,), most=3):
    """Return the signal of 3000 cheap-routed rows, a tenth rated, these parts of them harmed."""
    rated = np.arange(3000) % 10 == 0
    loss = np.concatenate([np.arange(1500) % 1000 < 1000 * part for part in harms])
    rows = Rows(np.zeros(3000), np.full(3000, 0.1), rated, loss.astype(float))
    edges = np.arange(0, 3001, 100)
    return watch.living(rows, 0.5, Bet(0.05, 1500, most, edges, starts))


def test_the_floor_holds_until_it_is_broken():
    assert living((0.02, 0.02)).level is Level.OK
    assert living((0.02, 0.4)).level is Level.ALARM


def test_a_bet_that_starts_later_has_lost_nothing_before():
    late, early = living((0.0, 0.15), starts=(0, 1500)), living((0.0, 0.15))
    assert late.value > early.value


def test_bets_that_were_not_planned_are_refused():
    with pytest.raises(ValueError, match="planned"):
        living((0.0, 0.0), starts=(0, 100, 200, 300))


def kinds(levels, rule=watch.SLOWLY):
    return [(event.index, event.kind, event.level) for event in fold(levels, rule)]


def test_one_reading_opens_nothing_and_two_do():
    assert kinds(["warn", "ok", "warn", "ok"]) == []
    assert kinds(["warn", "warn"]) == [(1, "opened", "warn")]
    assert kinds(["alarm"], AT_ONCE) == [(0, "opened", "alarm")]


def test_an_alarm_does_not_flap():
    flapping = ["warn", "warn", *["ok", "ok", "warn"] * 10]
    assert kinds(flapping) == [(1, "opened", "warn")]
    assert kinds([*flapping, "ok", "ok", "ok"])[-1] == (34, "closed", "warn")


def test_what_says_nothing_neither_counts_nor_breaks_a_row():
    assert kinds(["warn", "quiet", "warn"]) == [(2, "opened", "warn")]
    assert kinds(["warn", "warn", "ok", "quiet", "quiet", "ok"]) == [(1, "opened", "warn")]


def test_it_gets_worse_once_and_opens_again_after_its_end():
    levels = ["warn", "warn", "alarm", "alarm", "alarm", "ok", "ok", "ok", "alarm", "alarm"]
    said = [kind for _, kind, _ in kinds(levels)]
    assert said == ["opened", "worse", "closed", "opened"]


def test_the_last_event_is_that_of_the_last_reading():
    assert last_event(["warn", "warn"]).kind == "opened"
    assert last_event(["warn", "warn", "warn"]) is None
    assert last_event([]) is None


def test_a_rule_counts_as_it_says():
    assert kinds(["warn"] * 3, Rule(3, 1)) == [(2, "opened", "warn")]
    assert kinds(["warn"] * 3 + ["ok"], Rule(3, 1))[-1] == (3, "closed", "warn")
    assert watch.rule_of("living") == AT_ONCE
