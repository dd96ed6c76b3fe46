"""The image and the manifest, as far as files can say whether they hold together."""

import re
import tomllib
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "deploy/Dockerfile").read_text()
SPEC: dict[str, Any] = yaml.safe_load((ROOT / "deploy/rayservice.yaml").read_text())["spec"]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())


def copied() -> set[str]:
    lines = re.findall(r"^COPY (.+) \S+$", DOCKERFILE, re.MULTILINE)
    return {source for line in lines for source in line.split()}


def containers(group: dict[str, Any]) -> list[dict[str, Any]]:
    return group["template"]["spec"]["containers"]


def test_the_image_gets_every_package_and_what_building_it_reads() -> None:
    found = PROJECT["tool"]["setuptools"]["packages"]["find"]["include"]
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    wanted = {name for name in packages if any(fnmatch(name, one) for one in found)}
    wanted |= {"pyproject.toml", "constraints.txt", PROJECT["project"]["readme"]}
    wanted |= set(PROJECT["project"]["license-files"])
    assert copied() == wanted
    assert all((ROOT / source).exists() for source in copied())


def test_the_image_has_what_kuberay_runs_in_it() -> None:
    # a RayService's worker is asked by "wget ... | grep success", whatever the version of Ray
    assert re.search(r"apt-get install .*\bwget\b", DOCKERFILE)
    extras = PROJECT["project"]["optional-dependencies"]
    assert "'.[ray]'" in DOCKERFILE
    assert any(one.startswith("ray[serve]") for one in extras["ray"])


def test_the_port_that_is_served_is_the_one_that_is_opened() -> None:
    served = yaml.safe_load(SPEC["serveConfigV2"])
    [head] = containers(SPEC["rayClusterConfig"]["headGroupSpec"])
    ports = {port["name"]: port["containerPort"] for port in head["ports"]}
    assert ports["serve"] == served["http_options"]["port"]


def test_all_nodes_have_one_image_and_the_keys() -> None:
    cluster = SPEC["rayClusterConfig"]
    nodes = [
        container
        for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"])
        for container in containers(group)
    ]
    assert len({node["image"] for node in nodes}) == 1
    assert all(env["name"] == "SFUMATO_API_KEYS" for node in nodes for env in node["env"])


def test_workers_have_room_for_all_replicas() -> None:
    [served] = yaml.safe_load(SPEC["serveConfigV2"])["applications"]
    [workers] = SPEC["rayClusterConfig"]["workerGroupSpecs"]
    [container] = containers(workers)
    cores = int(container["resources"]["requests"]["cpu"])
    assert workers["minReplicas"] <= workers["replicas"] <= workers["maxReplicas"]
    assert workers["minReplicas"] * cores >= int(served["args"]["least"])
    assert workers["maxReplicas"] * cores >= int(served["args"]["most"])
