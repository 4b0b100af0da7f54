"""rig with a real RTMP server: nginx with its RTMP module, and ffmpeg that publishes a test pattern.

Needs the Debian packages nginx-light (or another nginx), libnginx-mod-rtmp and ffmpeg.
"""

import glob
import shutil
import socket
import subprocess

import pytest

from support.ports import hold_port
from support.rig import TIMEOUT, agent_token
from support.rig import database, postgres, start_rig  # noqa: F401 (fixtures)
from support.until import until

MODULE = next(iter(glob.glob("/usr/lib/nginx/modules/ngx_rtmp_module.so")), None)

pytestmark = pytest.mark.skipif(
    not (MODULE and shutil.which("nginx") and shutil.which("ffmpeg")),
    reason="needs nginx, libnginx-mod-rtmp and ffmpeg")

CONFIG = """
load_module {module};
worker_processes 1;
daemon off;
error_log {dir}/error.log info;
pid {dir}/pid;
events {{ worker_connections 64; }}
rtmp {{
    server {{
        listen 127.0.0.1:{port};
        notify_update_timeout 1s;
        on_connect http://127.0.0.1:{rig}/agents/rtmp/on_connect?token={token};
        application live {{
            live on;
            on_publish http://127.0.0.1:{rig}/agents/rtmp/on_publish?token={token};
            on_publish_done http://127.0.0.1:{rig}/agents/rtmp/on_publish_done?token={token};
            on_update http://127.0.0.1:{rig}/agents/rtmp/on_update?token={token};
            notify_update_strict on;
        }}
    }}
}}
"""


def answers(port):
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def edge(tmp_path):
    """Starts an nginx in front of a gateway and returns its RTMP port. Publishers are ended with it."""
    running, held = [], []

    def start(rig, name="edge1"):
        directory = tmp_path / f"nginx{len(running)}"
        directory.mkdir()
        port, socket_that_holds_it = hold_port()
        held.append(socket_that_holds_it)
        (directory / "nginx.conf").write_text(CONFIG.format(
            module=MODULE, dir=directory, port=port, rig=rig.port, token=agent_token(name)))
        running.append(subprocess.Popen(["nginx", "-p", str(directory), "-c", str(directory / "nginx.conf")],
                                        stderr=subprocess.DEVNULL))
        until(lambda: answers(port) or running[-1].poll() is not None, "nginx does not listen")
        assert running[-1].poll() is None, "nginx does not start"
        return port

    def publish(port, key, query=""):
        running.append(subprocess.Popen(
            ["ffmpeg", "-v", "error", "-re", "-f", "lavfi", "-i", "testsrc=size=160x120:rate=10", "-c:v", "flv1",
             "-f", "flv", f"rtmp://127.0.0.1:{port}/live/{key}{query}"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        return running[-1]

    start.publish = publish
    yield start
    for process in reversed(running):
        process.terminate()
    for process in running:
        process.wait(TIMEOUT)
    for one in held:
        one.close()


def test_a_real_broadcast(database, start_rig, edge):
    rig = start_rig(database)
    user = rig.user()
    stream = user.stream()
    port = edge(rig)
    publisher = edge.publish(port, stream["streamKey"], "?name=another&clientid=99")
    until(lambda: user.is_live(stream), "it does not become live")
    # This takes longer than a lease without renewals lasts.
    until(lambda: "agents.update" in rig.log, "nobody renews the lease")
    assert publisher.poll() is None and user.is_live(stream)
    publisher.terminate()
    until(lambda: not user.is_live(stream), "it does not end")
    assert database.query("SELECT agent, reason FROM rig_broadcasts") == "edge1|done"
    assert stream["streamKey"] not in rig.log


def test_a_wrong_key_is_thrown_out(database, start_rig, edge):
    rig = start_rig(database)
    port = edge(rig)
    publisher = edge.publish(port, "nothing")
    assert publisher.wait(TIMEOUT * 3) != 0


def test_a_second_publisher_is_thrown_out(database, start_rig, edge):
    rig = start_rig(database)
    user = rig.user()
    stream = user.stream()
    first, second = edge(rig, "edge1"), edge(rig, "edge2")
    winner = edge.publish(first, stream["streamKey"])
    until(lambda: user.is_live(stream), "it does not become live")
    loser = edge.publish(second, stream["streamKey"])
    assert loser.wait(TIMEOUT * 3) != 0
    assert winner.poll() is None and user.is_live(stream)


def test_a_switched_off_stream_is_thrown_out(database, start_rig, edge):
    rig = start_rig(database)
    user = rig.user()
    stream = user.stream()
    publisher = edge.publish(edge(rig), stream["streamKey"])
    until(lambda: user.is_live(stream), "it does not become live")
    assert user.request("PATCH", f"/streams/{stream['id']}", {"isActive": False}).status == 200
    assert publisher.wait(TIMEOUT * 3) != 0
