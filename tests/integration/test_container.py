"""The examples for containers: check and audit find nothing in their configs, and their files use the same names."""

import json
import os
import pathlib
import re
import subprocess

import pytest

from support.gateway import BINARY
from support.upstream import TIMEOUT

FOLDER = pathlib.Path(os.environ["GR_SOURCE_DIR"]) / "etc" / "container"
KUBERNETES = (FOLDER / "kubernetes.yaml").read_text()
SECRETS = {"app_secret": "s" * 40, "access_key": "an-access-key",
           "store": "postgres://greenroom:password@postgres/greenroom"}


def config_map():
    """The files in the ConfigMap, which are block scalars with an indentation of four."""
    data = KUBERNETES.partition("\ndata:\n")[2].partition("\n---\n")[0]
    files = re.findall(r"^  ([\w.]+): \|\n((?:    .*\n?)+)", data, re.M)
    return {name: re.sub(r"^    ", "", text, flags=re.M) for name, text in files}


def lay(directory, files):
    """A copy of the config directory in which /run/secrets is replaced by a directory of the test."""
    (directory / "secrets").mkdir()
    for name, text in SECRETS.items():
        (directory / "secrets" / name).write_text(text)
        (directory / "secrets" / name).chmod(0o600)
    for name, text in files.items():
        path = directory / "etc" / (name if name == "greenroom.json" else f"plugins.d/{name}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("/run/secrets", str(directory / "secrets")))
    return directory / "etc"


def run(directory, tmp_path, *words):
    return subprocess.run([BINARY, "-c", str(directory), *words], capture_output=True, text=True, timeout=TIMEOUT,
                          env={**os.environ, "STATE_DIRECTORY": str(tmp_path / "state")})


def of_compose():
    files = {"greenroom.json": (FOLDER / "greenroom.json").read_text()}
    return {**files, **{file.name: file.read_text() for file in (FOLDER / "plugins.d").glob("*.json")}}


@pytest.mark.parametrize("files", [of_compose, config_map], ids=["compose", "kubernetes"])
def test_the_config_checks_and_nothing_in_it_is_dangerous(tmp_path, files):
    etc = lay(tmp_path, files())
    done = run(etc, tmp_path, "check")
    assert (done.returncode, done.stderr) == (0, "") and ": fine: 2 plugins, " in done.stdout
    done = run(etc, tmp_path, "audit")
    assert done.returncode == 0 and ": nothing found, 2 accepted by the config\n" in done.stdout, done.stdout


# A user without privileges, except that it can reach the program below a home directory of mode 0700.
AS_USER = ["setpriv", "--reuid", "10001", "--regid", "10001", "--groups", "10001", "--no-new-privs",
           "--inh-caps", "-all,+dac_read_search", "--ambient-caps", "-all,+dac_read_search"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
def test_the_volumes_of_a_pod_give_no_false_alarm(tmp_path):
    """Volumes have mode 2777 and belong to root and the fsGroup; those of the ConfigMap and the Secret are read-only."""
    etc = lay(tmp_path, config_map())
    state = tmp_path / "state"
    state.mkdir(exist_ok=True)
    volumes = [etc, tmp_path / "secrets", state]
    for volume in volumes:
        os.chown(volume, 0, 10001)
        volume.chmod(0o2777)
    for secret in volumes[1].iterdir():
        os.chown(secret, 0, 10001)
        secret.chmod(0o440)
    mount = 'for at in "$1" "$2"; do mount --bind "$at" "$at"; mount -o remount,bind,ro "$at"; done; shift 2; exec "$@"'

    def asked(word):
        return subprocess.run(["unshare", "--mount", "sh", "-euc", mount, "sh", str(etc), str(volumes[1]), *AS_USER,
                               BINARY, "-c", str(etc), word], capture_output=True, text=True, timeout=TIMEOUT,
                              env={**os.environ, "STATE_DIRECTORY": str(state)})

    done = asked("check")
    assert (done.returncode, done.stderr) == (0, "") and ": fine: 2 plugins, " in done.stdout
    done = asked("audit")
    assert done.returncode == 0 and ": nothing found, 2 accepted by the config\n" in done.stdout, done.stdout
    # The audit still judges volumes that can be written.
    done = run(etc, tmp_path, "audit")
    assert f"{etc}: writable (high): mode 2777" in done.stdout and "stays-root" in done.stdout


def test_nothing_is_mounted_below_the_secrets():
    assert KUBERNETES.count("automountServiceAccountToken: false") == 1


def test_every_secret_that_a_config_names_is_mounted():
    named = set(re.findall(r"/run/secrets/([\w.]+)", config_map()["greenroom.json"]))
    assert named == set(SECRETS) and all(f"--from-file={name}" in KUBERNETES for name in named)
    compose = (FOLDER / "compose.yaml").read_text()
    assert named == set(re.findall(r"/run/secrets/([\w.]+)", of_compose()["greenroom.json"]))
    assert all(f"{name}: {{file: ./secrets/{name}}}" in compose for name in named)


def test_two_replicas_are_probed_where_the_config_listens():
    assert "replicas: 2" in KUBERNETES
    greenroom = json.loads(config_map()["greenroom.json"])
    assert greenroom["admin"]["listen"].endswith(":9090") and "{name: admin, containerPort: 9090}" in KUBERNETES
    assert re.findall(r"path: (/\w+), port: (\w+)", KUBERNETES) == [("/healthz", "admin"), ("/healthz", "admin"),
                                                                   ("/readyz", "admin")]
    for name in config_map():
        assert f"{{key: {name}, path: " in KUBERNETES
