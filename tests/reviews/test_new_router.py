"""The whole story of a router: labels, a training, a challenger, its study, signed, it decides."""

import pytest

from reviews import (
    calibration,
    challenges,
    closing,
    evidence,
    labels,
    pack,
    permissions,
    rollout,
    sampling,
    training,
)
from reviews.errors import Conflict
from reviews.models import SampledPair, TrainingExample
from reviews.pack import checking
from reviews.plan import Plan
from routing import challenging, policy, routers
from routing.models import ShadowPair
from routing.types import Tier
from tests.reviews import labelled
from tests.reviews.planted import plant, query
from tests.reviews.rated import rate_all, rater
from tests.reviews.rows import add_pairs
from tests.reviews.signing import approve, ask, person

pytestmark = [pytest.mark.django_db, pytest.mark.slow]
_OPTIONS = {"sources": ["human"], "embedder": "static"}
_PLAN = {
    "name": "Before it decides", "rate": 0.8, "train_rate": 0.2, "floor": 0.3, "check_every": 0,
    "origin_every": 0, "second_share": 0.0, "early_stop": False,
}  # fmt: skip
_SAID = {True: ("expensive", False, True), False: ("tie", True, True)}


def trained(project, lead, name="mine"):
    """Train in this process, as the trainer would."""
    run = training.ask(
        project, kind="rules+embedding-logistic", name=name, options=_OPTIONS, by=lead
    )
    assert training.run_due()
    run.refresh_from_db()
    assert (run.error, run.state) == ("", "done")
    return run.router


def traffic(project, n=80):
    """Let the live router bring pairs in; return which of them needed the expensive model."""
    pairs = add_pairs(project, [0.5] * n, query=lambda place: query(200 + place))
    return {pair.pk: place % 2 == 1 for place, pair in enumerate(pairs)}


def studied(project, router, lead):
    """Let the router challenge, be studied and rated, and close its study."""
    row = challenges.start(project, router, lead)
    needed = traffic(project)
    challenging.run()
    study = challenges.study(row, Plan(**_PLAN), seed="7", by=lead)
    rate_all(study, rater("rita"), lambda pair: (_SAID[needed[pair]], {}))
    labelled.end_window(study)
    return closing.close(study, by=None, basis="window"), needed


def test_a_router_that_learnt_here_comes_to_decide_here(project, tmp_path):
    permissions.ensure_roles()
    lead, first = person("lena", "lead"), policy.live(project)
    old = {pair.pk for pair in plant(project)}

    router = trained(project, lead)
    assert policy.live(project) == first

    study, needed = studied(project, router, lead)
    assert policy.live(project) == first
    calibrate = SampledPair.objects.filter(study=study, selected=True, purpose="calibrate")
    drawn = set(calibrate.values_list("pair", flat=True))
    assert drawn < set(needed)
    assert not drawn & old
    certified = calibration.certificate(study)
    assert 0 < certified.threshold < 1
    scores = dict(ShadowPair.objects.values_list("pk", "request__challenger_scores__score"))
    cheap = {pair for pair in needed if scores[pair] < certified.threshold}
    assert len(cheap) > 20
    assert sum(needed[pair] for pair in cheap) < len(cheap) / 2

    row = ask(study, person("paula", "product"), threshold=certified.threshold)
    content = row.evidence.content
    assert (content["router"]["name"], content["router"]["sha256"]) == ("mine", router.sha256)
    assert content["point"]["cheap_count"] == len(cheap)
    assert evidence.recompute(row.evidence)
    row = approve(row, person("erik", "engineering"))
    rollout.run_due()
    assert policy.live(project) == first
    row = approve(row, person("petra", "product"))
    rollout.run_due()

    live = policy.live(project)
    assert (live, live.router) == (row.policy_after, router)
    assert (live.threshold, live.identity) == (certified.threshold, first.identity)
    loaded = routers.load(router.kind, bytes(live.router.artifact), router.embedder)
    tiers = [
        Tier.CHEAP if loaded.score(query(200 + k)).value < live.threshold else Tier.EXPENSIVE
        for k in range(80)
    ]
    assert tiers.count(Tier.CHEAP) == len(cheap)
    packed = tmp_path / "pack.zip"
    with packed.open("wb") as file:
        pack.write(row, file)
    assert checking.check(packed) == []


def test_what_certified_it_trains_none_after_it_and_what_the_study_drew_to_train_does(project):
    permissions.ensure_roles()
    lead = person("lena", "lead")
    old = {pair.pk for pair in plant(project)}
    study, needed = studied(project, trained(project, lead), lead)
    sample = SampledPair.objects.filter(study=study, selected=True)
    by_purpose = {
        purpose: set(sample.filter(purpose=purpose).values_list("pair", flat=True))
        for purpose in ("train", "calibrate")
    }
    assert by_purpose["train"]
    after = trained(project, lead, "next")
    learnt = set(TrainingExample.objects.filter(run__router=after).values_list("pair", flat=True))
    assert learnt == old | by_purpose["train"]
    assert {label.pair_id for label in labels.collect(project)} >= learnt
    assert after.trained_until > sampling.trained_until(study.router_id)
    fresh = challenges.study(
        challenges.start(project, after, lead), Plan(**_PLAN), seed="9", by=lead
    )
    assert sampling.window(fresh)[0] > after.trained_until


def test_a_study_of_its_own_certifies_no_other_router(project):
    permissions.ensure_roles()
    lead = person("lena", "lead")
    plant(project)
    study, _ = studied(project, trained(project, lead), lead)
    later = trained(project, lead, "next")
    row = ask(study, person("paula", "product"), threshold=calibration.certificate(study).threshold)
    challenges.always_expensive_with(
        project, later, by=person("emil", "engineering"), reason="evidence"
    )
    with pytest.raises(Conflict, match="Another policy went live"):
        approve(row, person("erik", "engineering"))
    rollout.run_due()
    assert policy.live(project).router == later
