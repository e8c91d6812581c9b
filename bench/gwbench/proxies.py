"""The servers side by side: Penstock, HAProxy and nginx before one mock upstream, and no proxy at all."""

import json
import os
import shutil
import subprocess

from . import procs

PROXY_CPU = 0

HAPROXY_CONF = """\
global
    nbthread 1
    maxconn {max_clients}
defaults
    mode http
    http-reuse always
    timeout connect 5s
    timeout client 120s
    timeout server 120s
    timeout http-keep-alive 120s
frontend plain
    bind 127.0.0.1:{port} backlog 4096
    default_backend plain
backend plain
    server mock 127.0.0.1:{mock}
frontend stream
    option http-no-delay
    bind 127.0.0.1:{stream_port} backlog 4096
    default_backend stream
backend stream
    option http-no-delay
    server mock 127.0.0.1:{mock}
"""

NGINX_CONF = """\
{user}daemon off;
worker_processes 1;
pid {dir}/nginx.pid;
error_log {dir}/nginx.err warn;
events {{ worker_connections {max_fds}; }}
http {{
    access_log off;
    client_body_temp_path {dir}/body;
    proxy_temp_path {dir}/proxy;
    fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi;
    scgi_temp_path {dir}/scgi;
    client_body_buffer_size 256k;
    keepalive_timeout 120s;
    keepalive_requests 1000000000;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_read_timeout 120s;
    upstream mock {{
        server 127.0.0.1:{mock};
        keepalive 512;
        keepalive_requests 1000000000;
    }}
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location / {{ proxy_pass http://mock; }}
    }}
    server {{
        listen 127.0.0.1:{stream_port} backlog=4096;
        proxy_buffering off;
        proxy_request_buffering off;
        location / {{ proxy_pass http://mock; }}
    }}
}}
"""


class Bench:
    """What all servers share: the temp folder, the mock, the limits and the tools."""

    def __init__(self, kids, folder, build_dir, cpus, max_fds):
        self.kids, self.folder, self.build_dir = kids, folder, build_dir
        self.load_cpu = 1 if cpus > 1 else 0
        self.max_fds = max_fds
        self.loadgen = os.path.join(build_dir, "bench", "bench_loadgen")
        self.mock_port = procs.free_port()
        self.mock = kids.start([os.path.join(build_dir, "bench", "bench_mock"), "--listen",
                                f"127.0.0.1:{self.mock_port}"], self.load_cpu, self.path("mock.log"))
        if procs.wait_ready(self.mock, self.mock_port) is None:
            raise RuntimeError("the mock upstream didn't start: " + tail(self.path("mock.log")))

    def path(self, name):
        return os.path.join(self.folder, name)

    def mock_stats(self):
        return json.loads(procs.http_get(self.mock_port, "/stats")[1])


def tail(path, size=2000):
    try:
        with open(path, "rb") as f:
            return f.read()[-size:].decode(errors="replace")
    except OSError as e:
        return str(e)


class Direct:
    """No proxy: the client calls the mock."""

    name, child, key, headers = "direct", None, "sk-bench", ()

    def __init__(self, bench):
        self.bench = bench

    def start(self):
        return 0.0

    def stop(self):
        pass

    def port(self, _stream):
        return self.bench.mock_port

    def pids(self):
        return []

    def rss(self):
        return 0


class Proxy:
    """A server of its own process: subclasses say how it is set up and started."""

    name, binary, key = "", "", "sk-bench"
    headers = ()  # of each request, beside the key
    ready_path, ready_timeout = "/readyz", 20.0

    def __init__(self, bench):
        self.bench = bench
        self.child = None
        self.log = bench.path(f"{self.name}.log")
        self.plain_port = self.stream_port = 0

    def command(self):
        raise NotImplementedError

    def env(self):
        return None

    def start(self):
        """Starts a fresh instance; returns the seconds from exec to its first 200."""
        self.plain_port, self.stream_port = procs.free_port(), procs.free_port()
        args = self.command()
        self.child = self.bench.kids.start(args, PROXY_CPU, self.log, self.env())
        seconds = procs.wait_ready(self.child, self.plain_port, self.ready_path, self.ready_timeout)
        if seconds is None:
            self.stop()
            raise RuntimeError(f"{self.name} didn't become ready:\n{tail(self.log)}")
        return seconds

    def stop(self):
        if self.child is not None:
            self.bench.kids.stop(self.child)
        self.child = None

    def port(self, stream):
        return self.stream_port if stream else self.plain_port

    def pids(self):
        return procs.family(self.child.pid)

    def rss(self):
        return procs.rss_bytes(self.child.pid)

    def after_run(self):
        """What a log has collected is of no use and would only fill the disk."""
        os.truncate(self.log, 0)


