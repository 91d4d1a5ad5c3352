"""Invitations work once and give what the inviter may give; somebody can always administer."""

import threading
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone

from reviews import people, permissions
from reviews.errors import BadInput, Conflict, NotAllowed, NotSent
from reviews.models import Invitation
from tests.reviews.race import after

pytestmark = pytest.mark.django_db


def person(name, *roles, **fields):
    permissions.ensure_roles()
    user = User.objects.create_user(name, password="pw-for-tests", **fields)
    permissions.give(user, *roles)
    return user


def expire(row):
    Invitation.objects.filter(pk=row.pk).update(expires_at=timezone.now() - timedelta(seconds=1))


def test_the_token_is_kept_as_a_hash_only():
    token, row = people.invite(person("ada", "admin"), ["rater"])
    stored = Invitation.objects.filter(pk=row.pk).values().get()
    assert token not in str(stored)
    assert people.find(token) == row


@pytest.mark.parametrize(
    ("inviter", "roles", "is_allowed"),
    [
        ("admin", ["rater"], True),
        ("admin", ["admin", "lead"], True),
        ("lead", ["rater"], True),
        ("lead", ["lead"], False),
        ("lead", ["rater", "admin"], False),
        ("rater", ["rater"], False),
        ("engineering", ["rater"], False),
        ("product", ["rater"], False),
    ],
)
def test_who_may_invite_whom(inviter, roles, is_allowed):
    by = person("by", inviter)
    if is_allowed:
        assert people.invite(by, roles)[1].roles == [r for r in permissions.ROLES if r in roles]
        return
    with pytest.raises(NotAllowed):
        people.invite(by, roles)
    assert not Invitation.objects.exists()


@pytest.mark.parametrize("roles", [[], ["king"]])
def test_an_invitation_needs_roles_that_exist(roles):
    with pytest.raises(BadInput):
        people.invite(person("ada", "admin"), roles)


@pytest.mark.parametrize("email", ["x", "a@b@c.de", "BOB@example.org"])
def test_an_address_that_is_none_or_taken_is_refused(email):
    person("bob", "rater", email="bob@example.org")
    with pytest.raises(BadInput):
        people.invite(person("ada", "admin"), ["rater"], email)


def test_a_link_lets_one_person_in_and_then_says_it_was_used():
    token, row = people.invite(person("ada", "admin"), ["rater", "lead"], "eve@example.org")
    people.accept(token, User(username="eve"))
    eve = User.objects.get(username="eve")
    assert (permissions.roles_of(eve), eve.email) == ({"rater", "lead"}, "eve@example.org")
    row.refresh_from_db()
    assert (row.state, row.accepted_by) == ("accepted", eve)
    with pytest.raises(Conflict, match="used already"):
        people.accept(token, User(username="mallory"))
    assert not User.objects.filter(username="mallory").exists()


def test_an_expired_and_a_revoked_link_say_so():
    ada = person("ada", "admin")
    token, row = people.invite(ada, ["rater"])
    expire(row)
    with pytest.raises(Conflict, match="run out"):
        people.accept(token, User(username="eve"))
    token, row = people.invite(ada, ["rater"])
    people.revoke(row, ada)
    with pytest.raises(Conflict, match="withdrawn"):
        people.accept(token, User(username="eve"))
    assert not User.objects.filter(username="eve").exists()


def test_a_name_that_is_taken_leaves_the_invitation_open():
    token, row = people.invite(person("ada", "admin"), ["rater"])
    with pytest.raises(BadInput):
        people.accept(token, User(username="ada"))
    assert people.find(token) == row


