"""The unchanged official server SDK from npm, all of its calls, against the sandbox and through the gateway.

The flow is server_sdk/flow.js. It runs twice, the second time on the state of the first run. The flow changes the SDK only
in its base URL, for which the SDK has no option. Without npm, or a registry that npm can reach, the tests are skipped.
"""

import os
import pathlib
import shutil
import subprocess

import pytest
from support import npm, sandbox
from support.hms import gateway_for
from support.upstream import TIMEOUT

FLOW = pathlib.Path(__file__).parent / "server_sdk"


@pytest.fixture(scope="module")
def sdk(tmp_path_factory):
    """A directory with the flow and the SDK in the version of the lock file, installed from npm."""
    directory = tmp_path_factory.mktemp("sdk")
    for file in ("package.json", "package-lock.json", "flow.js"):
        shutil.copy(FLOW / file, directory)
    npm.ci(directory)
    return directory


def run_flow(sdk, base_url, box):
    env = {**os.environ, "HMS_ACCESS_KEY": sandbox.KEY, "HMS_SECRET": sandbox.SECRET}
    done = subprocess.run(["node", "flow.js", base_url, box.url], cwd=sdk, env=env, capture_output=True, text=True,
                          timeout=TIMEOUT * 6)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_sdk_takes_the_sandbox_for_100ms(sdk, box):
    for _ in range(2):
        run_flow(sdk, box.url, box)


def test_the_sdk_takes_the_gateway_for_100ms(sdk, box, tmp_path):
    """The SDK calls the documented paths, which the gateway has in addition to its own."""
    with gateway_for(tmp_path / "gateway", box.url) as gateway:
        for _ in range(2):
            run_flow(sdk, f"http://127.0.0.1:{gateway.port}", box)
        assert '"status":500' not in gateway.log and '"status":502' not in gateway.log
