#!/usr/bin/python3
"""Sends the requests of an open status page to a gateway, as often as the page does, until it is ended. Usage: status_page.py ADMIN_PORT"""

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
