"""Studies that draw to train, and what sources say of their pairs."""

from reviews import sampling
from reviews.models import JudgeSpec, Rater, Verdict
from routing import policy

#: Hardly any pair calibrates; tests say so where one does.
PLAN = {"rate": 1e-9, "train_rate": 0.999, "second_share": 0, "check_every": 0, "origin_every": 0}


def start(project, **plan):
    """Draw all pairs of the project to train."""
    return sampling.start(policy.live(project), **{"name": "t", "seed": "7", **PLAN, **plan})


def person(name="ann"):
    return Rater.objects.get_or_create(kind=Rater.Kind.HUMAN, name=name)[0]


def spoken(study, pair, rater, preference="", cheap=None, expensive=None):
    """Write a verdict by tier."""
    return Verdict.objects.create(
        study=study, pair=pair, rater=rater, preference=preference,
        cheap_adequate=cheap, expensive_adequate=expensive,
    )  # fmt: skip


def judge(study, prompt="Which is better?"):
    """Write a judge of the study that asks nobody; return its rater."""
    spec = JudgeSpec.objects.create(
        study=study, provider="simulated", model="judge-model", price={}, prompt=prompt,
        framing="", tool={}, max_tokens=5, cap_usd=1,
    )  # fmt: skip
    return Rater.objects.create(kind=Rater.Kind.LLM_JUDGE, name=spec.name, project=study.project)
