"""A key sees its own project alone, at every address that names a thing of one."""

import pytest

from reviews import sampling
from routing import access, policy
from routing.models import Collection
from tests.reviews.rows import add_pair

pytestmark = pytest.mark.django_db


def test_what_is_another_projects_is_not_there(client, project, demo):
    pair = add_pair(demo, 0.2, query="theirs-7291")
    study = sampling.start(policy.live(demo), name="theirs-7291", seed="7", rate=1.0)
    Collection.objects.create(project=demo, name="theirs-7291", embedder="static")
    headers = {"x-api-key": access.create_key(project, "mine")[0]}
    theirs = {"x-api-key": access.create_key(demo, "theirs")[0]}
    for path in (
        f"requests/{pair.request_id}", f"studies/{study.pk}/curve", f"studies/{study.pk}/export",
        "collections/theirs-7291", "collections/theirs-7291/documents",
        "collections/theirs-7291/versions",
    ):  # fmt: skip
        assert client.get(f"/api/v1/{path}", headers=theirs).status_code != 404, path
        assert client.get(f"/api/v1/{path}", headers=headers).status_code == 404, path
    said = client.post(
        f"/api/v1/requests/{pair.request_id}/feedback", {"thumb": "up"}, "application/json",
        headers=headers,
    )  # fmt: skip
    assert said.status_code == 404
    for path in ("requests", "labels", "collections"):
        answer = client.get(f"/api/v1/{path}", headers=headers)
        assert answer.status_code == 200
        assert "theirs-7291" not in str(answer.content)
