"""Invitations work once and give what the inviter may give; somebody can always administer."""

import threading
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from reviews import audit, people, permissions
from reviews.errors import BadInput, Conflict, NotAllowed, NotSent
from reviews.models import AuditEntry, Invitation
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
        people.set_roles(ada, ["lead"], by=ada)
    with pytest.raises(Conflict):
        people.deactivate(ada, by=ada)
    people.follow(ada, {"rater"})
    assert permissions.roles_of(ada) == {"admin", "rater"}
    person("bo", "admin")
    people.set_roles(ada, ["lead"], by=ada)
    assert permissions.roles_of(ada) == {"lead"}


def test_an_admin_who_cannot_log_in_does_not_count():
    ada, bo = person("ada", "admin"), person("bo", "admin")
    bo.set_unusable_password()
    bo.save()
    person("cy", "admin", is_active=False)
    with pytest.raises(Conflict):
        people.deactivate(ada, by=ada)


def test_a_superuser_without_the_role_admin_is_none_any_more():
    person("ada", "admin")
    root = person("root", is_superuser=True, is_staff=True)
    assert permissions.roles_of(root) == {"admin"}
    people.set_roles(root, ["product"], by=root)
    root = User.objects.get(pk=root.pk)
    assert (permissions.roles_of(root), root.is_staff) == ({"product"}, False)


@pytest.mark.django_db(transaction=True)
def test_two_admins_who_remove_each_other_do_not_both_succeed():
    ada, bo = person("ada", "admin"), person("bo", "admin")
    refused = []

    def second():
        try:
            people.deactivate(bo, by=bo)
        except Conflict:
            refused.append(bo)

    after(lambda: people.deactivate(ada, by=ada), second)
    assert refused == list(permissions.admins()) == [bo]


def test_who_is_deactivated_takes_their_open_invitations_with_them():
    ada, lena = person("ada", "admin"), person("lena", "lead")
    token, _ = people.invite(lena, ["rater"])
    people.deactivate(lena, by=ada)
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
    people.set_roles(lena, ["lead", "product"], by=lena)
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
    people.set_roles(root, ["lead"], by=root)
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


def told():
    entries = AuditEntry.objects.order_by("project", "number")
    return [(row.actor, row.event, row.subject, row.detail) for row in entries]


def test_a_change_of_roles_is_in_the_trail_of_every_project(project, demo):
    ada, erik = person("ada", "admin"), person("erik", "engineering")
    people.set_roles(erik, ["engineering", "product"], by=ada)
    people.set_roles(erik, ["product", "engineering"], by=ada)
    people.deactivate(erik, by=ada)
    people.deactivate(erik, by=ada)
    people.activate(erik, by=ada)
    people.follow(erik, {"lead"})
    both, name = ["engineering", "product"], {"name": "erik"}
    expected = [
        ("ada", "person.roles", {"before": ["engineering"], "after": both, **name}),
        ("ada", "person.deactivated", {"before": both, "after": both, **name}),
        ("ada", "person.activated", {"before": both, "after": both, **name}),
        ("", "person.roles", {"before": both, "after": ["lead"], **name}),
    ]
    assert told() == 2 * [
        (who, event, f"person {erik.pk}", detail) for who, event, detail in expected
    ]
    assert audit.verify(project) == audit.verify(demo) == []


def test_who_loses_superuser_rights_is_in_the_trail(project):
    ada, root = person("ada", "admin"), person("root", is_superuser=True, is_staff=True)
    people.set_roles(root, ["product"], by=ada)
    [(*_, detail)] = told()
    assert (detail["before"], detail["after"]) == (["admin"], ["product"])


def test_who_comes_in_is_in_the_trail_with_who_invited_them_and_no_secret(project):
    token, row = people.invite(person("ada", "admin"), ["product"], "eve@example.org")
    people.accept(token, User(username="eve"))
    [(actor, event, subject, detail)] = told()
    eve = User.objects.get(username="eve")
    assert (actor, event, subject) == ("ada", "person.joined", f"person {eve.pk}")
    assert detail == {"before": [], "after": ["product"], "name": "eve"}
    assert not any(secret in str(told()) for secret in (token, row.digest, eve.email))


def test_who_does_no_more_than_rate_is_a_number_in_the_trail(project):
    token, _ = people.invite(person("ada", "admin"), ["rater"])
    people.accept(token, User(username="rita"))
    people.deactivate(User.objects.get(username="rita"), by=User.objects.get(username="ada"))
    assert [event for _, event, *_ in told()] == ["person.joined", "person.deactivated"]
    assert "rita" not in str(told())


def test_a_refused_change_leaves_no_entry(project):
    ada = person("ada", "admin")
    with pytest.raises(Conflict):
        people.set_roles(ada, ["lead"], by=ada)
    assert told() == []


def test_the_trails_page_says_changes_of_roles_in_words(client, project):
    ada, erik = person("ada", "admin"), person("erik", "engineering")
    client.force_login(ada)
    client.post(reverse("set_roles", args=[erik.pk]), {"roles": ["product"]})
    client.post(reverse("set_active", args=[erik.pk]), {"active": "no"})
    client.post(reverse("set_active", args=[erik.pk]), {"active": "yes"})
    said = client.get(reverse("audit")).content.decode()
    assert "erik has other roles; now: product; before: engineering." in said
    assert "erik cannot log in any more; roles: product." in said
    assert "erik can log in again; roles: product." in said
    assert [actor for actor, *_ in told()] == ["ada"] * 3


@pytest.mark.parametrize("model", ["user", "group"])
def test_people_and_roles_are_not_changed_past_the_people_page(client, model):
    client.force_login(person("root", is_superuser=True, is_staff=True))
    assert client.get("/admin/").status_code == 200
    assert client.get(f"/admin/auth/{model}/").status_code == 404
