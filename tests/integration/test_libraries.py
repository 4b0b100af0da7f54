"""Libraries that the gateway loads when it needs them."""

import concurrent.futures
import pathlib
import re
import shutil
import signal

import pytest

from support.gateway import BINARY, PLUGIN_DIR, Gateway
from support.transports import ROOM, error_of, start, upstream  # noqa: F401 (fixtures)
from support.upstream import Reply

# What the program says in its ELF notes of the library that it loads (.note.dlopen).
LIBCURL = re.search(rb'"soname":\["(libcurl[^"]+)"\]', pathlib.Path(BINARY).read_bytes()).group(1).decode()


FIRST = "curl_easy_cleanup"


@pytest.fixture
def libcurl(tmp_path):
    """The path at which the broken gateway looks first for libcurl."""
    (tmp_path / "libraries").mkdir()
    return tmp_path / "libraries" / LIBCURL


@pytest.fixture
def broken(tmp_path, libcurl, upstream):
    """A gateway to start, which finds at first what is at the path."""
    (tmp_path / "etc").mkdir()
    config = {"upstreams": {"api": {"url": upstream.url}}}
    return Gateway(tmp_path / "etc", config, plugins={"rooms": {}}, env={"LD_LIBRARY_PATH": str(libcurl.parent)})


def maps(gateway):
    return pathlib.Path(f"/proc/{gateway.process.pid}/maps").read_text()


def build_info(gateway):
    [line] = [line for line in gateway.admin("/metrics").body.decode().splitlines() if line.startswith("greenroom_build_info")]
    return line


def test_libcurl_is_loaded_with_the_first_calls(start, upstream):
    gateway = start()
    assert gateway.get("/healthz").status == 200
    for name in ("libcurl", "libpq", "libldap", "libgnutls"):
        assert name not in maps(gateway)
    assert "curl=" not in build_info(gateway)
    upstream.default = Reply(ROOM)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(gateway.get, [f"/rooms/{n}" for n in range(8)]))
    assert {answer.status for answer in answers} == {200}
    assert LIBCURL in maps(gateway)
    assert 'curl="libcurl/' in build_info(gateway)


def test_a_reload_goes_on_with_libcurl(start, upstream):
    gateway = start()
    upstream.default = Reply(ROOM)
    assert gateway.get("/rooms/1").status == 200
    gateway.process.send_signal(signal.SIGHUP)
    gateway.wait_log("reloaded: 1 group")
    assert gateway.get("/rooms/1").status == 200


def test_a_libcurl_that_is_no_library_is_noticed_at_start(broken, libcurl):
    libcurl.write_text("not a library\n")
    broken.write()
    for words in ((), ("check",)):
        done = broken.run(*words)
        assert done.returncode == 1, done.stderr
        assert f"libcurl cannot be loaded: {libcurl}: " in done.stderr


def test_check_loads_libcurl(broken, libcurl):
    shutil.copy(f"{PLUGIN_DIR}/hello.so", libcurl)
    broken.write()
    done = broken.run("check")
    assert done.returncode == 1 and done.stderr == f"greenroom: libcurl cannot be loaded: {LIBCURL} has no function {FIRST}\n"
    libcurl.unlink()
    done = broken.run("check")
    assert done.returncode == 0, done.stderr


def test_calls_fail_until_libcurl_can_be_loaded(broken, libcurl, upstream):
    shutil.copy(f"{PLUGIN_DIR}/hello.so", libcurl)
    upstream.default = Reply(ROOM)
    with broken:
        assert error_of(broken.get("/rooms/1"), 502)["message"] == "no connection to the upstream"
        broken.wait_log(f'"upstream call failed".*"upstream":"api".*"detail":"{LIBCURL} has no function {FIRST}"')
        assert broken.get("/healthz").status == 200
        libcurl.unlink()
        answer = broken.get("/rooms/1")
        assert (answer.status, answer.json) == (200, ROOM)
    assert len(upstream.requests) == 1
