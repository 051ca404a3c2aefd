"""Judges the files of `deploy/` without running them: `lint.py REPOSITORY`.

The chart is linted and rendered by Helm's own library, with default values and with each choice that it offers, and each
manifest is held against the schemas of Kubernetes. The compose file is held against the rules of Compose. Variables must
be known to whoever reads them. Each finding is a line; it fails where there is one.
"""

import json
import os
import pathlib
import re
import sys

import helm_python
import kubernetes_validate
import yaml
from compose_spec import PyCompose

ROOT = pathlib.Path(sys.argv[1])
CHART = ROOT / "deploy/helm/forecourt"
# The oldest minor version of Kubernetes that still gets fixes, and the newest whose schemas are here.
VERSIONS = ("1.35", kubernetes_validate.latest_version())
SECRET = {"existingSecret": "portal"}
NODES = {"existingTokenSecret": "nodes"}
# Values, and the kinds of manifests that they must give.
BASE = {"ConfigMap": 1, "Deployment": 1, "Service": 2}
GATEWAY = {**BASE, "StatefulSet": 1, "Service": 3}
CHOICES = [
    ("default values", {}, BASE),
    ("settings", {"controlPlane": {"settings": {"admin": {"public_url": "https://a.example"}}}}, BASE),
    ("names of the sync port", {"controlPlane": {"syncNames": ["sync.example", "192.0.2.1"]}}, BASE),
    ("one of each, other image", {"controlPlane": {"replicas": 1}, "image": {"repository": "r.example/f", "tag": "1"}}, BASE),
    ("nodes", {"gateway": NODES}, GATEWAY),
    ("disks of a class", {"gateway": {**NODES, "storage": {"className": "fast", "size": "5Gi"}}}, GATEWAY),
    ("options of nodes", {"gateway": {**NODES, "environment": {"FORECOURT_GATEWAY_MAX_STALENESS": "1h"}}}, GATEWAY),
    ("a balancer", {"gateway": {**NODES, "service": {"type": "LoadBalancer", "port": 8080}}}, GATEWAY),
    ("a pod monitor", {"gateway": NODES, "podMonitor": {"enabled": True}}, {**GATEWAY, "PodMonitor": 1}),
]
findings = []


def main():
    chart()
    compose()
    variables()
    for finding in findings:
        print(f"   {finding}")
    print(f"   {len(CHOICES)} choices of the chart, against Kubernetes {' and '.join(VERSIONS)}; {len(findings)} findings")
    sys.exit(1 if findings else 0)


def chart():
    report = helm_python.lint(str(CHART), SECRET, strict=True)
    # 1 is advice, such as an icon for shops of charts.
    findings.extend(f"chart: {message}" for message in report["messages"] if message["severity"] > 1)
    findings.extend(f"chart: {error}" for error in report["errors"])
    with helm_python.Chart.load(str(CHART)) as loaded:
        try:
            loaded.render({}, name="portal")
            findings.append("chart: it renders without existingSecret")
        except helm_python.HelmRenderError:
            pass
        for title, values, kinds in CHOICES:
            manifests = documents(loaded.render({**SECRET, **values}, name="portal", namespace="apis"))
            found = {kind: sum(manifest["kind"] == kind for manifest in manifests) for kind in kinds}
            if found != kinds or len(manifests) != sum(kinds.values()):
                findings.append(f"chart with {title}: {[manifest['kind'] for manifest in manifests]} instead of {kinds}")
            for manifest in manifests:
                manifest_fits(title, manifest)
            names_meet(title, manifests)


def documents(rendered):
    return [document for text in rendered.values() for document in yaml.safe_load_all(text) if document]


def manifest_fits(title, manifest):
    # The schema of a PodMonitor is not one of Kubernetes.
    if manifest["kind"] == "PodMonitor":
        return
    for version in VERSIONS:
        try:
            kubernetes_validate.validate(manifest, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            path = ".".join(str(step) for step in error.path)
            findings.append(f"chart with {title}: {manifest['kind']}, {path}, {version}: {error.message}")


def names_meet(title, manifests):
    """What a schema cannot see: services select pods that are there, and name ports that these have."""
    pods = [manifest["spec"]["template"] for manifest in manifests if "template" in manifest.get("spec", {})]
    for service in (manifest for manifest in manifests if manifest["kind"] == "Service"):
        wanted = service["spec"]["selector"].items()
        chosen = [pod for pod in pods if wanted <= pod["metadata"]["labels"].items()]
        ports = {port["name"] for pod in chosen for container in pod["spec"]["containers"] for port in container["ports"]}
        missing = [port["targetPort"] for port in service["spec"]["ports"] if port["targetPort"] not in ports]
        if len(chosen) != 1 or missing:
            name = service["metadata"]["name"]
            findings.append(f"chart with {title}: the service {name} chooses {len(chosen)} sorts of pods, lacks {missing}")


def compose():
    folder = ROOT / "deploy/compose"
    text = (folder / "compose.yaml").read_text()
    example = set(re.findall(r"^([A-Z_]+)=", (folder / ".env.example").read_text(), re.MULTILINE))
    asked = set(re.findall(r"\$\{([A-Z_]+)", text)) - {"FORECOURT_IMAGE"}
    if example != asked:
        findings.append(f"compose: .env.example and compose.yaml differ in {sorted(example ^ asked)}")
    # As Compose does it: variables first, then anchors; what begins with x- is nobody's.
    filled = re.sub(r"\$\{[A-Z_]+(:-([^}]*)|:\?[^}]*)?\}", lambda variable: variable[2] or "value", text)
    try:
        parsed = PyCompose.from_json(json.dumps(yaml.safe_load(filled)))
        parsed.validate()
    except Exception as error:  # The library has no class of its own for what it refuses.
        findings.append(f"compose: {error}")


def variables():
    """A variable that a file of `deploy/` sets is one that the guides know."""
    guides = [(ROOT / "docs" / name).read_text() for name in ("configuration.md", "nodes.md")]
    for folder, _, names in os.walk(ROOT / "deploy"):
        for path in (pathlib.Path(folder) / name for name in names if name != ".env"):
            for variable in sorted(set(re.findall(r"\bFORECOURT_(?:_|GATEWAY_)[A-Z_]*[A-Z]\b", path.read_text()))):
                if not any(f"`{variable}`" in guide for guide in guides):
                    findings.append(f"{path.relative_to(ROOT)}: no guide knows {variable}")


main()
