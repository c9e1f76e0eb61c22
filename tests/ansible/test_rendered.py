"""The stacks of the compose runtime as files, in the forms that this machine can't start too."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.playbooks import ROOT, Site

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

STACKS = sorted(path.parts[-3] for path in (ROOT / "roles").glob("*/templates/docker-compose*"))
LOCAL = {
    "ansible_connection": "local",
    "ansible_python_interpreter": "{{ ansible_playbook_python }}",
    "stack_start": False,
}
WEBHOOK = "https://h.example/$T0"


def render(site: Site, *arguments: str, **variables: Any) -> None:
    outcome = site.play("site", *arguments, **LOCAL, **variables)
    assert outcome.code == 0, outcome.output


def stack(state: Path, role: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((state / role / "docker-compose.yml").read_text())
    return loaded


def settings(file: Path) -> dict[str, str]:
    lines = [line for line in file.read_text().splitlines() if line.startswith("CHEXNET_")]
    return dict(line.split("=", 1) for line in lines)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """inventory/docker as it is: images are pulled; with TLS."""
    state = tmp_path_factory.mktemp("registry") / "state"
    render(Site(state, inventory="inventory/docker"), security=True, monitoring=True)
    return state


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with images that are built, on a host with GPUs, and with a webhook."""
    state = tmp_path_factory.mktemp("built") / "state"
    more = {"tf_serving_gpus": 1, "services_runner_gpus": 2, "services_runner_cpus": 1000}
    more |= {"monitoring": True, "services_webhooks": [WEBHOOK]}
    render(Site(state, inventory="inventory/docker"), image_source="build", **more)
    return state


