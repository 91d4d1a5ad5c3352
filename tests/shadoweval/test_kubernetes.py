"""The manifests are what Kubernetes takes, and run what the code needs."""

from pathlib import Path

import kubernetes_validate
import pytest
import yaml
from django.conf import settings

FOLDER = Path(__file__).parents[2] / "deploy" / "kubernetes"
ALL = [each for path in sorted(FOLDER.glob("*.yaml")) for each in yaml.safe_load_all(path.open())]
#: Kinds whose schema is not Kubernetes' own.
FOREIGN = {"ScaledObject"}


def named(kind):
    return {each["metadata"]["name"]: each for each in ALL if each["kind"] == kind}


PODS = {
    name: each["spec"]["template"]["spec"]
    for kind in ("Deployment", "Job")
    for name, each in named(kind).items()
}


@pytest.mark.parametrize("manifest", [each for each in ALL if each["kind"] not in FOREIGN])
def test_a_manifest_is_valid(manifest):
    kubernetes_validate.validate(manifest, kubernetes_validate.latest_version(), strict=True)


@pytest.mark.parametrize("pod", PODS.values(), ids=PODS)
def test_a_pod_runs_as_nobody_in_particular_and_writes_nowhere_else(pod):
    assert pod["securityContext"]["runAsNonRoot"]
    (container,) = pod["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert not container["securityContext"]["allowPrivilegeEscalation"]
    assert {each["name"] for each in container["volumeMounts"]} == {
        each["name"] for each in pod["volumes"]
    }
    assert "limits" in container["resources"]


def test_every_queue_has_a_deployment():
    commands = [pod["containers"][0]["command"] for pod in PODS.values()]
    queues = {each[each.index("--queues") + 1] for each in commands if "--queues" in each}
    routed = {each["queue"] for each in settings.CELERY_TASK_ROUTES.values()}
    assert queues == routed | {"celery"}


def test_every_setting_is_known_and_every_secret_there():
    known = (FOLDER.parents[1] / ".env.example").read_text()
    secrets = named("Secret")["shadoweval"]["stringData"]
    for name, value in named("ConfigMap")["shadoweval"]["data"].items():
        assert f"# {name.removesuffix('_FILE')}=" in known
        if name.endswith("_FILE"):
            assert Path(value).name in secrets


def test_what_is_scaled_names_no_replicas_of_its_own():
    deployments = named("Deployment")
    for kind in ("HorizontalPodAutoscaler", "ScaledObject"):
        for each in named(kind).values():
            target = each["spec"]["scaleTargetRef"]["name"]
            assert "replicas" not in deployments[target]["spec"]
    assert deployments["shadoweval-beat"]["spec"]["replicas"] == 1


@pytest.mark.django_db
def test_the_backlog_that_scales_is_a_metric(client):
    said = client.get("/metrics").content.decode()
    for trigger in named("ScaledObject")["shadoweval-shadow"]["spec"]["triggers"]:
        metric = trigger["metadata"]["query"].removeprefix("max(").removesuffix(")")
        assert f"\n{metric} " in said
