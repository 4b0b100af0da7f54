"""Completion in the shells themselves: the test types at a terminal and reads the line after TAB."""

import json
import os
import pathlib
import pty
import shutil
import signal
import subprocess
import threading

import pytest

from support.gateway import BINARY, PLUGIN_DIR
from support.until import until
from support.upstream import TIMEOUT

# Ctrl-X Ctrl-P writes the line into a file in one step, so that the test never reads half of it.
SETUP = {
    "bash": """source greenroom.bash
show() { printf '%s' "$READLINE_LINE" >line.new; mv line.new line; }
bind -x '"\\C-x\\C-p": show'
bind 'set bell-style none'
touch ready
""",
    "zsh": """fpath=($PWD $fpath); autoload -Uz compinit; compinit -u -D
show() { print -rn -- "$BUFFER" >line.new; mv line.new line }
zle -N show; bindkey '^X^P' show; bindkey '^U' kill-whole-line
touch ready
""",
}
PROGRAM = {"bash": ["bash", "--norc", "--noprofile", "-i"], "zsh": ["zsh", "-f", "-i"]}
PAGE = {"bash": "greenroom.bash", "zsh": "_greenroom"}


class Shell:
    """A shell at a terminal, in a directory with a config in etc."""

    def __init__(self, name, directory):
        self.line = directory / "line"
        env = {**os.environ, "PATH": f"{os.path.dirname(os.path.abspath(BINARY))}:{os.environ['PATH']}", "TERM": "dumb",
               "HOME": str(directory), "PS1": "> ", "INPUTRC": "/dev/null", "GREENROOM_CONFIG": ""}
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.chdir(directory)
            os.execvpe(PROGRAM[name][0], PROGRAM[name], env)
        # The output of the shell is not checked, but the shell would wait if nothing read it.
        self.said = b""
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        self.type(SETUP[name])
        until((directory / "ready").exists, f"{name} does not begin")

    def _read(self):
        try:
            while part := os.read(self.terminal, 65536):
                self.said += part
        except OSError:  # the shell has ended
            pass

    def type(self, keys):
        os.write(self.terminal, keys.encode())

    def complete(self, typed):
        """Types text and TAB, returns the line, and deletes it."""
        self.line.unlink(missing_ok=True)
        self.type(f"{typed}\t\x18\x10")
        until(self.line.exists, f"nothing after {typed!r}")
        self.type("\x15")
        return self.line.read_text()

    def end(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        self.reader.join(TIMEOUT)
        os.close(self.terminal)


@pytest.fixture(scope="module", params=["bash", "zsh"])
def shell(request, tmp_path_factory):
    if not shutil.which(request.param):
        pytest.skip(f"{request.param} is not installed")
    directory = tmp_path_factory.mktemp(request.param)
    for config in ("etc", "other"):
        (directory / config / "plugins.d").mkdir(parents=True)
        (directory / config / "greenroom.json").write_text(json.dumps({
            "plugins": {"directory": os.path.abspath(PLUGIN_DIR)}, "state_directory": str(directory),
            "upstreams": {name: {"url": "http://127.0.0.1:1"} for name in ("api", "second")}}))
    webhooks = {"config": {"secret": "s", "forward_to": [{"name": "crm", "url": "http://127.0.0.1:1/"}]}}
    for name, members in {"rooms": {}, "polls": {}, "webhooks": webhooks, "agents": {"enabled": False}}.items():
        (directory / "etc" / "plugins.d" / f"{name}.json").write_text(json.dumps(members))
    (directory / "other" / "plugins.d" / "sip.json").write_text("{}")
    (directory / "seed.json").write_text("{}")
    done = subprocess.run([BINARY, "doc", PAGE[request.param]], capture_output=True, text=True, timeout=TIMEOUT, check=True,
                          cwd=directory)
    (directory / PAGE[request.param]).write_text(done.stdout)
    running = Shell(request.param, directory)
    yield running
    running.end()


@pytest.mark.parametrize(
    "typed,line",
    [
        ("greenroom che", "greenroom check "),
        ("greenroom plugins dis", "greenroom plugins disable "),
        ("greenroom routes --js", "greenroom routes --json "),
        ("greenroom routes --group ro", "greenroom routes --group rooms "),
        ("greenroom routes --group=ro", "greenroom routes --group=rooms "),
        ("greenroom routes --method PA", "greenroom routes --method PATCH "),
        ("greenroom routes --scope polls:w", "greenroom routes --scope polls:write "),
        ("greenroom routes --scope 'polls:w", "greenroom routes --scope 'polls:write' "),
        ("greenroom keys add x --scope=rooms:r", "greenroom keys add x --scope=rooms:read "),
        ("greenroom keys add x --scope rooms:read --scope polls:w", "greenroom keys add x --scope rooms:read --scope polls:write "),
        ("greenroom call rooms.ge", "greenroom call rooms.get "),
        ("greenroom call -d '{\"a\": 1}' rooms.ge", "greenroom call -d '{\"a\": 1}' rooms.get "),
        ("greenroom explain DEL", "greenroom explain DELETE "),
        ("greenroom explain -H 'A: b c' POST /poll", "greenroom explain -H 'A: b c' POST /polls"),
        ("greenroom token join --upstream se", "greenroom token join --upstream second "),
        ("greenroom config show server.tls.hs", "greenroom config show server.tls.hsts "),
        ("greenroom config schema --plugin roo", "greenroom config schema --plugin rooms "),
        ("greenroom openapi pol", "greenroom openapi polls "),
        ("greenroom plugins enable ag", "greenroom plugins enable agents "),
        ("greenroom -c other openapi s", "greenroom -c other openapi sip "),
        ("greenroom openapi -c other s", "greenroom openapi -c other sip "),
        ("greenroom --config=other call sip.dt", "greenroom --config=other call sip.dtmf "),
        ("greenroom call rooms.get ro", "greenroom call rooms.get roomId="),
        ("greenroom call rooms.create size=3 reg", "greenroom call rooms.create size=3 region="),
        ("greenroom call rooms.create size=3 region=e", "greenroom call rooms.create size=3 region=eu "),
        ("greenroom call nothing.at.all na", "greenroom call nothing.at.all na"),
        ("greenroom webhooks list --target cr", "greenroom webhooks list --target crm "),
        ("greenroom webhooks replay --target=cr", "greenroom webhooks replay --target=crm "),
        ("greenroom webhooks pause c", "greenroom webhooks pause crm "),
        ("greenroom dev --seed se", "greenroom dev --seed seed.json "),
        ("greenroom -c etc/plug", "greenroom -c etc/plugins.d/"),
        ("greenroom nothing ", "greenroom nothing "),
    ],
)
def test_tab_completes(shell, typed, line):
    assert shell.complete(typed) == line


def test_tab_makes_no_store(shell):
    directory = shell.line.parent
    assert shell.complete("greenroom webhooks list --target cr") == "greenroom webhooks list --target crm "
    assert not list(directory.glob("greenroom.db*"))


def test_tab_lists_what_may_follow(shell):
    shell.said = b""
    shell.complete("greenroom plugins enable \t")
    until(lambda: all(name in shell.said for name in (b"agents", b"polls", b"rooms", b"webhooks")), "no list of the groups")
