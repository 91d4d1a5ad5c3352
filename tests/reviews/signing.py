"""People who sign, and sign-offs on their way; what a test of signing begins with."""

from django.contrib.auth.models import User

from reviews import permissions, rating, sampling, signoff
from reviews.models import Verdict
from routing import policy
from tests.reviews.rows import add_pairs


def person(name, *roles, **fields):
    """Make somebody with roles who has a password, if not one that anybody typed."""
    permissions.ensure_roles()
    user = User.objects.create(username=name, password="a hash", **fields)
    permissions.give(user, *roles)
    return user


def ask(study, user, threshold=0.6, **said):
    """Ask for a threshold."""
    return signoff.request(study=study, user=user, threshold=threshold, reason="good", **said)


def approve(row, *users):
    """Let each of them approve; return the sign-off as it is then."""
    for user in users:
        row = signoff.decide(row, user=user, decision="approve")
    return row


def rated_study(project, n=8):
    """Return a running study with n pairs, all rated ties; its plan asks for no certificate."""
    add_pairs(project, [place / n for place in range(n)])
    live = policy.live(project)
    study = sampling.start(live, name="Rated", seed="7", rate=1.0, certified_only=False)
    rita = rating.rater_of(person("rita", "rater"))
    Verdict.objects.bulk_create(
        Verdict(study=study, pair=row.pair, rater=rita, preference="tie")
        for row in study.sample.filter(selected=True).select_related("pair")
    )
    return study
