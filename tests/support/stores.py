"""A store for a test: a new database on the PostgreSQL server that the tests were given, else a new SQLite file."""

import contextlib
import os
import sqlite3
import subprocess
import urllib.parse
import uuid

from support.upstream import TIMEOUT


def sqlite_rows(file, statement):
    """Runs one statement on a SQLite file; its rows, all columns as text and NULL as ""."""
    connection = sqlite3.connect(file, timeout=TIMEOUT)
    try:
        with connection:
            rows = connection.execute(statement).fetchall()
        return [tuple("" if value is None else str(value) for value in row) for row in rows]
    finally:
        connection.close()


def control(verb):
    """Halts or resumes the PostgreSQL server of the tests."""
    subprocess.run([os.environ["GR_TEST_POSTGRES_CONTROL"], verb, os.environ["GR_TEST_POSTGRES_DIR"]], check=True,
                   timeout=TIMEOUT * 4)


class Store:
    """url: as in the config."""

    def __init__(self, directory):
        self._file = None
        server = os.environ.get("GR_TEST_POSTGRES")
        if server:
            name = f"test-{uuid.uuid4()}"
            self._psql(server, f'CREATE DATABASE "{name}"')
            self.url = urllib.parse.urlunsplit(urllib.parse.urlsplit(server)._replace(path="/" + name))
        else:
            self._file = f"{directory}/gateway.db"
            self.url = f"sqlite:{self._file}"

    @staticmethod
    def _psql(url, statement):
        done = subprocess.run(["psql", "-qtA", "-F", "\x1f", url, "-c", statement], check=True, timeout=TIMEOUT * 2,
                              capture_output=True, text=True)
        return [tuple(line.split("\x1f")) for line in done.stdout.splitlines()]

    def sql(self, statement):
        """Runs one statement; its rows, all columns as text and NULL as ""."""
        if self._file is None:
            return self._psql(self.url, statement)
        return sqlite_rows(self._file, statement)

    @contextlib.contextmanager
    def open_transaction(self, statement):
        """In this context a transaction of PostgreSQL that has run a statement without rows holds its locks."""
        holder = subprocess.Popen(["psql", "-qtA", self.url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        holder.stdin.write(f"BEGIN; {statement}; SELECT 'held';\n")
        holder.stdin.flush()
        assert holder.stdout.readline() == "held\n"
        try:
            yield
        finally:
            holder.communicate("ROLLBACK;\n", timeout=TIMEOUT)

    @contextlib.contextmanager
    def held(self, table, mode="EXCLUSIVE"):
        """In this context no other connection can write to a table; in PostgreSQL's mode ACCESS EXCLUSIVE none can read it."""
        if self._file is None:
            with self.open_transaction(f"LOCK TABLE {table} IN {mode} MODE"):
                yield
            return
        connection = sqlite3.connect(self._file, timeout=TIMEOUT, isolation_level=None)
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            connection.execute("ROLLBACK")
            connection.close()
