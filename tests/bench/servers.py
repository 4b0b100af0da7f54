"""The servers of a bench: the gateway, nginx, a bare CivetWeb and their upstream."""

import json
import os
import shutil
import subprocess
import tempfile

from tools import free_port, Process, wait_port

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Bench:
    def __init__(self, options):
        self.options = options
        self.work = tempfile.mkdtemp(prefix="greenroom-bench-")
        self.processes = []

    def path(self, *names):
        return os.path.join(self.work, *names)

    def build(self):
        build = os.path.join(ROOT, self.options.build_dir)
        if not os.path.exists(os.path.join(build, "greenroom")):
            subprocess.run(["cmake", "-S", ROOT, "-B", build, "-G", "Ninja", "-DGR_TESTS=OFF"], check=True,
                           stdout=subprocess.DEVNULL)
        subprocess.run(["cmake", "--build", build], check=True, stdout=subprocess.DEVNULL)
        for name, libraries in (("upstream", []), ("bare_civetweb", ["-lcivetweb", "-lpthread"])):
            subprocess.run(["cc", "-std=gnu11", "-D_GNU_SOURCE", "-O2", "-o", self.path(name),
                            os.path.join(ROOT, "tests", "bench", f"{name}.c"), *libraries], check=True)
        self.binary = os.path.join(build, "greenroom")
        self.plugins = os.path.join(build, "plugins")

    def start(self, name, words, port=None, env=None):
        process = Process(words, self.path(f"{name}.log"), env)
        self.processes.append(process)
        if port:
            wait_port(port)
        return process

    def config(self, name, changes=None, plugins=("token", "rooms", "templates"), rooms=None):
        """Makes a config directory for the gateway; returns it and the port. rooms: more of that group's file."""
        port = free_port()
        directory = self.path(name)
        os.makedirs(os.path.join(directory, "plugins.d"), exist_ok=True)
        document = {
            "server": {"listen": f"127.0.0.1:{port}"},
            "credentials": {"100ms": {"access_key": "bench", "secret": "a-secret-for-measurements-only"}},
            "upstreams": {
                "api": {"url": f"http://127.0.0.1:{self.upstream_port}/v2", "credential": "100ms"},
                "auth": {"url": f"http://127.0.0.1:{self.upstream_port}/v2"},
            },
            "plugins": {"directory": self.plugins},
            "state_directory": self.path(name),
        }
        for key, value in (changes or {}).items():
            document[key] = {**document.get(key, {}), **value}
        with open(os.path.join(directory, "greenroom.json"), "w") as out:
            json.dump(document, out)
        for plugin in plugins:
            with open(os.path.join(directory, "plugins.d", f"{plugin}.json"), "w") as out:
                more = rooms if plugin == "rooms" and rooms else {}
                json.dump({"library": f"{plugin}.so", "enabled": True, **more}, out)
        return directory, port

    def nginx(self):
        port = free_port()
        self.nginx_tls_port, self.nginx_http2_port = free_port(), free_port()
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                        "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                        "-keyout", self.path("tls.key"), "-out", self.path("tls.crt")], check=True, capture_output=True)
        text = f"""
worker_processes auto; daemon off; pid {self.path('nginx.pid')}; error_log stderr warn;
events {{ worker_connections 16000; }}
http {{
    access_log {self.path('nginx-access.log')};
    client_body_temp_path {self.path('body')}; proxy_temp_path {self.path('proxy')};
    fastcgi_temp_path {self.path('f')}; uwsgi_temp_path {self.path('u')}; scgi_temp_path {self.path('s')};
    proxy_buffers 8 256k; proxy_buffer_size 16k; proxy_busy_buffers_size 512k;
    upstream backend {{ server 127.0.0.1:{self.upstream_port}; keepalive 512; keepalive_requests 1000000; }}
    proxy_http_version 1.1; proxy_set_header Connection ""; keepalive_requests 1000000;
    ssl_certificate {self.path('tls.crt')}; ssl_certificate_key {self.path('tls.key')};
    server {{ listen 127.0.0.1:{port} backlog=4096; location / {{ proxy_pass http://backend/v2/; }} }}
    server {{ listen 127.0.0.1:{self.nginx_tls_port} ssl backlog=4096; location / {{ proxy_pass http://backend/v2/; }} }}
    server {{ listen 127.0.0.1:{self.nginx_http2_port} ssl http2 backlog=4096; location /v2/ {{ proxy_pass http://backend; }} }}
}}
"""
        with open(self.path("nginx.conf"), "w") as out:
            out.write(text)
        self.start("nginx", ["nginx", "-p", self.work, "-c", self.path("nginx.conf")], port)
        return port

    def begin(self):
        self.build()
        self.upstream_port = free_port()
        self.start("upstream", [self.path("upstream"), str(self.upstream_port)], self.upstream_port)
        self.nginx_port = self.nginx()
        self.bare_port = free_port()
        self.start("bare", [self.path("bare_civetweb"), str(self.bare_port), "256"], self.bare_port)
        directory, self.port = self.config("gateway")
        self.gateway = self.start("gateway", [self.binary, "-c", directory], self.port)

    def url(self, port, path):
        return f"http://127.0.0.1:{port}{path}"

    def compile_with_core(self, program, *sources):
        libraries = ["sqlite3", "libpq", "libcrypto", "jansson"]
        flags = subprocess.run(["pkg-config", "--cflags", "--libs", *libraries], check=True, capture_output=True,
                               text=True).stdout.split()
        build = os.path.join(ROOT, self.options.build_dir)
        includes = [os.path.join(ROOT, "core"), os.path.join(ROOT, "include"), os.path.join(ROOT, "plugins"),
                    os.path.join(build, "include")]
        subprocess.run(["cc", "-std=gnu11", "-D_GNU_SOURCE", "-O2", "-o", self.path(program),
                        *(os.path.join(ROOT, name) for name in (f"tests/bench/{program}.c", *sources)),
                        *(f"-I{name}" for name in includes), os.path.join(build, "core", "libgreenroom_core.a"),
                        *flags, "-lpthread", "-lm"], check=True)

    def end(self):
        for process in reversed(self.processes):
            process.stop()
        shutil.rmtree(self.work, ignore_errors=True)
