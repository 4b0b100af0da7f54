"""The file of a plugin is replaced, written into or damaged while the plugin serves requests."""

import json
import os
import re
import signal
import threading
import time

import pytest

from support.gateway import Gateway
from support.until import until

BUILT = os.path.join(os.environ["GR_BUILD_DIR"], "tests", "plugins", "reload.so")
MARK = b"code-000000"
RELOADS = int(os.environ.get("GR_TEST_RELOADS", "24"))
SANITIZED = bool(os.environ.get("GR_SANITIZE"))


def code(number):
    """Returns the bytes of the plugin with another number in the text that tells their version."""
    data = open(BUILT, "rb").read()
    assert data.count(MARK) == 1
    return data.replace(MARK, b"code-%06d" % number)


def write_in_place(path, data):
    with open(path, "r+b") as file:
        file.write(data)
        file.truncate()


def rename_over(path, data):
    with open(f"{path}.new", "wb") as file:
        file.write(data)
    os.rename(f"{path}.new", path)


@pytest.fixture
def gateway(tmp_path):
    library = tmp_path / "reload.so"
    library.write_bytes(code(0))
    running = Gateway(tmp_path / "etc", {}, {"reload": {"library": str(library), "config": {"word": "hi"}}})
    (tmp_path / "etc").mkdir()
    running.library = str(library)
    running.reloads = 0
    running.start()
    yield running
    running.stop()


def reload(gateway):
    """Sends SIGHUP, and waits until the last request with the old config has ended."""
    gateway.reloads += 1
    gateway.process.send_signal(signal.SIGHUP)
    gateway.wait_log_count(r"the old config's last request has ended", gateway.reloads)


def told(gateway):
    return gateway.get("/reload").json["code"]


@pytest.mark.parametrize("replace", [rename_over, write_in_place], ids=["rename", "in_place"])
def test_new_bytes_are_new_code_after_a_reload(gateway, replace):
    assert told(gateway) == "code-000000"
    replace(gateway.library, code(1))
    assert told(gateway) == "code-000000", "before the reload the old code goes on"
    reload(gateway)
    assert told(gateway) == "code-000001"
    replace(gateway.library, code(0))
    reload(gateway)
    assert told(gateway) == "code-000000"


@pytest.mark.parametrize("damage", ["zeros", "truncate", "remove"])
def test_nothing_that_is_done_to_the_file_harms_what_runs(gateway, damage):
    if damage == "zeros":
        write_in_place(gateway.library, bytes(os.path.getsize(BUILT)))
    elif damage == "truncate":
        os.truncate(gateway.library, 0)
    else:
        os.unlink(gateway.library)
    assert told(gateway) == "code-000000"
    gateway.process.send_signal(signal.SIGHUP)
    gateway.wait_log(r"going on with the old one")
    assert told(gateway) == "code-000000"
    gateway.wait_log(r"reload\.so: (format: found no ELF header|No such file)")


def test_equal_bytes_are_loaded_once(gateway):
    before = mapped(gateway)
    reload(gateway)
    assert mapped(gateway) == before
    assert metric(gateway, "generation") == 1


def mapped(gateway):
    maps = open(f"/proc/{gateway.process.pid}/maps", encoding="utf-8").read()
    return sorted(set(re.findall(r"(\d+) +/memfd:greenroom:reload\.so", maps)))


def metric(gateway, name):
    text = gateway.admin("/metrics").body.decode()
    return int(re.search(rf'^greenroom_plugin_{name}{{[^}}]*plugin="reload"[^}}]*}} (\d+)', text, re.M)[1])


def listed(gateway):
    [group] = json.loads(gateway.run("plugins", "--json").stdout)
    return group


def test_greenroom_plugins_tells_what_the_running_gateway_has_loaded(gateway):
    first = listed(gateway)
    assert first["running"] == {"version": "1.0.0", "build_id": first["build_id"], "generation": 1, "stays": False,
                                "loaded_at_ms": first["running"]["loaded_at_ms"]}
    assert abs(first["running"]["loaded_at_ms"] / 1000 - time.time()) < 600
    rename_over(gateway.library, code(1).replace(bytes.fromhex(first["build_id"]), bytes(20)))
    text = gateway.run("plugins").stdout
    assert re.search(r"^NAME +STATE +VERSION +RUNS +SUMMARY$", text, re.M)
    assert re.search(r"^reload +loaded +1\.0\.0 +1\.0\.0, code 1, loaded [-0-9: ]+, file replaced since +Tells", text, re.M), text
    assert listed(gateway)["running"]["build_id"] != listed(gateway)["build_id"]
    reload(gateway)
    then = listed(gateway)
    assert then["running"]["generation"] == 2 and then["running"]["build_id"] == then["build_id"] == "00" * 20
    gateway.stop()
    assert "running" not in listed(gateway)
    assert re.search(r"^NAME +STATE +VERSION +SUMMARY$", gateway.run("plugins").stdout, re.M)


def footprint(gateway):
    """Returns numbers of descriptors, threads and mappings of the process, and its address space and memory in kilobytes."""
    process = f"/proc/{gateway.process.pid}"
    status = open(f"{process}/status", encoding="utf-8").read()
    return {
        "descriptors": len(os.listdir(f"{process}/fd")),
        "threads": int(re.search(r"Threads:\s+(\d+)", status)[1]),
        "mappings": len(open(f"{process}/maps", encoding="utf-8").readlines()),
        "address space": int(re.search(r"VmSize:\s+(\d+)", status)[1]),
        "memory": int(re.search(r"VmRSS:\s+(\d+)", status)[1]),
    }


def test_many_reloads_under_load_leave_nothing_behind(gateway):
    failures, stop, served = [], threading.Event(), [0]

    def load():
        while not stop.is_set():
            answer = gateway.get("/reload")
            served[0] += 1
            if answer.status != 200 or not answer.json["code"].startswith("code-"):
                failures.append(answer)

    threads = [threading.Thread(target=load) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for number in range(1, 9):
            (rename_over if number % 2 else write_in_place)(gateway.library, code(number))
            reload(gateway)
        first = footprint(gateway)
        for number in range(9, 9 + RELOADS):
            (rename_over if number % 2 else write_in_place)(gateway.library, code(number))
            reload(gateway)
        last = footprint(gateway)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    print(f"\n{RELOADS} reloads, {served[0]} requests, {len(failures)} failed; before {first}, after {last}")
    assert failures == []
    assert told(gateway) == "code-%06d" % (8 + RELOADS)
    if SANITIZED:
        return  # with a sanitizer nothing is unloaded, so that its reports can name the code
    # The number of connections of the load varies. If each reload leaked something, these bounds would be exceeded by far.
    assert last["descriptors"] - first["descriptors"] < RELOADS / 2, (first, last)
    assert last["threads"] - first["threads"] < RELOADS / 2, (first, last)
    assert last["mappings"] - first["mappings"] < RELOADS, (first, last)
    assert last["address space"] - first["address space"] < RELOADS * 64, (first, last)
    # The constant part is for workers that were idle until now and use their memory for the first time.
    assert last["memory"] - first["memory"] < RELOADS * 64 + 8192, (first, last)
    until(lambda: len(mapped(gateway)) == 1, "only the newest code is mapped")
