"""Tokens by threshold and task type: sums followed by hand, kept and extended."""

import pytest
from django.db import connection

from reviews import estimation, sampling, whatif
from reviews.estimation import Moment
from routing import policy
from tests.reviews.rows import add_pair

pytestmark = pytest.mark.django_db


@pytest.fixture
def study(project):
    add_pair(project, 0.1, task="math")
    add_pair(project, 0.5, task="code", shadow_rate=0.5)
    add_pair(project, None, task="math")
    return sampling.start(policy.live(project), name="s", seed="7", rate=1.0)


def now(study):
    return Moment.now(study).draw_id


def test_each_row_is_summed_where_it_first_goes_cheap(study):
    found = whatif.as_json(study, now(study))
    math, code = found["tasks"]["math"], found["tasks"]["code"]
    # Three tokens in and two out on either tier; a shadow rate of one half counts twice.
    assert math[10] == [0] * 9
    assert math[11] == [1, 3, 2, 3, 2, 0, 0, 0, 0]
    assert math[-1] == [2, 6, 4, 6, 4, 0, 0, 0, 0]
    assert code[-1] == [2, 6, 4, 6, 4, 0, 0, 0, 0]
    assert len(math) == estimation.grid(study).size + 1
    assert (found["n_pairs"], found["n_unknown"]) == (3, 0)


def test_a_pair_without_a_token_count_is_left_out_and_counted(project, study):
    pair = add_pair(project, 0.2, task="math")
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE routing_completion SET output_tokens = NULL WHERE id = %s", [pair.cheap_id]
        )
    sampling.extend(study)
    found = whatif.as_json(study, now(study))
    assert (found["n_pairs"], found["n_unknown"]) == (4, 1)
    assert found["tasks"]["math"][-1][0] == 2


def test_an_earlier_moment_does_not_know_what_came_later(project, study):
    before = now(study)
    add_pair(project, 0.2, task="new")
    sampling.extend(study)
    assert "new" in whatif.sums(study, now(study)).by_task
    assert "new" not in whatif.sums(study, before).by_task


@pytest.mark.django_db(transaction=True)
def test_kept_sums_grow_by_what_came_since(project):
    add_pair(project, 0.1)
    study = sampling.start(policy.live(project), name="s", seed="7", rate=1.0)
    first = whatif.sums(study, now(study))
    add_pair(project, 0.2)
    sampling.extend(study)
    second = whatif.sums(study, now(study))
    assert (first.n_pairs, second.n_pairs) == (1, 2)
    assert second.by_task["math"].sum() == 2 * first.by_task["math"].sum()


def test_cached_tokens_cost_what_the_policy_says(study):
    factors = whatif._factors(study.policy)
    price = study.policy.tier_spec("cheap").price
    assert factors["c_read"] == float(price.cache_read_usd / price.input_usd)


def test_the_address_answers_with_prices(as_role, study):
    answer = as_role("product").get(f"/threshold/what-if/{study.pk}/").json()
    assert set(answer["prices"]) == {"cheap", "expensive"}
    assert answer["columns"][0] == "requests"
    assert all(len(pair) == 2 for pair in answer["list"].values())
