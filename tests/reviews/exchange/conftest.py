"""A study with a bit of everything, and people with roles."""

import pytest
from django.contrib.auth.models import User

from reviews import permissions, rating, sampling
from reviews.models import Guideline, Rater, Slot, Verdict
from routing import policy
from tests.reviews.rated import rater, say
from tests.reviews.rows import add_pair


@pytest.fixture
def pairs(project):
    texts = [f"answer {n} costs 3 {'=' * n}" for n in range(6)]
    return [
        add_pair(project, n / 6, query=f"=question {n}", cheap=text, expensive=f"{text}, or more")
        for n, text in enumerate(texts)
    ]


@pytest.fixture
def study(pairs, project):
    plan = {"check_every": 0, "origin_every": 1, "second_share": 0}
    return sampling.start(policy.live(project), name="First study", seed="7", rate=1.0, **plan)


@pytest.fixture
def rated(study):
    """One rating that was corrected, one skip, one imported verdict and one of a judge."""
    Guideline.objects.create(study=study, version=1, body="Be kind.")
    ann = rater("ann")
    shown = rating.hand_out(study, ann)
    say(shown, ann, "a_much", left=True, right=False, comment="=SUM(A1)", reasons=["clear"])
    say(shown, ann, "b_slightly", left=False, right=True, seconds=2.5)
    rating.guess_origin(shown.token, ann, "left")
    other = rating.hand_out(study, ann)
    rater_two = rater("bob")
    permissions.ensure_roles()  # somebody else could rate what is skipped
    permissions.give(User.objects.create_user("someone", password="x"), "rater")
    rating.skip(other.token, ann, reason="broken", comment="-")
    last = study.slots.order_by("-order").first().pair
    judge = Rater.objects.create(kind=Rater.Kind.LLM_JUDGE, name="judge-1", project=study.project)
    for who, said in ((rater_two, "tie"), (rater_two, "cheap"), (judge, "split")):
        Verdict.objects.create(study=study, pair=last, rater=who, preference=said)
    assert Slot.objects.filter(state=Slot.State.DONE).count() == 1
    return study


@pytest.fixture
def as_role(client):
    def log_in(*roles):
        permissions.ensure_roles()
        user = User.objects.create_user("-".join(roles), password="x")
        permissions.give(user, *roles)
        client.force_login(user)
        return client

    return log_in