@pytest.mark.parametrize("form", ["registry", "built"])
@pytest.mark.parametrize("role", STACKS)
def test_a_stack_gives_its_containers_no_privilege(
    form: str, role: str, request: pytest.FixtureRequest
) -> None:
    state: Path = request.getfixturevalue(form)
    for name, service in stack(state, role)["services"].items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["read_only"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["mem_limit"], name
        assert service["user"].split(":")[0] != "0", name


@pytest.mark.parametrize("role", STACKS)
def test_a_container_is_given_no_more_cpus_than_its_host_has(role: str, built: Path) -> None:
    for name, service in stack(built, role)["services"].items():
        assert service["cpus"] <= len(os.sched_getaffinity(0)), name


def test_a_training_writes_below_the_state_folder_and_nowhere_else(registry: Path) -> None:
    runner = stack(registry, "services")["services"]["xray-pipeline-runner"]
    mounted = [volume.split(":") for volume in runner["volumes"]]
    writable = {outside for outside, _, *mode in mounted if mode != ["ro"]}
    names = ("scratch", "runs", "checkpoints", "weights")
    assert writable == {str(registry / name) for name in names}
    assert all((registry / name).is_dir() for name in names)
    assert Path(runner["environment"]["KERAS_HOME"]).is_relative_to(registry / "weights")


@pytest.mark.parametrize("form", ["registry", "built"])
@pytest.mark.parametrize("role", STACKS)
def test_compose_accepts_a_stack(
    compose: list[str], form: str, role: str, request: pytest.FixtureRequest
) -> None:
    state: Path = request.getfixturevalue(form)
    command = [*compose, "--project-directory", str(state / role), "config", "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_site_asks_for_an_engine_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client, heard = tmp_path / "docker", tmp_path / "heard"
    client.write_text(f'#!/bin/sh\necho "$@" >>{heard}\n')
    client.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    site = Site(tmp_path / "state", inventory="inventory/docker")
    outcome = site.play("site", "--tags", "none-of-these", **{**LOCAL, "stack_start": True})
    assert outcome.code == 0, outcome.output
    assert heard.read_text().splitlines() == ["info", "compose version", "buildx version"]


def test_each_pulled_image_has_a_version(registry: Path) -> None:
    pulled = {
        service["image"]
        for role in ("kafka", "pachyderm", "tf_serving", "monitoring")
        for service in stack(registry, role)["services"].values()
    }
    assert {image.split(":")[0].split("/")[-1] for image in pulled} == {
        *("kafka", "pachd", "postgres", "etcd", "serving", "prometheus", "grafana")
    }
    assert not [image for image in pulled if ":" not in image or image.endswith(":latest")]


def test_tf_serving_waits_for_no_model_before_its_first_release(
    registry: Path, built: Path
) -> None:
    # It opens no port before each listed model has a version; this project's server does.
    assert "config {" not in (registry / "models/models.config").read_text()
    assert 'name: "xray"' in (built / "models/models.config").read_text()


def test_prometheus_asks_every_service_and_the_model_server(registry: Path, built: Path) -> None:
    for state, scheme in ((registry, None), (built, None)):
        config = yaml.safe_load((state / "monitoring/prometheus.yml").read_text())
        jobs = {job["metrics_path"]: job for job in config["scrape_configs"]}
        asked = {t for s in jobs["/metrics"]["static_configs"] for t in s["targets"]}
        services = stack(state, "services")["services"]
        assert asked == {
            f"{name}:{service['environment']['CHEXNET_HEALTH__PORT']}"
            for name, service in services.items()
            if "profiles" not in service
        }
        (server,) = jobs["/monitoring/prometheus/metrics"]["static_configs"]
        assert server["targets"] == ["tf-serving:8501"]
        assert jobs["/monitoring/prometheus/metrics"].get("scheme") == scheme
    assert (registry / "tf_serving/monitoring.config").exists()


def test_grafana_gets_its_dashboards_and_its_password_from_files(
    registry: Path, built: Path
) -> None:
    grafana = stack(registry, "monitoring")["services"]["grafana"]
    for name in ("way", "models"):
        assert f"./{name}.json:/etc/grafana/dashboards/{name}.json:ro" in grafana["volumes"]
        rendered = json.loads((registry / "monitoring" / f"{name}.json").read_text())
        assert rendered["panels"]
    password = (registry / "secrets/grafana.password").read_text()
    assert password not in (registry / "monitoring/docker-compose.yml").read_text()
    assert (
        "grafana" not in stack(built, "monitoring")["services"]
    )  # No registry of packages has it.


def test_rules_reach_prometheus_as_they_are_tested(registry: Path) -> None:
    tested = (ROOT / "roles/monitoring/files/rules.yml").read_text()
    assert yaml.safe_load((registry / "monitoring/rules.yml").read_text()) == yaml.safe_load(tested)


def test_a_digest_of_the_inventory_pins_its_image(tmp_path: Path) -> None:
    image, digest = "pachyderm/pachd:2.11.6", "sha256:" + "0" * 64
    site = Site(tmp_path / "state", inventory="inventory/docker")
    outcome = site.play("site", "--tags", "pachyderm", **LOCAL, stack_digests={image: digest})
    assert outcome.code == 0, outcome.output
    services = stack(site.state, "pachyderm")["services"]
    assert services["pachd"]["image"] == f"{image}@{digest}"
    assert "@" not in services["etcd"]["image"]


def test_pachyderms_own_form_has_no_password_outside_its_files(registry: Path) -> None:
    password = (registry / "secrets/postgres.password").read_text().strip()
    assert password not in (registry / "pachyderm/docker-compose.yml").read_text()
    assert password in (registry / "pachyderm/pachd.env").read_text()


def test_gpus_are_reserved_for_serving_and_training_alone(built: Path) -> None:
    reserved = {
        name: service["deploy"]["resources"]["reservations"]["devices"][0]["count"]
        for role in STACKS
        for name, service in stack(built, role)["services"].items()
        if "deploy" in service
    }
    assert reserved == {"tf-serving": 1, "xray-pipeline-runner": 2}


def test_the_address_of_a_webhook_is_known_to_the_notifier_alone(
    registry: Path, built: Path
) -> None:
    services = stack(built, "services")["services"]
    told = {n: s["environment"].get("CHEXNET_WEBHOOKS__URLS") for n, s in services.items()}
    assert {name: urls for name, urls in told.items() if urls} == {
        "xray-notifier": WEBHOOK.replace("$", "$$")  # As compose reads it.
    }
    assert WEBHOOK not in (built / "services/xray.env").read_text()
    key = str(built / "secrets/webhooks.key")
    assert [n for n, s in services.items() if f"{key}:{key}:ro" in s["volumes"]] == [
        "xray-notifier"
    ]
    assert "xray-notifier" not in stack(registry, "services")["services"]


def test_the_app_is_given_its_own_secrets_and_no_state(registry: Path, built: Path) -> None:
    own = {"app.token", "app-gateway.token"}
    for state, more in ((registry, {"kafka-reader.password"}), (built, set())):
        rendered = stack(state, "app")
        (app,) = rendered["services"].values()
        assert set(app["secrets"]) == set(rendered["secrets"]) == own | more
        places = {volume.split(":")[0] for volume in app["volumes"]} - {str(state / "plugins")}
        beside = {place for place in places if not place.startswith(f"{state}/secrets/tls/")}
        assert beside <= {f"{state}/app/xray", f"{state}/app/pages"}
        told = settings(state / "app/xray.env")
        assert told["CHEXNET_GATEWAY__TOKEN_FILE"] == "/run/secrets/app-gateway.token"
        assert told["CHEXNET_GATEWAY__URL"].endswith("//xray-gateway:8100")
        assert told.get("CHEXNET_KAFKA__USER") == ("reader" if more else None)
        gateway = stack(state, "services")["services"]["xray-gateway"]
        guests = gateway["environment"]["CHEXNET_GATEWAY__GUEST_TOKEN_FILES"]
        assert guests == str(state / "secrets/app-gateway.token")
        assert f"{guests}:{guests}:ro" in gateway["volumes"]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """inventory/cluster with one more that works and one more that trains: a folder for each."""
    folder = tmp_path_factory.mktemp("cluster")
    shutil.copytree(ROOT / "inventory/cluster", folder / "inventory", symlinks=False)
    hosts = yaml.safe_load((folder / "inventory/hosts.yml").read_text())
    hosts["all"]["children"]["training"]["hosts"]["training-2"] = {"ansible_host": "192.0.2.42"}
    hosts["all"]["children"]["services"]["hosts"]["work-2"] = {"ansible_host": "192.0.2.52"}
    (folder / "inventory/hosts.yml").write_text(yaml.safe_dump(hosts))
    site = Site(
        folder, {"state_dir": f"{folder}/{{{{ inventory_hostname }}}}"}, f"{folder}/inventory"
    )
    render(site, "--skip-tags", "jupyter,app", stack_site_secrets=str(folder / "secrets"))
    return folder


def properties(file: Path) -> dict[str, str]:
    lines = [line for line in file.read_text().splitlines() if "=" in line and line[0] != "#"]
    return dict(line.split("=", 1) for line in lines)


def test_the_brokers_of_a_cluster_know_each_other(cluster: Path) -> None:
    brokers = {
        host: properties(cluster / host / "kafka/server.properties")
        for host in ("bus-1", "bus-2", "bus-3")
    }
    quorum = {own["controller.quorum.voters"] for own in brokers.values()}
    assert quorum == {"1@bus-1:9093,2@bus-2:9093,3@bus-3:9093"}
    assert [own["node.id"] for own in brokers.values()] == ["1", "2", "3"]
    for host, own in brokers.items():
        assert f"CONTROLLER://{host}:9093" in own["advertised.listeners"]
        assert f"CLIENT://{host}:9092" in own["advertised.listeners"]
        assert (own["default.replication.factor"], own["min.insync.replicas"]) == ("3", "2")
        command = stack(cluster / host, "kafka")["services"]["kafka"]["command"][0]
        assert "--standalone" not in command


def test_what_works_knows_where_everything_of_a_cluster_is(cluster: Path) -> None:
    own = settings(cluster / "work-1/services/xray.env")
    assert own["CHEXNET_KAFKA__BOOTSTRAP"] == "bus-1:9092,bus-2:9092,bus-3:9092"
    assert own["CHEXNET_SERVING__REPLICAS"] == "serving-1:8500,serving-2:8500"
    assert own["CHEXNET_STORE__ADDRESS"] == "store-1:30650"
    published = {
        "192.0.2.31:8500:8500": "serving-1",
        "192.0.2.32:8500:8500": "serving-2",
    }
    for port, host in published.items():
        (server,) = stack(cluster / host, "tf_serving")["services"].values()
        assert port in server["ports"]
    (store,) = [
        s for n, s in stack(cluster / "store-1", "pachyderm")["services"].items() if n == "pachd"
    ]
    assert store["ports"] == ["192.0.2.21:30650:1650"]


def test_workers_are_scaled_by_count_and_each_is_its_own_instance(cluster: Path) -> None:
    services = stack(cluster / "work-1", "services")["services"]
    instances = {
        name: service["environment"]["CHEXNET_INSTANCE"]
        for name, service in services.items()
        if name.startswith(("xray-preprocess", "xray-archiver-raw"))
    }
    assert instances == {"xray-preprocess": "0", "xray-preprocess-1": "1", "xray-archiver-raw": "0"}


def test_hosts_of_services_share_no_instance_and_do_nothing_twice(cluster: Path) -> None:
    hosts = ("work-1", "work-2", "training-1", "training-2")
    named = [
        (service["command"][2], service["environment"]["CHEXNET_INSTANCE"])
        for host in hosts
        for service in stack(cluster / host, "services")["services"].values()
        if "profiles" not in service
    ]
    alone = [
        (service["environment"].get("CHEXNET_ARCHIVE"), service["command"][2])
        for host in hosts
        for name, service in stack(cluster / host, "services")["services"].items()
        if name.startswith(("xray-archiver", "xray-reconciler", "xray-guardian", "xray-notifier"))
    ]
    assert len(alone) == len(set(alone)) == 6
    shared = [it for it in named if it[0] not in {program for _, program in alone}]
    assert len(shared) == len(set(shared)) == 2 * (1 + 2 + 2 + 1 + 1) + 2


def test_tensorboard_which_has_no_login_stays_on_its_hosts_loopback(cluster: Path) -> None:
    (board,) = stack(cluster / "training-1", "tensorboard")["services"].values()
    assert board["ports"] == ["127.0.0.1:6006:6006"]
    own = settings(cluster / "work-1/services/xray.env")
    assert own["CHEXNET_TENSORBOARD_URL"] == "http://127.0.0.1:6006"


def test_an_open_port_without_tls_is_refused(tmp_path: Path) -> None:
    site = Site(tmp_path / "state", inventory="inventory/docker")
    outcome = site.play("site", "--tags", "kafka", **LOCAL, listen="192.0.2.1")
    assert outcome.code != 0
    assert "kafka_security must be sasl_ssl" in outcome.output
    assert not (site.state / "kafka").exists()


def test_hosts_that_train_do_nothing_else_and_form_tensorflows_cluster(cluster: Path) -> None:
    found = []
    for host in ("training-1", "training-2"):
        services = stack(cluster / host, "services")["services"]
        assert [name for name in services if name != "xray"] == ["xray-pipeline-runner"]
        environment = services["xray-pipeline-runner"]["environment"]
        assert environment["CHEXNET_RUNNER__PIPELINES"] == "models-*"
        found.append(json.loads(environment["TF_CONFIG"]))
        own = {"training-1": "192.0.2.41", "training-2": "192.0.2.42"}[host]
        assert f"{own}:2222:2222" in services["xray-pipeline-runner"]["ports"]
    assert [config["task"]["index"] for config in found] == [0, 1]
    workers = [config["cluster"]["worker"] for config in found]
    assert workers == [["training-1:2222", "training-2:2222"]] * 2
    others = stack(cluster / "work-1", "services")["services"]["xray-pipeline-runner"]
    assert others["environment"]["CHEXNET_RUNNER__PIPELINES"] == "images,dataset,ab-report"


def test_on_kubernetes_pachyderms_own_workers_run_the_same_specs(tmp_path: Path) -> None:
    site = Site(tmp_path / "state", inventory="inventory/docker")
    image = "registry.example/chexnet/pipelines:1"
    on = {"pachyderm_runtime": "kubernetes", "services_runner": False}
    render(site, "--tags", "pachyderm,services", **on, services_workers_image=image)
    values = yaml.safe_load((site.state / "pachyderm/values.yaml").read_text())
    assert values["pachd"]["externalService"] == {"enabled": True, "apiGRPCPort": 30650}
    assert not (site.state / "pachyderm/docker-compose.yml").exists()
    assert "xray-pipeline-runner" not in stack(site.state, "services")["services"]
    assert settings(site.state / "xray.env")["CHEXNET_PIPELINES_IMAGE"] == image
