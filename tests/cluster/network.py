"""The network between the machines: a proxy from each gateway to each server, which can be cut, a network of its own for each gateway
where the script may make network namespaces, and the balancer in front of the gateways."""

import os
import pathlib
import re
import shutil
import socket
import subprocess
import threading

from support.until import until

CHUNK = 65536
NAME = "greenroom-"
NOWHERE = "02:00:00:00:00:01"
"""An Ethernet address that no interface has. What is sent to it is lost, and the sender is not told."""


class Way:
    """A TCP proxy. While it is cut, it neither passes on nor refuses what is sent to it, like a network that has failed."""

    def __init__(self, port, host="127.0.0.1"):
        self.to = port
        self.listener = socket.create_server((host, 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        self.open = threading.Event()
        self.open.set()
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self):
        self.open.clear()

    def mend(self):
        self.open.set()

    def stop(self):
        self.open.set()
        self.listener.close()

    def _accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._connect, args=(near,), daemon=True).start()

    def _connect(self, near):
        self.open.wait()
        try:
            far = socket.create_connection(("127.0.0.1", self.to))
        except OSError:
            near.close()
            return
        for one, other in ((near, far), (far, near)):
            threading.Thread(target=self._pass, args=(one, other), daemon=True).start()

    def _pass(self, one, other):
        try:
            while data := one.recv(CHUNK):
                self.open.wait()
                other.sendall(data)
        except OSError:
            pass
        for end in (one, other):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class SharedNetwork:
    """The network of a machine that has no namespace of its own."""

    common = near = own = "127.0.0.1"
    prefix = []

    def stop(self):
        pass


class Namespace:
    """A network namespace of its own, with one cable to the namespace of this script. near is the address of this end, own that of
    the machine, and common an address of this end that is the same for all machines; each reaches it over its own cable."""

    def __init__(self, number, third, common=None):
        """third is the third part of the addresses, from free_third()."""
        self.name = f"{NAME}{os.getpid()}-{number}"
        self.cable = f"gr{os.getpid() % 1000000}-{number}"
        self.near, self.own = (f"10.231.{third + number // 64}.{number % 64 * 4 + end}" for end in (1, 2))
        self.common = common or self.near
        self.prefix = ["ip", "netns", "exec", self.name]
        self._ip("netns", "add", self.name)
        try:
            self._ip("link", "add", self.cable, "type", "veth", "peer", "name", "cable", "netns", self.name)
            self._ip("address", "add", f"{self.near}/30", "dev", self.cable)
            self._ip("link", "set", self.cable, "up")
            self._within("address", "add", f"{self.own}/30", "dev", "cable")
            self._within("link", "set", "cable", "up")
            self._within("link", "set", "lo", "up")
            if common:
                self._within("route", "add", common, "via", self.near)
        except RuntimeError:
            self.stop()
            raise

    @staticmethod
    def _ip(*words):
        done = subprocess.run(["ip", *words], stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"ip {' '.join(words)}: {done.stderr.strip()}")

    def _within(self, *words):
        self._ip("-n", self.name, *words)

    def cut(self):
        """Lets nothing pass in either direction. Neither end is told, and both go on sending."""
        self._ip("neigh", "replace", self.own, "lladdr", NOWHERE, "dev", self.cable, "nud", "permanent")
        self._within("neigh", "replace", self.near, "lladdr", NOWHERE, "dev", "cable", "nud", "permanent")

    def mend(self):
        self._ip("neigh", "del", self.own, "dev", self.cable)
        self._within("neigh", "del", self.near, "dev", "cable")

    def stop(self):
        """Deletes the namespace, and with it the cable."""
        self._ip("netns", "del", self.name)


def listed(*words):
    return subprocess.run(["ip", *words], stdin=subprocess.DEVNULL, capture_output=True, text=True).stdout


def remove_leftovers():
    """Deletes the namespaces of runs that were killed."""
    for pid, number in re.findall(rf"^{NAME}(\d+)-(\d+)", listed("netns", "list"), re.M):
        if not pathlib.Path("/proc", pid).exists():
            subprocess.run(["ip", "netns", "del", f"{NAME}{pid}-{number}"], stdin=subprocess.DEVNULL, capture_output=True)


def free_third():
    """The third part of a thousand addresses that no other run at the same time has."""
    taken = {int(third) // 4 * 4 for third in re.findall(r"inet 10\.231\.(\d+)\.", listed("-4", "address"))}
    return next(third for number in range(64) if (third := (os.getpid() + number) % 64 * 4) not in taken)


def networks(count):
    """Returns a network for each machine, and the reason why the machines have no networks of their own, or None when they have."""
    if not shutil.which("ip"):
        return [SharedNetwork() for _ in range(count)], "there is no ip command (Debian package: iproute2)"
    remove_leftovers()
    third, made = free_third(), []
    try:
        for number in range(count):
            made.append(Namespace(number, third, made[0].common if made else None))
    except RuntimeError as error:
        for one in made:
            one.stop()
        return [SharedNetwork() for _ in range(count)], str(error)
    return made, None


class Balancer:
    """nginx as the balancer. It does not send a request to a second gateway when the first one may have received it."""

    CONF = """
daemon off; worker_processes 1; pid {home}/pid; error_log {home}/error.log;
events {{ worker_connections 1024; }}
http {{
  access_log off; client_body_temp_path {home}/body; proxy_temp_path {home}/proxy;
  fastcgi_temp_path {home}/f; uwsgi_temp_path {home}/u; scgi_temp_path {home}/s;
  upstream gateways {{ {servers} keepalive 32; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://gateways; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_connect_timeout 1s; proxy_read_timeout 30s;
    }}
  }}
}}
"""

    def __init__(self, home, port, addresses):
        """addresses has "HOST:PORT" of each gateway."""
        home = pathlib.Path(home)
        home.mkdir()
        servers = " ".join(f"server {one} max_fails=1 fail_timeout=1s;" for one in addresses)
        (home / "nginx.conf").write_text(self.CONF.format(home=home, port=port, servers=servers))
        self.port = port
        program = shutil.which("nginx") or "/usr/sbin/nginx"
        self.process = subprocess.Popen([program, "-e", str(home / "error.log"), "-c", str(home / "nginx.conf")],
                                        stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(self._listens, "nginx does not listen")

    def _listens(self):
        try:
            socket.create_connection(("127.0.0.1", self.port)).close()
            return True
        except OSError:
            return False

    def stop(self):
        self.process.terminate()
        self.process.wait()