class Haproxy(Proxy):
    name = "haproxy"
    binary = shutil.which("haproxy") or "/usr/sbin/haproxy"

    def command(self):
        conf = self.bench.path("haproxy.cfg")
        with open(conf, "w", encoding="ascii") as f:
            f.write(HAPROXY_CONF.format(port=self.plain_port, stream_port=self.stream_port,
                                        mock=self.bench.mock_port, max_clients=(self.bench.max_fds - 200) // 2))
        return [self.binary, "-db", "-q", "-f", conf]


class Nginx(Proxy):
    """One instance serves both variants: buffered on one port, unbuffered on the other."""

    name = "nginx"
    binary = shutil.which("nginx") or "/usr/sbin/nginx"

    def command(self):
        folder = self.bench.path("nginx")
        os.makedirs(folder, exist_ok=True)
        conf = os.path.join(folder, "nginx.conf")
        user = "user root;\n" if os.geteuid() == 0 else ""
        with open(conf, "w", encoding="ascii") as f:
            f.write(NGINX_CONF.format(port=self.plain_port, stream_port=self.stream_port, dir=folder, user=user,
                                      mock=self.bench.mock_port, max_fds=self.bench.max_fds - 50))
        return [self.binary, "-p", folder, "-e", os.path.join(folder, "start.err"), "-c", conf]

    def port(self, _stream):
        return self.plain_port


class NginxUnbuffered:
    """The unbuffered side of a running nginx."""

    name = "nginx-unbuffered"

    def __init__(self, nginx):
        self._nginx = nginx

    def port(self, _stream):
        return self._nginx.stream_port

    def __getattr__(self, name):
        return getattr(self._nginx, name)


class Penstock(Proxy):
    name = "penstock"
    data_prefix = "penstock-data"

    def __init__(self, bench, models):
        super().__init__(bench)
        self.binary = os.path.join(bench.build_dir, "penstock")
        self._models = models
        self._starts = 0

    def env(self):
        """No provider keys from outside, so that only the mock is found."""
        return {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": self.bench.folder}

    def command(self):
        self._starts += 1
        data = self.bench.path(f"{self.data_prefix}-{self._starts}")
        shutil.rmtree(self.bench.path(f"{self.data_prefix}-{self._starts - 1}"), ignore_errors=True)
        os.makedirs(data)
        conf = self.bench.path("penstock.yaml")
        with open(conf, "w", encoding="ascii") as f:
            f.write("providers:\n  - {name: mock, kind: openai, api_key: sk-mock, "
                    f"base_url: \"http://127.0.0.1:{self.bench.mock_port}/v1\"}}\n"
                    "  - {name: mock-anthropic, kind: anthropic, api_key: sk-mock, "
                    f"base_url: \"http://127.0.0.1:{self.bench.mock_port}/v1\"}}\nmodels:\n")
            for model in self._models:
                provider = "mock-anthropic" if model.startswith("a-") else "mock"
                f.write(f"  - {{name: {model}, targets: [{{provider: {provider}, model: {model}}}]}}\n")
            f.write("log: {format: json, access: true}\n")
        made = subprocess.run([self.binary, "key", "create", "--name", "bench", "--data", data, "--json"],
                              capture_output=True, text=True, env=self.env(), timeout=30, check=False)
        if made.returncode != 0:
            raise RuntimeError(f"penstock key create failed: {made.stderr[-2000:]}")
        self.key = json.loads(made.stdout)["key"]
        return [self.binary, "serve", "--config", conf, "--data", data,
                "--listen", f"127.0.0.1:{self.plain_port}", "--workers", "1"]

    def port(self, _stream):
        return self.plain_port
