"""What runs as containers has what the code needs, and every command in the file works."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml
from django.conf import settings

ROOT = Path(__file__).parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES = COMPOSE["services"]
OURS = {name: each for name, each in SERVICES.items() if each["image"] == "shadoweval"}
#: What the Compose specification calls it; anything else here would be a slip.
KNOWN = {
    "build", "image", "restart", "environment", "secrets", "volumes", "read_only", "tmpfs",
    "cap_drop", "security_opt", "depends_on", "command", "stop_grace_period", "healthcheck",
    "ports", "stop_signal", "profiles",
}  # fmt: skip

#: Until all are healthy, on a machine that has other things to do.
_MOST_S = 240


def test_every_queue_has_a_service():
    commands = [each.get("command", []) for each in OURS.values()]
    workers = [command for command in commands if "worker" in command]
    named = [each[each.index("--queues") + 1] for each in workers]
    routed = {each["queue"] for each in settings.CELERY_TASK_ROUTES.values()}
    assert sorted(named) == sorted(routed | {"celery"})
    assert any("beat" in command for command in commands)


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_whole(name):
    service = SERVICES[name]
    assert set(service) <= KNOWN
    assert set(service.get("depends_on", ())) <= set(SERVICES)
    for needed, how in service.get("depends_on", {}).items():
        if how["condition"] == "service_healthy":
            assert "healthcheck" in SERVICES[needed]
    assert set(service.get("secrets", ())) <= set(COMPOSE["secrets"])
    for volume in service.get("volumes", ()):
        source = volume.partition(":")[0]
        assert source in COMPOSE["volumes"] or source.startswith("./")
    assert all(each.startswith("127.0.0.1:") for each in service.get("ports", ()))


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_writes_to_its_volumes_only_and_gains_no_rights(name):
    service = SERVICES[name]
    assert service["read_only"]
    assert "/tmp" in service["tmpfs"]
    assert service["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("name", sorted(set(SERVICES) - {"migrate", "tools", "flower"}))
def test_what_stays_is_watched(name):
    assert SERVICES[name]["healthcheck"]["test"]


@pytest.mark.parametrize("service", OURS.values(), ids=OURS)
def test_all_share_data_folder_secrets_and_the_images_models(service):
    """Index files and journal are in the data folder; the models were built into the image."""
    assert service["volumes"] == ["var:/app/var"]
    files = {value for name, value in service["environment"].items() if name.endswith("_FILE")}
    assert files == {f"/run/secrets/{name}" for name in service["secrets"]}
    assert not {"SHADOWEVAL_MODELS", "SHADOWEVAL_INDEX_DIR"} & set(service["environment"])


@pytest.mark.parametrize("service", OURS.values(), ids=OURS)
def test_every_variable_is_a_setting(service):
    known = (ROOT / ".env.example").read_text()
    for name in service["environment"]:
        assert f"# {name.removesuffix('_FILE')}=" in known


def test_the_database_server_can_keep_vectors():
    assert SERVICES["postgres"]["image"].startswith("pgvector/pgvector:")


def test_every_stage_and_every_file_that_the_image_names_is_there():
    said = (ROOT / "Dockerfile").read_text()
    stages = re.findall(r"^FROM \S+ AS (\S+)", said, re.M)
    assert {each["build"]["target"] for each in SERVICES.values() if "build" in each} <= set(stages)
    assert set(re.findall(r"--from=(\S+)", said)) <= set(stages)
    for copied in re.findall(r"^COPY (?!--)(.+) \S+$", said, re.M):
        assert all((ROOT / each).exists() for each in copied.split())
    final = said[said.index("AS base") :]
    assert "USER 10001" in final
    assert "embedders]" not in final


def test_the_proxy_knows_both_web_containers():
    said = (ROOT / "deploy" / "nginx.conf").read_text()
    assert set(re.findall(r"server (\w+):8000", said)) == {
        name for name in OURS if name.startswith("web")
    }


@pytest.fixture
def environment(transactional_db, tmp_path):
    """What a container is told: stores of the test run, a data folder of its own."""
    to = settings.DATABASES["default"]
    database = f"postgresql://{to['USER']}@{to['HOST'].replace('/', '%2F')}/{to['NAME']}"
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "SHADOWEVAL_MODELS")}
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to(sys.executable)
    path = f"{Path(sys.executable).parent}:{kept['PATH']}"
    return kept | {
        "PATH": path, "DATABASE_URL": database, "REDIS_URL": settings.REDIS_URL,
        "SHADOWEVAL_VAR": str(tmp_path / "var"), "SHADOWEVAL_SECRET_KEY": "only-for-tests",
        "HOSTNAME": os.uname().nodename,
    }  # fmt: skip


def _local(command, environment, port):
    """Return the command as it runs here: this checkout for /app, a free port for 8000."""
    words = [command] if isinstance(command, str) else command
    moved = [
        word.replace("/app/var", environment["SHADOWEVAL_VAR"]).replace("$$", "$") for word in words
    ]
    return [str(port) if word == "8000" else word.replace(":8000/", f":{port}/") for word in moved]


def _healthy(service, environment, port):
    kind, *words = service["healthcheck"]["test"]
    command = _local(words, environment, port)
    command = ["sh", "-c", *command] if kind == "CMD-SHELL" else command
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True).returncode == 0


def _becomes_healthy(service, environment, port, process):
    end = time.monotonic() + _MOST_S
    while time.monotonic() < end and process.poll() is None:
        if _healthy(service, environment, port):
            return True
    return False


@pytest.mark.slow
@pytest.mark.timeout(2 * _MOST_S)
def test_every_command_of_the_file_runs_is_found_healthy_and_ends_when_asked(
    environment, unused_tcp_port
):
    migrated = _local(OURS["migrate"]["command"], environment, unused_tcp_port)
    subprocess.run(migrated, cwd=ROOT, env=environment, check=True, capture_output=True)
    stay = {name: each for name, each in OURS.items() if name not in {"migrate", "web2"}}
    running = {
        name: subprocess.Popen(
            _local(each["command"], environment, unused_tcp_port), cwd=ROOT, env=environment
        )
        for name, each in stay.items()
    }
    try:
        with ThreadPoolExecutor() as pool:
            told = {
                name: pool.submit(
                    _becomes_healthy, each, environment, unused_tcp_port, running[name]
                )
                for name, each in stay.items()
            }
        assert {name: each.result() for name, each in told.items()} == dict.fromkeys(stay, True)
        for name, process in running.items():
            process.send_signal(signal.Signals[stay[name].get("stop_signal", "SIGTERM")])
        assert {name: each.wait(60) for name, each in running.items()} == dict.fromkeys(stay, 0)
    finally:
        for process in running.values():
            process.kill()


@pytest.mark.skipif(not shutil.which("docker-compose"), reason="no docker-compose here")
def test_compose_itself_takes_the_file():
    every = ["--profile", "tools", "--profile", "flower"]
    command = ["docker-compose", "-f", ROOT / "docker-compose.yml", *every, "config", "--services"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) == set(SERVICES)
