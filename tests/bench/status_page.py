#!/usr/bin/python3
"""What an open status page asks a gateway: usage: status_page.py ADMIN_PORT. As often as the page does, until it is ended."""

import sys
import time
import urllib.request

EVERY_S = 3

while True:
    for path in ("/status.json", "/readyz"):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[1]}{path}") as answer:
                answer.read()
        except OSError as problem:
            print(problem, flush=True)
    time.sleep(EVERY_S)
