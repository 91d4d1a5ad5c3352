"""What runs as containers has what the code needs."""

from pathlib import Path

import pytest
import yaml
from django.conf import settings

ROOT = Path(__file__).parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
OURS = {name: each for name, each in COMPOSE["services"].items() if each["image"] == "shadoweval"}


def test_every_queue_has_a_service():
    commands = [each.get("command", []) for each in OURS.values()]
    workers = [command for command in commands if "worker" in command]
    named = [each[each.index("--queues") + 1] for each in workers if "--queues" in each]
    assert set(named) == {each["queue"] for each in settings.CELERY_TASK_ROUTES.values()}
    assert len(workers) == len(named) + 1  # one takes what goes to no queue of its own
    assert any("beat" in command for command in commands)


@pytest.mark.parametrize("service", OURS.values(), ids=OURS)
def test_all_share_data_folder_secrets_and_the_images_models(service):
    """Index files and journal are in the data folder; the models were built into the image."""
    assert service["volumes"] == ["var:/app/var"]
    assert "var" in COMPOSE["volumes"]
    assert set(service["secrets"]) <= set(COMPOSE["secrets"])
    files = {value for name, value in service["environment"].items() if name.endswith("_FILE")}
    assert files == {f"/run/secrets/{name}" for name in service["secrets"]}
    assert not {"SHADOWEVAL_MODELS", "SHADOWEVAL_INDEX_DIR"} & set(service["environment"])


@pytest.mark.parametrize("service", OURS.values(), ids=OURS)
def test_every_variable_is_a_setting(service):
    known = (ROOT / ".env.example").read_text()
    for name in service["environment"]:
        assert f"# {name.removesuffix('_FILE')}=" in known


def test_the_database_server_can_keep_vectors():
    assert COMPOSE["services"]["postgres"]["image"].startswith("pgvector/pgvector:")
