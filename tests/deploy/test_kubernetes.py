"""The manifests: by Kubernetes' own schemas, and of one mind with the gateway's configuration."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from batchgate_server.settings import Settings, load_settings
from tests.conftest import in_ci
from tests.tools import TOOLS

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "server" / "deploy"
FILES = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
VERSION = "1.34"


def document(name: str) -> Any:
    return yaml.safe_load((DEPLOY / "kubernetes" / f"{name}.yaml").read_text())


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """The shipped configuration, with the secrets' directory moved here."""
    (tmp_path / "openai-key").write_text("sk-of-the-test")
    text = (DEPLOY / "batchgate.toml").read_text()
    file = tmp_path / "batchgate.toml"
    file.write_text(text.replace("/run/secrets/batchgate", str(tmp_path)))
    return load_settings(config=file, environment={})


@pytest.mark.slow
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_each_is_what_kubernetes_takes(file: Path) -> None:
    packages = TOOLS.parent / "deploy"
    if not (packages / "kubernetes_validate").exists():
        assert not in_ci(), "kubernetes-validate is needed in CI: .ci/tools installs it"
        pytest.skip("kubernetes-validate is not installed: bash .ci/tools")
    command = (sys.executable, "-m", "kubernetes_validate", "--strict", "-k", VERSION, file)
    done = subprocess.run(
        command,
        env={**os.environ, "PYTHONPATH": str(packages), "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_kustomization_has_all() -> None:
    kustomization = yaml.safe_load((DEPLOY / "kustomization.yaml").read_text())
    assert sorted(kustomization["resources"]) == [f"kubernetes/{file.name}" for file in FILES]
    (generated,) = kustomization["configMapGenerator"]
    assert all((DEPLOY / name).exists() for name in generated["files"])


def test_ports_files_and_times_are_those_of_the_configuration(settings: Settings) -> None:
    pod = document("deployment")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    ports = {one["name"]: one["containerPort"] for one in container["ports"]}
    assert settings.admin is not None
    assert settings.listen.endswith(f":{ports['grpc']}")
    assert str(settings.admin.listen).endswith(f":{ports['admin']}")
    times = settings.server.drain_delay_seconds + settings.server.shutdown_grace_seconds
    assert pod["terminationGracePeriodSeconds"] > times + 5
    # Noticed by kubelet and balancers before the gateway refuses.
    probe = container["readinessProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] < settings.server.drain_delay_seconds
    mounts = {one["mountPath"] for one in container["volumeMounts"]}
    assert {"/etc/batchgate", "/run/secrets/batchgate"} <= mounts
    assert container["args"][-1] == "/etc/batchgate/batchgate.toml"
    (service,) = document("service")["spec"]["ports"]
    assert service["port"] == ports["grpc"]
    allowed = {
        one["port"] for rule in document("network")["spec"]["ingress"] for one in rule["ports"]
    }
    assert allowed == set(ports.values())


def test_nothing_runs_as_root_or_can_write() -> None:
    pod = document("deployment")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_all_selectors_mean_the_same_pods() -> None:
    labels = document("deployment")["spec"]["template"]["metadata"]["labels"]
    assert document("deployment")["spec"]["selector"]["matchLabels"] == labels
    assert document("service")["spec"]["selector"] == labels
    assert document("disruption")["spec"]["selector"]["matchLabels"] == labels
    assert document("network")["spec"]["podSelector"]["matchLabels"] == labels
