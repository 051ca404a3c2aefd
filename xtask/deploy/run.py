"""Builds and runs what `deploy/` describes, with podman: `run.py REPOSITORY PROGRAM FOLDER [--stand-ins]`.

The image is its last stage around PROGRAM. It runs alone first, then as the compose file says: PostgreSQL, a control plane
and two nodes, in the order of that file's head. Everything is called from within its network. FOLDER takes what is made
on the way; containers, networks and volumes are gone when it ends. `--stand-ins` makes those base images that are not
here by debootstrap, under their own names, and takes them away again: for machines that reach no registry.
"""

import json
import pathlib
import re
import secrets
import shutil
import subprocess
import sys
import time

ROOT, PROGRAM, FOLDER = (pathlib.Path(argument).resolve() for argument in sys.argv[1:4])
COMPOSE = pathlib.Path(sys.executable).parent / "podman-compose"
PROJECT = "forecourt-check"
DEBIAN = "docker.io/library/debian:trixie-slim"
POSTGRES = "docker.io/library/postgres:17"
IMAGE = f"localhost/{PROJECT}:latest"
ALONE = f"{PROJECT}-alone"
PASSWORD = secrets.token_hex(16)
# What the compose file and the chart ask for as well.
HARDENED = ["--read-only", "--tmpfs=/tmp", "--cap-drop=all", "--security-opt=no-new-privileges"]


def main():
    made = stand_ins() if "--stand-ins" in sys.argv[4:] else []
    try:
        image()
        checks()
    finally:
        podman("rmi", "--ignore", "--force", IMAGE, *reversed(made))


def checks():
    try:
        alone()
    finally:
        podman("rm", "--force", "--ignore", "--volumes", "--time=10", ALONE)
        podman("volume", "rm", "--force", ALONE)
    try:
        composed()
    finally:
        podman("rm", "--force", "--ignore", "--volumes", "--time=10", ALONE)
        compose("down", "--volumes")


def stand_ins():
    """Makes the base images that are missing; gives their names."""
    missing = [name for name in (DEBIAN, POSTGRES) if subprocess.run(["podman", "image", "exists", name]).returncode != 0]
    if DEBIAN in missing:
        step(f"{DEBIAN} from debootstrap")
        archive = FOLDER / "debian.tar"
        if not archive.exists():
            part = archive.with_suffix(".part")
            run("debootstrap", "--variant=minbase", "trixie", part, "http://deb.debian.org/debian")
            run("tar", f"--directory={part}", "--create", f"--file={archive}", ".")
            shutil.rmtree(part)
        podman("import", archive, DEBIAN)
    if POSTGRES in missing:
        step(f"{POSTGRES} from Debian's packages")
        podman("build", f"--tag={POSTGRES}", ROOT / "xtask/deploy/postgres")
    return missing


def image():
    step("build the last stage of the image")
    stage = FOLDER / "stage/out/usr/local/bin"
    stage.mkdir(parents=True, exist_ok=True)
    if shutil.which("strip"):
        run("strip", "--strip-debug", "-o", stage / "forecourt", PROGRAM)
    else:
        shutil.copy(PROGRAM, stage / "forecourt")
    # The folder stands for the stage `build`, so that nothing is compiled.
    podman("build", "--format=docker", f"--build-context=build={FOLDER / 'stage'}", f"--file={ROOT / 'deploy/Dockerfile'}",
           f"--tag={IMAGE}", ROOT)


def alone():
    step("alone: `serve` on SQLite, with a root that cannot be written")
    podman("run", "--detach", f"--name={ALONE}", *HARDENED, f"--volume={ALONE}:/var/lib/forecourt", IMAGE)
    healthy(ALONE)
    expect("the user", inside(ALONE, "id", "--user"), "10001")
    expect("its capabilities", inside(ALONE, "grep", "CapEff", "/proc/1/status").split()[-1], "0" * 16)
    expect("a write outside of the volume", fails(ALONE, "touch", "/usr/local/x"), True)
    one_time = first_password(ALONE)
    expect("a call with the one-time password", status(ALONE, f"admin:{one_time}", "/api/portals"), "403")
    change_password(ALONE, one_time)
    expect("a call with the new one", status(ALONE, f"admin:{PASSWORD}", "/api/portals"), "200")

    step("alone: SIGTERM, and a start of a new container on the same volume")
    begun = time.monotonic()
    podman("stop", "--time=30", ALONE)
    expect("the exit code of a stop", podman("inspect", "--format={{.State.ExitCode}}", ALONE), "0")
    expect("a stop within the 30 s of its grace", time.monotonic() - begun < 30, True)
    podman("rm", ALONE)
    podman("run", "--detach", f"--name={ALONE}", *HARDENED, f"--volume={ALONE}:/var/lib/forecourt", IMAGE)
    healthy(ALONE)
    expect("a call with the password from before", status(ALONE, f"admin:{PASSWORD}", "/api/portals"), "200")