@pytest.mark.django_db(transaction=True)
def test_of_two_at_once_one_comes_in():
    token, _ = people.invite(person("ada", "admin"), ["rater"])
    start, outcomes = threading.Barrier(4), []

    def come(name):
        start.wait()
        try:
            people.accept(token, User(username=name))
            outcomes.append("in")
        except Conflict:
            outcomes.append("late")
        connection.close()

    threads = [threading.Thread(target=come, args=[f"eve-{n}"]) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["in", "late", "late", "late"]
    assert User.objects.filter(username__startswith="eve").count() == 1


def test_a_lead_revokes_what_a_lead_could_have_made():
    ada, lena = person("ada", "admin"), person("lena", "lead")
    _, high = people.invite(ada, ["admin"])
    _, low = people.invite(ada, ["rater"])
    people.revoke(low, lena)
    with pytest.raises(NotAllowed):
        people.revoke(high, lena)
    assert {row.pk: row.state for row in Invitation.objects.all()} == {
        high.pk: "open",
        low.pk: "revoked",
    }


def test_the_last_admin_stays():
    ada = person("ada", "admin")
    with pytest.raises(Conflict):
        people.set_roles(ada, ["lead"])
    with pytest.raises(Conflict):
        people.deactivate(ada)
    people.follow(ada, {"rater"})
    assert permissions.roles_of(ada) == {"admin", "rater"}
    person("bo", "admin")
    people.set_roles(ada, ["lead"])
    assert permissions.roles_of(ada) == {"lead"}


def test_an_admin_who_cannot_log_in_does_not_count():
    ada, bo = person("ada", "admin"), person("bo", "admin")
    bo.set_unusable_password()
    bo.save()
    person("cy", "admin", is_active=False)
    with pytest.raises(Conflict):
        people.deactivate(ada)


def test_a_superuser_without_the_role_admin_is_none_any_more():
    person("ada", "admin")
    root = person("root", is_superuser=True, is_staff=True)
    assert permissions.roles_of(root) == {"admin"}
    people.set_roles(root, ["product"])
    root = User.objects.get(pk=root.pk)
    assert (permissions.roles_of(root), root.is_staff) == ({"product"}, False)


@pytest.mark.django_db(transaction=True)
def test_two_admins_who_remove_each_other_do_not_both_succeed():
    ada, bo = person("ada", "admin"), person("bo", "admin")
    refused = []

    def second():
        try:
            people.deactivate(bo)
        except Conflict:
            refused.append(bo)

    after(lambda: people.deactivate(ada), second)
    assert refused == list(permissions.admins()) == [bo]


def test_who_is_deactivated_takes_their_open_invitations_with_them():
    person("ada", "admin")
    token, _ = people.invite(person("lena", "lead"), ["rater"])
    people.deactivate(User.objects.get(username="lena"))
    with pytest.raises(Conflict, match="withdrawn"):
        people.find(token)


def test_the_link_goes_by_mail(smtp):
    token, row = people.invite(person("ada", "admin"), ["rater"], "eve@example.org")
    people.mail_link(row, token)
    [(to, mail)] = smtp.mails
    assert to == ["eve@example.org"]
    assert f"https://eval.example.org/join/{token}/" in mail.get_content()


def test_a_mail_that_does_not_leave_says_so_and_logs_no_address(smtp, caplog):
    token, row = people.invite(person("ada", "admin"), ["rater"], "eve@example.org")
    smtp.refuses = True
    with pytest.raises(NotSent):
        people.mail_link(row, token)
    assert "SMTPRecipientsRefused" in caplog.text
    assert not any(word in caplog.text for word in (token, "eve@", "s3cret"))


def test_who_may_invite_no_longer_lets_nobody_in():
    ada, lena = person("ada", "admin"), person("lena", "lead", "admin")
    low, high = (people.invite(lena, roles)[0] for roles in (["rater"], ["lead"]))
    people.set_roles(lena, ["lead", "product"])
    with pytest.raises(Conflict, match="withdrawn"):
        people.accept(high, User(username="eve"))
    assert people.find(low).state == "open"
    people.follow(lena, {"product"})
    with pytest.raises(Conflict, match="withdrawn"):
        people.accept(low, User(username="eve"))
    assert {row.state for row in ada.invitations.all() | lena.invitations.all()} == {"revoked"}


def test_a_superuser_who_becomes_a_lead_takes_back_what_only_an_admin_gives():
    person("ada", "admin")
    root = person("root", is_superuser=True)
    token, _ = people.invite(root, ["admin"])
    people.set_roles(root, ["lead"])
    with pytest.raises(Conflict, match="withdrawn"):
        people.find(token)


@pytest.mark.parametrize("how", ["roles", "inactive", "deleted"])
def test_an_invitation_that_is_still_open_is_checked_again(how):
    lena = person("lena", "lead")
    token, row = people.invite(lena, ["rater"])
    assert people.find(token) == row
    if how == "roles":
        lena.groups.clear()
    elif how == "inactive":
        User.objects.filter(pk=lena.pk).update(is_active=False)
    else:
        lena.delete()
    for call in (lambda: people.find(token), lambda: people.accept(token, User(username="eve"))):
        with pytest.raises(Conflict, match="withdrawn"):
            call()
    assert not User.objects.filter(username="eve").exists()
