"""Debian's Chromium, driven from npm's playwright-core. Tests are skipped where either is missing.

    with Browser() as browser:
        browser.open(url, width=400, scheme="dark")
        browser.click("text=Send")
"""

import json
import pathlib
import shutil
import subprocess

import pytest
from support import npm
from support.upstream import TIMEOUT

DRIVER = pathlib.Path(__file__).parent / "browser" / "driver.mjs"


class Browser:
    def __init__(self):
        chromium = shutil.which("chromium")
        if not chromium:
            pytest.skip("chromium is not installed: scripts/bootstrap --browser")
        self.process = subprocess.Popen(["node", str(DRIVER), str(npm.tools()), chromium], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        start = json.loads(self.process.stdout.readline() or '{"broken": "node ended"}')
        if "broken" in start:
            self.process.wait()
            pytest.skip("this machine cannot run the browser: " + start["broken"])

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.process.stdin.close()
        self.process.wait(TIMEOUT * 2)

    def do(self, command, **more):
        self.process.stdin.write(json.dumps({"command": command, **more}) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline() or '{"problem": "the browser ended"}')
        assert "problem" not in answer, answer["problem"]
        return answer["value"]

    def open(self, url, **more):
        return self.do("open", url=url, **more)

    def click(self, selector):
        self.do("click", selector=selector)

    def fill(self, selector, text):
        self.do("fill", selector=selector, text=text)

    def wait(self, selector):
        self.do("wait", selector=selector, limit=TIMEOUT * 3)

    def text(self, selector):
        return self.do("text", selector=selector)

    def evaluate(self, script):
        return self.do("evaluate", script=script)

    def screenshot(self, file):
        self.do("screenshot", file=str(file))

    def told(self):
        """The errors that the browser reported for the page, and all addresses that the page requested."""
        return self.do("told")

    def axe(self):
        """The problems that axe-core finds for people who use a screen reader or a keyboard."""
        return self.do("axe")