def composed():
    step("compose: postgres and control-plane")
    settings({"POSTGRES_PASSWORD": secrets.token_hex(16), "MASTER_KEY": secrets.token_hex(32)})
    compose("up", "--detach", "postgres", "control-plane")
    healthy(container("postgres"))
    control = container("control-plane")
    healthy(control)
    change_password(control, first_password(control))

    step("compose: a token for nodes, and all the rest")
    issued = json.loads(call(control, "POST", "/api/gateway_groups/default/instance_token"))
    settings({"NODE_TOKEN": issued["value"]["token_plain_text"]})
    compose("up", "--detach")
    nodes = [container("node-1"), container("node-2")]
    for node in nodes:
        healthy(node)
        eventually(f"{node} is ready", lambda: status(node, None, "/readyz/gateway", 7081) == "200")

    step("compose: a service, called through both nodes")
    upstream = {"nodes": [{"host": "control-plane", "port": 7081, "weight": 1}]}
    service = {"name": "health", "path_prefix": "/health", "upstream": upstream}
    call(control, "PUT", "/apisix/admin/services/health?gateway_group_id=default", service)
    route = {"name": "health", "service_id": "health", "paths": ["/*"]}
    call(control, "PUT", "/apisix/admin/routes/health?gateway_group_id=default", route)
    for node in nodes:
        eventually(f"{node} passes the call on", lambda: status(node, None, "/health/healthz", 9080) == "200")

    step("compose: a backup, and a node that never met its control plane")
    inside(control, "forecourt", "backup", "--to", "/var/lib/forecourt/check.backup")
    expect("who may read it", inside(control, "stat", "--format=%a %u", "/var/lib/forecourt/check.backup"), "600 10001")
    lost = [f"--env=FORECOURT_GATEWAY_TOKEN={issued['value']['token_plain_text']}",
            "--env=FORECOURT_GATEWAY_CONTROL_PLANE=https://127.0.0.1:1"]
    podman("run", "--detach", f"--name={ALONE}", *HARDENED, *lost, IMAGE, "gateway")
    healthy(ALONE)
    expect("whether callers may come to it", status(ALONE, None, "/readyz/gateway", 7081), "503")

    step("compose: nodes go on without their control plane")
    podman("stop", "--time=30", control)
    for node in nodes:
        expect(f"a call through {node}", status(node, None, "/health/healthz", 9080), "502")
        expect(f"whether callers may come to {node}", status(node, None, "/readyz/gateway", 7081), "200")
    podman("start", control)
    healthy(control)
    for node in nodes:
        eventually(f"{node} passes the call on", lambda: status(node, None, "/health/healthz", 9080) == "200")


def step(title):
    print(f"-- {title}", flush=True)


def run(*command):
    command = [str(word) for word in command]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        # Words of a command may be secrets: only the first three are told.
        sys.exit(f"`{' '.join(command[:3])} …` ended with code {done.returncode}:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    return done.stdout.strip()


def podman(*arguments):
    return run("podman", *arguments)


def compose(*arguments):
    file = ROOT / "deploy/compose/compose.yaml"
    run(COMPOSE, f"--project-name={PROJECT}", f"--file={file}", f"--env-file={FOLDER / '.env'}", *arguments)


def settings(values):
    """`cp .env.example .env`, and fill it in; what was filled in before stays."""
    path = FOLDER / ".env"
    filled = path if "NODE_TOKEN" in values else ROOT / "deploy/compose/.env.example"
    text = filled.read_text()
    for name, value in values.items():
        text, count = re.subn(rf"^{name}=.*$", f"{name}={value}", text, flags=re.MULTILINE)
        expect(f"lines of {name} in .env.example", count, 1)
    path.write_text(text if "FORECOURT_IMAGE" in text else f"{text}FORECOURT_IMAGE={IMAGE}\n")


def container(service):
    return f"{PROJECT}_{service}_1"


def inside(name, *command):
    return podman("exec", name, *command)


def fails(name, *command):
    return subprocess.run(["podman", "exec", name, *command], capture_output=True).returncode != 0


def status(name, user, path, port=7080):
    credentials = ["--user", user] if user else []
    command = ["curl", "--silent", "--max-time", "5", "--output", "/dev/null", "--write-out", "%{http_code}", *credentials]
    done = subprocess.run(["podman", "exec", name, *command, f"http://127.0.0.1:{port}{path}"], capture_output=True, text=True)
    return done.stdout.strip()


def call(name, method, path, body=None):
    """The answer of the Admin API to its administrator; anything but success ends this."""
    sent = ["--header", "Content-Type: application/json", "--data", json.dumps(body)] if body else []
    return inside(name, "curl", "--silent", "--show-error", "--fail-with-body", "--max-time", "10", "--request", method,
                  "--user", f"admin:{PASSWORD}", *sent, f"http://127.0.0.1:7080{path}")


def first_password(name):
    done = subprocess.run(["podman", "logs", name], capture_output=True, text=True)
    found = re.search(r"one-time password (\S+)", done.stdout + done.stderr)
    return found[1] if found else sys.exit(f"{name}: its log tells no one-time password")


def change_password(name, one_time):
    inside(name, "curl", "--silent", "--show-error", "--fail-with-body", "--max-time", "10", "--request", "PUT",
           "--user", f"admin:{one_time}", "--header", "Content-Type: application/json",
           "--data", json.dumps({"new_password": PASSWORD}), "http://127.0.0.1:7080/api/password")


def healthy(name):
    """Asked by hand: where systemd does not run podman's timers, nobody else asks."""
    check = ["podman", "healthcheck", "run", name]
    eventually(f"{name} is healthy", lambda: subprocess.run(check, capture_output=True).returncode == 0)


def eventually(what, holds):
    deadline = time.monotonic() + 60
    while not holds():
        if time.monotonic() > deadline:
            sys.exit(f"not within 60 s: {what}")
        time.sleep(0.5)
    print(f"   {what}", flush=True)


def expect(what, found, wanted):
    if found != wanted:
        sys.exit(f"{what}: {found!r} instead of {wanted!r}")
    print(f"   {what}: {found}", flush=True)


main()
