"""Reminders: to whom, once in so many days, and without a word of what is rated."""

import base64
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from reviews import permissions, rating, reminders, sampling, tasks
from reviews.errors import BadInput, Conflict, NotSent
from reviews.models import Rating, Reminder, Study
from routing import policy
from tests.reviews.race import after
from tests.reviews.rows import add_pair

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def study(project):
    return waiting(project)


def waiting(project):
    made = sampling.start(policy.live(project), name="Haiku or not", seed="1", rate=1.0)
    for _ in range(3):
        add_pair(project, 0.1)
    sampling.extend(made)
    Study.objects.update(created_at=timezone.now() - 10 * DAY)
    made.refresh_from_db()
    return made


def rater(name="rita", days=10, **fields):
    permissions.ensure_roles()
    fields = {"email": f"{name}@example.org", "password": "p"} | fields
    user = User.objects.create_user(name, date_joined=timezone.now() - days * DAY, **fields)
    permissions.give(user, "rater")
    return user


def rate(study, user):
    mine = rating.rater_of(user)
    shown = rating.hand_out(study, mine)
    rating.submit(shown.token, mine, choice="equal", left_adequate=True, right_adequate=True)


def test_a_mail_names_neither_study_nor_answers(smtp, study):
    user = rater()
    reminders.send(user, study)
    [(to, mail)] = smtp.mails
    text = mail.get_content()
    assert to == ["rita@example.org"]
    assert f"https://eval.example.org/rate/?study={study.pk}" in text
    assert "https://eval.example.org/rate/reminders/" in text
    assert "3 pairs wait" in text
    words = (study.name, "from cheap", "from expensive", "haiku", "sonnet", "simulated")
    assert not any(word.lower() in f"{mail}".lower() for word in words)
    assert base64.b64decode(smtp.logins[0]) == b"\0me\0s3cret"


def test_who_rests_is_reminded_once(smtp, study):
    rater()
    assert [reminders.send_due(), reminders.send_due()] == [1, 0]
    assert Reminder.objects.count() == len(smtp.mails) == 1


def test_the_next_mail_comes_after_the_pause(smtp, study, settings):
    settings.SHADOWEVAL_REMIND_AFTER_DAYS = 0
    rater()
    assert [reminders.send_due(), reminders.send_due()] == [1, 1]


def test_the_worker_sends_them(smtp, study):
    rater()
    tasks.remind_raters()
    assert len(smtp.mails) == 1


@pytest.mark.parametrize(
    "fields",
    [{"email": ""}, {"is_active": False}, {"days": 1}, {"password": None}],
    ids=["no address", "inactive", "new here", "cannot log in"],
)
def test_who_is_not_due(smtp, study, fields):
    rater(**fields)
    assert reminders.send_due() == 0


def test_who_rated_lately_is_not_due_and_who_rated_long_ago_is(smtp, study, settings):
    rate(study, rater())
    assert reminders.send_due() == 0
    settings.SHADOWEVAL_REMIND_AFTER_DAYS = 0
    assert reminders.send_due() == 1


def test_who_has_nothing_left_to_rate_is_not_due(smtp, study, settings):
    settings.SHADOWEVAL_REMIND_AFTER_DAYS = 0
    user = rater()
    for _ in range(3):
        rate(study, user)
    assert Rating.objects.count() == 3
    assert reminders.send_due() == 0
    with pytest.raises(BadInput, match="Nothing"):
        reminders.send(user, study)


def test_a_demo_study_reminds_nobody(smtp, demo):
    rater()
    waiting(demo)
    assert reminders.send_due() == 0


def test_a_closed_study_reminds_nobody(smtp, study):
    rater()
    Study.objects.update(state="closed", closed_at=timezone.now())
    assert reminders.send_due() == 0


def test_people_of_other_roles_are_not_reminded(smtp, study):
    user = rater()
    user.groups.clear()
    permissions.give(user, "product")
    assert reminders.send_due() == 0
    with pytest.raises(BadInput):
        reminders.send(user, study)


def test_a_person_reminds_by_hand_but_not_too_often(smtp, study):
    user = rater(days=0)
    reminders.send(user, study)
    with pytest.raises(Conflict, match="within the last 3 days"):
        reminders.send(user, study)
    assert len(smtp.mails) == 1


def test_without_mail_nothing_is_recorded(study):
    user = rater()
    with pytest.raises(NotSent, match="Mail is off"):
        reminders.send(user, study)
    assert reminders.send_due() == Reminder.objects.count() == 0


def test_a_mail_that_is_refused_is_tried_again(smtp, study):
    rater()
    smtp.refuses = True
    assert (reminders.send_due(), Reminder.objects.count()) == (0, 0)
    smtp.refuses = False
    assert reminders.send_due() == 1


def test_who_wants_none_gets_none_until_they_do(smtp, study, client):
    user = rater()
    client.force_login(user)
    assert "a mail goes to rita@example.org" in client.get("/rate/reminders/").text
    client.post("/rate/reminders/", {"reminders": "no"})
    assert "You get no reminders" in client.get("/rate/reminders/").text
    assert reminders.send_due() == 0
    with pytest.raises(BadInput, match="wants no reminders"):
        reminders.send(user, study)
    client.post("/rate/reminders/", {"reminders": "yes"})
    assert reminders.send_due() == 1


def test_the_page_says_when_mail_is_off(study, client):
    client.force_login(rater())
    assert "Mail is off" in client.get("/rate/reminders/").text


def test_a_reminder_never_changes(smtp, study):
    row = reminders.send(rater(), study)
    with pytest.raises(TypeError):
        row.save()


@pytest.mark.django_db(transaction=True)
def test_two_workers_send_one_mail(smtp, study):
    user = rater()
    rating.rater_of(user)  # whose first writing would make the second wait, too
    after(lambda: reminders.send(user, study), reminders.send_due)
    assert len(smtp.mails) == Reminder.objects.filter(user=user).count() == 1
