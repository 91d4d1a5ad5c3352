"""A small study, all rated, whose lower scores are certified; and people who sign."""

from django.contrib.auth.models import User

from reviews import closing, permissions, planning, sampling, signoff
from reviews.models import Rater, Verdict
from routing import policy
from tests.reviews import labelled
from tests.reviews.rows import add_pairs


def person(name, *roles):
    permissions.ensure_roles()
    user = User.objects.create_user(name)
    permissions.give(user, *roles)
    return user


def rate(study, who, harmed):
    """Say of each drawn pair that nobody of `who` rated whether CHEAP harmed, by its score."""
    drawn = study.sample.filter(selected=True).exclude(pair__verdicts__rater=who)
    Verdict.objects.bulk_create(
        Verdict(
            study=study, pair=draw.pair, rater=who, cheap_adequate=not is_harm,
            preference="expensive" if is_harm else "tie",
        )
        for draw in drawn.select_related("pair")
        for is_harm in [harmed(draw.pair.score)]
    )  # fmt: skip


def running(project, n=40, **plan):
    """Return a study of n rated pairs with scores from 0 to 1; above 0.6 CHEAP always harms."""
    mixed = [place * 17 % n / n for place in range(n)]  # in order of arrival the stream is alike
    add_pairs(project, mixed, task=lambda place: "math" if place % 2 else "writing")
    usual = {"floor": 0.3, "early_stop": False, "check_every": 0, "origin_every": 0}
    live = policy.live(project)
    study = sampling.start(live, name="Small study", seed="7", rate=1.0, **usual | plan)
    rate(study, Rater.objects.create(kind=Rater.Kind.HUMAN, name="ann"), lambda score: score > 0.6)
    return study


def closed(project, **plan):
    """Return such a study, with one deviation, closed at the end of its window."""
    study = running(project, **plan)
    planning.change(study, {"rater_target": 50}, by=None, reason="enough for a test")
    labelled.end_window(study)
    return closing.close(study, by=None, basis="window")


def asked(study, threshold=0.4, **more):
    """Return a request to sign a threshold."""
    user = person("paula", "product")
    return signoff.request(
        study=study, user=user, threshold=threshold, reason="It holds the floor.", **more
    )


def signed(study, threshold=0.4):
    """Return a sign-off that both roles approved."""
    row = asked(study, threshold)
    for name, role in (("erik", "engineering"), ("petra", "product")):
        row = signoff.decide(row, user=person(name, role), decision="approve", comment="Fine.")
    return row
