"""What leaves for a rater's browser is the same whichever side is which, but for the two texts."""

import re

import pytest
from django.contrib.auth.models import User

from reviews import blinding, permissions, rating, sampling
from reviews.models import Presentation, Slot
from routing import policy
from routing.types import Tier
from tests.reviews.rated import say
from tests.reviews.rows import add_pair

pytestmark = pytest.mark.django_db
CHEAP, DEAR = "A short answer.", "## A long one\n\n" + "With **bold** words. " * 200
ADDRESSES = ("/rate/{}/again/", "/rate/{}/differences/")


@pytest.fixture
def rita(client, project):
    permissions.ensure_roles()
    user = User.objects.create_user("rita")
    permissions.give(user, "rater")
    client.force_login(user)
    return rating.rater_of(user)


def start(project, **plan):
    plan = {"check_every": 0, "origin_every": 0, "second_share": 0} | plan
    return sampling.start(policy.live(project), name="s", seed="7", rate=1.0, **plan)


def sent(client, shown):
    """Return all that leaves for one showing, without what is drawn anew each time."""
    replies = [client.get(address.format(shown.token)) for address in ADDRESSES]
    assert [reply.status_code for reply in replies] == [200, 200]
    told = [(sorted(reply.headers.items()), reply.text) for reply in replies]
    whole = re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "CSRF", str(told))
    whole = re.sub(r'data-lease="\d+"', "LEASE", whole)
    whole = re.sub(r"\('Expires', '[^']+'\)", "EXPIRES", whole)
    whole = re.sub(r"'Content-Length', '\d+'", "LENGTH", whole)
    whole = re.sub(r' data-last="[-\w]+"', "", whole)
    return re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "TOKEN", whole)


@pytest.mark.parametrize("n", [12, pytest.param(200, marks=pytest.mark.slow)])
def test_many_showings_differ_in_the_two_texts_only(client, rita, project, n):
    add_pair(project, 0.5, cheap=CHEAP, expensive=DEAR)
    slot = start(project).slots.get()
    drawn = [blinding.present(slot, rita) for _ in range(n)]
    by_side = {left: {sent(client, s) for s in drawn if s.left == left} for left in Tier}
    assert [len(variants) for variants in by_side.values()] == [1, 1]
    (cheap_left,), (cheap_right,) = by_side[Tier.CHEAP], by_side[Tier.EXPENSIVE]
    assert cheap_left != cheap_right
    first, other = drawn[0], next(one for one in drawn if one.left != drawn[0].left)
    mine, theirs = blinding.blind(first), blinding.blind(other)
    assert (mine.left_html, mine.right_html) == (theirs.right_html, theirs.left_html)
    # The page of one with its texts swapped is the page of the other.
    pages = [client.get(ADDRESSES[0].format(one.token)).text for one in (first, other)]
    pages = [re.sub(r"value=\"\w{64}\"|data-lease=\"\d+\"", "", page) for page in pages]
    pages = [page.replace(str(o.token), "") for page, o in zip(pages, (first, other), strict=True)]
    left, right = mine.left_html, mine.right_html
    swapped = pages[0].replace(left, "LEFT").replace(right, left).replace("LEFT", right)
    assert swapped == pages[1]


@pytest.mark.parametrize("n", [49, pytest.param(400, marks=pytest.mark.slow)])
def test_the_side_is_a_fair_coin_and_is_never_sent(client, rita, project, n):
    add_pair(project, 0.5)
    slot = start(project).slots.get()
    lefts = [blinding.present(slot, rita).left for _ in range(n)]
    assert abs(lefts.count(Tier.CHEAP) - n / 2) < 3 * n**0.5  # six standard deviations
    fields = set(blinding.Blind.__dataclass_fields__)
    assert fields == {
        "token", "query_html", "turns_html", "prefill_html", "left_html", "right_html", "is_long",
        "has_sources", "sources", "n_sources",
    }  # fmt: skip


def test_a_check_looks_like_any_pair(client, rita, project):
    for n in range(30):
        add_pair(project, n / 30, cheap=CHEAP, expensive=CHEAP)
    study = start(project, check_every=1)
    pages = {}
    for _ in range(25):
        shown = rating.hand_out(study, rita)
        page = re.sub(r'<p class="progress">.*?</p>', "", sent(client, shown), flags=re.S)
        pages.setdefault(page, set()).add(shown.slot.kind)
        say(shown, rita)
    kinds = set().union(*pages.values())
    assert {Slot.Kind.SAMPLE, Slot.Kind.REPEAT} <= kinds
    assert list(pages.values()) == [kinds]


LEAKY = "As an AI made by Anthropic, I think claude-haiku-5-5 says 14 days."


@pytest.mark.parametrize("masks", [True, False])
def test_a_leak_is_found_at_hand_out_and_masked_unless_the_study_says_no(
    client, rita, project, masks
):
    add_pair(project, 0.5, cheap=LEAKY, expensive=DEAR)
    slot = start(project, masks_leaks=masks).slots.get()
    shown = blinding.present(slot, rita)
    assert set(Presentation.objects.get().leaks) == {"cheap"}
    told = "claude" in sent(client, shown).lower()
    assert told is not masks


def test_style_is_made_alike_when_the_study_asks_for_it(client, rita, project):
    add_pair(project, 0.5, cheap=CHEAP, expensive=DEAR)
    plain, alike = start(project), start(project, normalises_style=True)
    html = [
        "".join(blinding.sides(blinding.present(study.slots.get(), rita)))
        for study in (plain, alike)
    ]
    assert ["## A long one" in one for one in html] == [True, False]
