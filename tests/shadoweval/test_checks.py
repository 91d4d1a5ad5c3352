"""Settings that do not fit together are named by an id."""

import pytest

from shadoweval import checks

WHOLE = {"URL": "https://id.example.org", "CLIENT_ID": "c", "CLIENT_SECRET": "s"}
ROLES = {"ROLES_CLAIM": "groups", "ROLES": {"reviewers": ["rater"]}}


@pytest.mark.parametrize(
    ("said", "ids"),
    [
        ({}, []),
        (WHOLE, []),
        (WHOLE | ROLES | {"AUTO_CREATE": True}, []),
        (WHOLE | {"URL": "http://127.0.0.1:8080"}, []),
        (WHOLE | {"CLIENT_SECRET": ""}, ["E001"]),
        (WHOLE | {"URL": ""}, ["E001"]),
        (ROLES, ["E001"]),
        (WHOLE | {"URL": "http://id.example.org"}, ["E002"]),
        (WHOLE | {"ROLES_CLAIM": "groups"}, ["E003"]),
        (WHOLE | {"ROLES": ROLES["ROLES"]}, ["E003"]),
        (WHOLE | ROLES | {"ROLES": {"reviewers": ["king"]}}, ["E004"]),
        (WHOLE | {"AUTO_CREATE": True}, ["E005"]),
    ],
)
def test_single_sign_on(settings, said, ids):
    for name, value in said.items():
        setattr(settings, f"SHADOWEVAL_OIDC_{name}", value)
    assert [found.id for found in checks.single_sign_on(None)] == [f"shadoweval.{x}" for x in ids]


@pytest.mark.parametrize(
    ("has_mail", "url", "ids"),
    [
        (False, "http://127.0.0.1:8000", []),
        (True, "https://eval.example.org", []),
        (True, "http://localhost:8000", ["shadoweval.W001"]),
    ],
)
def test_links_in_mails(settings, has_mail, url, ids):
    settings.SHADOWEVAL_MAIL, settings.PUBLIC_URL = has_mail, url
    assert [found.id for found in checks.links(None)] == ids


@pytest.mark.parametrize(
    ("url", "secret", "ids"),
    [
        ("", "", []),
        ("https://hooks.example.org/x", "s", []),
        ("http://127.0.0.1:9000/x", "s", []),
        ("http://hooks.example.org/x", "s", ["shadoweval.E006"]),
        ("https://hooks.example.org/x", "", ["shadoweval.W002"]),
    ],
)
def test_webhook(settings, url, secret, ids):
    settings.SHADOWEVAL_WEBHOOK_URL, settings.SHADOWEVAL_WEBHOOK_SECRET = url, secret
    assert [found.id for found in checks.webhook(None)] == ids


@pytest.mark.parametrize(
    ("roles", "ids"),
    [
        (["engineering", "product"], []),
        (["product"], []),
        ([], ["shadoweval.E007"]),
        (["engineering", "engineering"], ["shadoweval.E007"]),
        (["lead", "product"], ["shadoweval.E007"]),
        (["king"], ["shadoweval.E007"]),
    ],
)
def test_roles_that_sign(settings, roles, ids):
    settings.SHADOWEVAL_SIGNOFF_ROLES = roles
    assert [found.id for found in checks.signatures(None)] == ids
