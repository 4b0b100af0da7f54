"""A PostgreSQL server with a synchronous standby. What was committed is on both servers, so nothing that was acknowledged is lost
when the standby takes over."""

import os
import pathlib
import secrets
import shutil
import subprocess
import tempfile

from support.ports import hold_port
from support.upstream import FACTOR

SETTINGS = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
fsync = off
full_page_writes = off
wal_log_hints = on
max_connections = 200
shared_buffers = 32MB
"""
ALONE, FOLLOWED = "", "*"


def binaries():
    """Returns the directory in which Debian installs the programs of the server, or None when they are not installed."""
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda file: int(file.parts[-3]))
    return found[-1].parent if found else None


class Server:
    """One of the two servers. initdb refuses to run as root; root therefore runs all of the programs as another user."""

    def __init__(self, home, name):
        self.data = home / name
        self.port, self._held = hold_port()

    @staticmethod
    def _run(program, *words, check=True):
        user = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
        return subprocess.run([*user, str(binaries() / program), *map(str, words)], check=check, cwd="/", timeout=60 * FACTOR,
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def _control(self, *words, check=True):
        return self._run("pg_ctl", "-s", "-w", "-t", "60", "-D", self.data, "-l", f"{self.data}.log", *words, check=check)

    def make(self, password_file):
        self._run("initdb", "-D", self.data, "-U", "greenroom", "-A", "scram-sha-256", f"--pwfile={password_file}", "-E", "UTF8",
                  "--locale=C", "-N")
        with open(self.data / "postgresql.conf", "a") as conf:
            conf.write(SETTINGS)

    def copy_of(self, other, password):
        """Makes this server a standby of another one."""
        shutil.rmtree(self.data, ignore_errors=True)
        url = f"postgresql://greenroom:{password}@127.0.0.1:{other.port}/postgres"
        self._run("pg_basebackup", "-D", self.data, "-d", url, "-R", "-X", "stream", "-c", "fast", "--no-sync")

    def start(self):
        self._control("-o", f"-p {self.port}", "start")

    def restart(self):
        self._control("-m", "fast", "-o", f"-p {self.port}", "restart")

    def kill(self):
        self._control("-m", "immediate", "stop", check=False)

    def promote(self):
        self._control("promote")


class Pair:
    """The primary and its standby, which change roles at each failover."""

    def __init__(self):
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="greenroom-cluster-", dir=os.environ.get("TMPDIR", "/tmp")))
        self.password = secrets.token_hex(12)
        secret = self.home / "password"
        secret.write_text(self.password)
        if os.getuid() == 0:
            for path in (self.home, secret):
                shutil.chown(path, "postgres", "postgres")
        self.primary, self.standby = Server(self.home, "one"), Server(self.home, "two")
        self.primary.make(secret)
        self.primary.start()
        self._follow()

    def url(self, addresses):
        """Returns the URL of the store. addresses has "HOST:PORT" of both servers; clients use the one that accepts writes."""
        hosts = ",".join(addresses)
        return f"postgres://greenroom:{self.password}@{hosts}/postgres?target_session_attrs=read-write&pool_max=8"

    def sql(self, statement):
        url = f"postgresql://greenroom:{self.password}@127.0.0.1:{self.primary.port}/postgres"
        done = subprocess.run(["psql", "-qtA", url, "-c", statement], check=True, timeout=60 * FACTOR, capture_output=True, text=True)
        return done.stdout.strip()

    def _names(self, names):
        self.sql(f"ALTER SYSTEM SET synchronous_standby_names = '{names}'")
        self.sql("SELECT pg_reload_conf()")

    def _follow(self):
        self.standby.copy_of(self.primary, self.password)
        self.standby.start()
        self._names(FOLLOWED)

    def restart(self):
        self.primary.restart()

    def fail_over(self):
        """Kills the primary, lets the standby take over, and makes the killed server the new standby."""
        self.primary.kill()
        self.standby.promote()
        self.primary, self.standby = self.standby, self.primary
        self._names(ALONE)
        self._follow()

    def stop(self):
        self.primary.kill()
        self.standby.kill()
        shutil.rmtree(self.home, ignore_errors=True)
