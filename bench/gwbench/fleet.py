"""Penstock in front of several mock upstreams, as the routing bench wants it."""

import json
import os
import re
import subprocess

from . import procs
from .load import chat_body


class Fleet:
    """Mocks, the load generator and one server at a time; owns what it starts, through its Children."""

    def __init__(self, kids, folder, build_dir):
        self.kids, self.folder, self.build_dir = kids, folder, build_dir
        self.cpu = 1 if len(os.sched_getaffinity(0)) > 1 else 0
        self.child, self.runs = None, 0

    def path(self, name):
        return os.path.join(self.folder, name)

    def mock(self):
        """Starts one; returns its port."""
        port = procs.free_port()
        child = self.kids.start([os.path.join(self.build_dir, "bench", "bench_mock"), "--listen", f"127.0.0.1:{port}"],
                                self.cpu, self.path("mock.log"))
        if procs.wait_ready(child, port) is None:
            raise RuntimeError("a mock upstream did not start")
        return port

    @staticmethod
    def delay(port, us):
        procs.http_get(port, f"/delay/{us}")

    @staticmethod
    def stats(port):
        return json.loads(procs.http_get(port, "/stats")[1])

    def cli(self, *args):
        done = subprocess.run([os.path.join(self.build_dir, "penstock"), *args, "--data", self.data], text=True,
                              env=self.env(), capture_output=True, check=False)
        if done.returncode:
            raise RuntimeError(f"penstock {' '.join(args)}: {done.stderr}")
        return done.stdout

    @staticmethod
    def env():
        return {k: v for k, v in os.environ.items() if not k.startswith("PENSTOCK_")}

    def serve(self, config):
        """Replaces the server that runs by another with this configuration and an empty data folder."""
        self.stop()
        self.runs += 1
        self.data, file = self.path(f"data-{self.runs}"), self.path(f"conf-{self.runs}.yaml")
        with open(file, "w", encoding="utf-8") as f:  # durations are written without quotes
            f.write(re.sub(r'"(\d+ ?(?:ms|s|m|h))"', r"\1", json.dumps(config)))
        self.key = json.loads(self.cli("key", "create", "--name", "bench", "--json"))["key"]
        self.port = procs.free_port()
        log = self.path(f"server-{self.runs}.log")
        self.child = self.kids.start([os.path.join(self.build_dir, "penstock"), "serve", "--config", file, "--data",
                                      self.data, "--listen", f"127.0.0.1:{self.port}", "--workers", "1"], 0, log,
                                     env=self.env())
        if procs.wait_ready(self.child, self.port) is None:
            with open(log, encoding="utf-8", errors="replace") as f:
                raise RuntimeError("the server did not start: " + f.read()[-2000:])

    def stop(self):
        if self.child:
            self.kids.stop(self.child)
        self.child = None

    def metrics(self):
        """{'name{labels}': value}"""
        text = procs.http_get(self.port, "/metrics")[1].decode()
        return {name: float(value) for name, value in
                (line.rsplit(" ", 1) for line in text.split("\n") if line and line[0] != "#")}

    def attempts(self):
        """How many calls to providers there were, by status."""
        out = {}
        for name, value in self.metrics().items():
            if name.startswith("penstock_upstream_requests_total{"):
                status = re.search(r'status="([^"]*)"', name)[1]
                out[status] = out.get(status, 0) + int(value)
        return out

    def load(self, model, concurrency, size=1500, stream=False, requests=None, duration=None, rate=None, warmup=0.0):
        body = self.path(f"body-{model}-{size}-{stream}.json")
        with open(body, "wb") as f:
            f.write(chat_body(model, size, stream))
        args = [os.path.join(self.build_dir, "bench", "bench_loadgen"), "--url",
                f"http://127.0.0.1:{self.port}/v1/chat/completions", "--header", f"Authorization: Bearer {self.key}",
                "--cpu", str(self.cpu), "--body-file", body, "--concurrency", str(concurrency), "--warmup", str(warmup),
                "--watch", str(self.child.pid)]
        args += ["--requests", str(requests)] if requests else ["--duration", str(duration)]
        args += ["--rate", str(rate)] if rate else []
        args += ["--stream"] if stream else ["--ends", "}\n"]
        done = subprocess.run(args, stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            raise RuntimeError("the load generator failed")
        result = json.loads(done.stdout)
        result["failed"] = result["errors"] + result["non_2xx"] + result["unfinished"]
        return result
