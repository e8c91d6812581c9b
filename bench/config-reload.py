#!/usr/bin/env python3
"""Reloads the configuration again and again under a constant load, and times loading a large file beside peers."""

import argparse
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

from gwbench import procs
from gwbench.load import chat_body

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
MARKS = (100, 500, 1000, 1100)  # reloads after which memory is looked at
FULL = 1100  # by then the 1,024 events that the server keeps are there, and nothing may grow any more


def parse_arguments():
    p = argparse.ArgumentParser(prog="./dev bench config-reload", description=__doc__)
    p.add_argument("--json", action="store_true", help="print one JSON object a figure, and nothing else, on stdout")
    p.add_argument("--reloads", type=int, default=1300, help="how many (default 1300)")
    p.add_argument("--rate", type=int, default=5000, help="requests a second (default 5000)")
    p.add_argument("--by", choices=("signal", "file"), default="signal",
                   help="what sets a reload off: SIGHUP after the file's change, or the change alone (default signal)")
    p.add_argument("--every", type=int, default=25, metavar="MS", help="the least time between two (default 25)")
    p.add_argument("--case", action="append", choices=("reload", "load"), help="only this case (repeatable)")
    p.add_argument("--models", type=int, default=2000, help="in the large file (default 2000)")
    p.add_argument("--tenants", type=int, default=1000, help="in the large file (default 1000)")
    p.add_argument("--build-dir", default=os.path.join(ROOT, "build", "release"), metavar="DIR",
                   help="where the binaries are (default build/release)")
    return p.parse_args()


class Figures:
    """What was measured, told at once."""

    def __init__(self, as_json):
        self.as_json, self.failed = as_json, []

    def put(self, case, metric, unit, ours, peer=None, peer_name=None, goal=None):
        """goal: a pair of its words and whether it is met."""
        ratio = round(ours / peer, 3) if peer else None
        if goal and not goal[1]:
            self.failed.append(f"{case} {metric}")
        if self.as_json:
            print(json.dumps({"bench": "config-reload", "case": case, "metric": metric, "unit": unit, "ours": ours,
                              "peer": peer, "peer_name": peer_name, "ratio": ratio}), flush=True)
            return
        beside = f"   {peer_name} {peer} {unit}, ratio {ratio}" if peer else ""
        verdict = f"   goal {goal[0]}: {'met' if goal[1] else 'MISSED'}" if goal else ""
        print(f"{case:8} {metric:34} {ours:>12} {unit}{beside}{verdict}", flush=True)


# --- reloads under load ---


class Server:
    """Penstock before the mock, with a configuration that is written anew for each reload."""

    def __init__(self, kids, folder, build_dir, cpus):
        self.kids, self.folder, self.build_dir = kids, folder, build_dir
        self.port, self.mock_port = procs.free_port(), procs.free_port()
        self.conf, self.data = os.path.join(folder, "penstock.yaml"), os.path.join(folder, "data")
        self.binary = os.path.join(build_dir, "penstock")
        self.env = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": folder}
        self.load_cpu = 1 if cpus > 1 else 0
        self.write(0)

    def write(self, turn):
        """Every reload changes what requests go through: a model, an alias, a price, a timeout, a limit."""
        text = (f"version: 2\nproviders:\n- {{name: mock, kind: openai, api_key: sk-{turn}, "
                f"base_url: \"http://127.0.0.1:{self.mock_port}/v1\"}}\n"
                f"models:\n- {{name: plain-256, targets: [{{provider: mock, weight: {turn % 9 + 1}}}]}}\n"
                f"- {{name: model-{turn}, targets: [{{provider: mock}}]}}\n"
                f"aliases: {{newest: model-{turn}}}\nprices: {{mock/model-{turn}: {{input: {turn % 100}.5}}}}\n"
                f"limits: {{max_body: {32 + turn % 7} MiB}}\ntimeouts: {{idle: {60 + turn % 50}s}}\n"
                f"log: {{format: json, access: false}}\n")
        with open(self.conf + ".new", "w", encoding="ascii") as f:
            f.write(text)
        os.replace(self.conf + ".new", self.conf)

    def start(self):
        mock = [os.path.join(self.build_dir, "bench", "bench_mock"), "--listen", f"127.0.0.1:{self.mock_port}"]
        self.kids.start(mock, self.load_cpu, os.path.join(self.folder, "mock.log"))
        made = subprocess.run([self.binary, "key", "create", "--name", "bench", "--data", self.data, "--json"],
                              capture_output=True, text=True, env=self.env, timeout=30, check=True)
        self.key = json.loads(made.stdout)["key"]
        command = [self.binary, "serve", "--config", self.conf, "--data", self.data, "--listen",
                   f"127.0.0.1:{self.port}", "--workers", "1"]
        self.process = self.kids.start(command, 0, os.path.join(self.folder, "penstock.log"), env=self.env)
        # A reload is worked out beside the loops; on one core it would take its time from theirs.
        os.sched_setaffinity(self.process.pid, range(len(os.sched_getaffinity(0))))
        if procs.wait_ready(self.process, self.port) is None:
            raise RuntimeError("penstock did not start: " + self.log()[-2000:])

    def log(self):
        with open(os.path.join(self.folder, "penstock.log"), encoding="utf-8", errors="replace") as f:
            return f.read()

    def rss_mib(self):
        with open(f"/proc/{self.process.pid}/statm", encoding="ascii") as f:
            return int(f.read().split()[1]) * os.sysconf("SC_PAGESIZE") / 2**20

    def metrics(self):
        text = procs.http_get(self.port, "/metrics", 10)[1].decode()
        return {m[1]: float(m[2]) for m in re.finditer(r"^(penstock_\S+) (\S+)$", text, re.M)}

    def held_mib(self):
        """What allocations hold, as the server counts them."""
        return self.metrics()["penstock_memory_bytes"] / 2**20

    def max_turn_ms(self):
        """The longest since the last look."""
        return max(v for k, v in self.metrics().items() if k.startswith("penstock_loop_max_turn_seconds")) * 1e3


class Poller:
    """Asks for the configuration's version over one connection that stays open."""

    def __init__(self, port):
        self.sock = socket.create_connection(("127.0.0.1", port), 10)
        self.request = b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n"

    def version(self):
        self.sock.sendall(self.request)
        data = b""
        while b"\r\n\r\n" not in data:
            data += self.sock.recv(65536)
        head, _, body = data.partition(b"\r\n\r\n")
        length = int(re.search(rb"(?i)content-length: (\d+)", head)[1])
        while len(body) < length:
            body += self.sock.recv(65536)
        check = json.loads(body)["checks"]["configuration"]
        if check["status"] != "ok":
            raise RuntimeError(f"a reload was refused: {check}")
        return check["version"]


def load_begin(server, rate):
    body = os.path.join(server.folder, "body.json")
    with open(body, "wb") as f:
        f.write(chat_body("plain-256", 512, False))
    args = [os.path.join(server.build_dir, "bench", "bench_loadgen"), "--url",
            f"http://127.0.0.1:{server.port}/v1/chat/completions", "--header", f"Authorization: Bearer {server.key}",
            "--body-file", body, "--concurrency", "64", "--rate", str(rate), "--warmup", "1", "--duration", "100000",
            "--cpu", str(server.load_cpu)]
    return subprocess.Popen(args, stdout=subprocess.PIPE, text=True)


def load_end(child):
    child.send_signal(signal.SIGTERM)
    out, _ = child.communicate(timeout=60)
    return json.loads(out)


def quiet(server, rate, seconds):
    child = load_begin(server, rate)
    time.sleep(1)
    server.max_turn_ms()
    time.sleep(seconds)
    turn = server.max_turn_ms()
    return load_end(child), turn


def busy(server, args):
    child = load_begin(server, args.rate)
    poller, times, turns = Poller(server.port), [], []
    time.sleep(1)
    server.max_turn_ms()
    memory = {0: (server.rss_mib(), server.held_mib())}
    try:
        for turn in range(1, args.reloads + 1):
            wanted, began = poller.version() + 1, time.monotonic()
            server.write(turn)
            if args.by == "signal":
                server.process.send_signal(signal.SIGHUP)
            while poller.version() < wanted:
                if time.monotonic() - began > 20:
                    raise RuntimeError(f"reload {turn} did not come into force: {server.log()[-2000:]}")
                time.sleep(0.001)
            times.append(time.monotonic() - began)
            time.sleep(max(0, args.every / 1e3 - times[-1]))
            if turn in MARKS or turn == args.reloads:
                memory[turn] = (server.rss_mib(), server.held_mib())
                turns.append(server.max_turn_ms())
            if turn % 100 == 0:
                procs.note(f"{turn} reloads, {server.rss_mib():.1f} MiB")
        return load_end(child), times, memory, max(turns)
    except BaseException:
        child.kill()
        child.wait()
        raise


def case_reload(args, figures, folder):
    cpus = len(os.sched_getaffinity(0))
    procs.raise_file_limit()
    with procs.Children() as kids:
        server = Server(kids, folder, args.build_dir, cpus)
        server.start()
        base, base_turn = quiet(server, args.rate, 10)
        seen, times, memory, turn = busy(server, args)
        after, _ = quiet(server, args.rate, 5)
    lost = seen["errors"] + seen["non_2xx"] + seen["unfinished"]
    figures.put("reload", "reloads", "", len(times))
    figures.put("reload", "time to take effect, median", "ms", round(statistics.median(times) * 1e3, 1))
    figures.put("reload", "requests", "", seen["requests"])
    figures.put("reload", "requests a second", "1/s", seen["requests_per_s"])
    figures.put("reload", "failed requests", "", lost, goal=("0", lost == 0))
    for name in ("p50", "p99", "max"):
        quiet_us = min(base["latency_us"][name], after["latency_us"][name])
        figures.put("reload", f"latency {name}", "us", seen["latency_us"][name], quiet_us, "without reloads")
    figures.put("reload", "longest loop turn", "ms", round(turn, 3), round(base_turn, 3), "without reloads")
    for count, (rss, held) in memory.items():
        figures.put("reload", f"resident after {count} reloads", "MiB", round(rss, 2))
        figures.put("reload", f"allocated after {count} reloads", "MiB", round(held, 2))
    if max(memory) <= FULL:
        procs.note(f"note: memory is judged from reload {FULL} on, when the events that are kept are all there")
        return
    (rss, held), (last_rss, last_held) = memory[FULL], memory[max(memory)]
    figures.put("reload", f"resident, grown since {FULL}", "MiB", round(last_rss - rss, 2),
                goal=("at most 1 MiB", last_rss - rss <= 1))
    figures.put("reload", f"allocated, grown since {FULL}", "MiB", round(last_held - held, 3),
                goal=("at most 0.05 MiB", last_held - held <= 0.05))


# --- loading a large file ---


def large_file(models, tenants):
    """A configuration of a large organisation, without a mistake or a warning in it."""
    out = ["version: 2", "providers:"]
    out += [f"- name: p{i}\n  kind: vllm\n  base_url: \"http://10.0.0.{i}:8000/v1\"\n  timeouts: {{idle: 90s}}"
            for i in range(20)]
    out.append("models:")
    out += [f"- name: model-{i}\n  targets:\n  - provider: p{i % 20}\n    model: upstream/{i}\n    weight: 3\n"
            f"  - provider: p{(i + 7) % 20}\n    priority: 1\n  price: {{input: 2.5, output: 10}}"
            for i in range(models)]
    out.append("tenants:")
    for i in range(tenants):
        out.append(f"- name: tenant-{i}")
        if i >= 100:
            out.append(f"  parent: tenant-{i % 100}")
        out.append(f"  allow_models: [model-{i % 100}, model-{i % 100}*]\n  aliases: {{fast: model-{i % 100}}}\n"
                   f"  limits: {{max_body: 4 MiB}}\n"
                   f"  branding: {{name: Tenant {i}, support: help@t{i}.example.com}}")
    return "\n".join(out) + "\n"


def peer_python(path, schema):
    """libyaml under PyYAML, and a JSON Schema check of what it read, each in ms; None when a package is missing."""
    try:
        import yaml
        loader = yaml.CSafeLoader
    except (ImportError, AttributeError):
        return None, None
    with open(path, encoding="ascii") as f:
        text = f.read()
    parsed, checked = [], []
    for _ in range(3):
        began = time.monotonic()
        tree = yaml.load(text, Loader=loader)
        parsed.append(time.monotonic() - began)
    with contextlib.suppress(ImportError):
        import jsonschema
        with open(schema, encoding="utf-8") as f:
            validator = jsonschema.Draft202012Validator(json.load(f))
        began = time.monotonic()
        problems = list(validator.iter_errors(tree))
        checked.append(time.monotonic() - began)
        if problems:
            procs.note(f"note: the schema has something against the file: {problems[0].message[:200]}")
    return min(parsed) * 1e3, min(checked) * 1e3 if checked else None


def peer_caddy(models, folder):
    """`caddy validate` of as many routes, less the start of the program; None when it is not installed."""
    if not shutil.which("caddy"):
        return None

    def routes(n):
        return [{"match": [{"path": [f"/model-{i}"]}],
                 "handle": [{"handler": "reverse_proxy",
                             "upstreams": [{"dial": f"10.0.0.{i % 20}:8000"}, {"dial": f"10.0.0.{(i + 7) % 20}:8000"}]}]}
                for i in range(n)]

    def median(n):
        path, times = os.path.join(folder, f"caddy-{n}.json"), []
        with open(path, "w", encoding="ascii") as f:
            json.dump({"admin": {"disabled": True},
                       "apps": {"http": {"servers": {"s": {"listen": ["127.0.0.1:0"], "routes": routes(n)}}}}}, f)
        for _ in range(5):
            began = time.monotonic()
            subprocess.run(["caddy", "validate", "--config", path], check=True, capture_output=True,
                           env={**os.environ, "HOME": folder})
            times.append(time.monotonic() - began)
        return statistics.median(times) * 1e3

    return median(models) - median(1)


def case_load(args, figures, folder):
    path = os.path.join(folder, "large.yaml")
    with open(path, "w", encoding="ascii") as f:
        f.write(large_file(args.models, args.tenants))
    done = subprocess.run([os.path.join(args.build_dir, "bench", "bench_conf"), path, "25"], capture_output=True,
                          text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    ours = json.loads(done.stdout)
    ms = round(ours["median_ms"], 1)
    figures.put("load", "size of the file", "bytes", os.path.getsize(path))
    figures.put("load", "load and validate, median", "ms", ms, goal=("under 100 ms", ms < 100))
    figures.put("load", "load and validate, least", "ms", round(ours["min_ms"], 1))
    parsed, checked = peer_python(path, os.path.join(ROOT, "docs", "penstock.schema.json"))
    if parsed:
        figures.put("load", "beside a parse alone", "ms", ms, round(parsed, 1), "PyYAML with libyaml")
    if checked:
        figures.put("load", "beside parse and schema", "ms", ms, round(parsed + checked, 1), "PyYAML and jsonschema")
    caddy = peer_caddy(args.models, folder)
    if caddy:
        figures.put("load", "beside as many routes", "ms", ms, round(caddy, 1), "caddy validate, its start taken off")


def main():
    args = parse_arguments()
    args.build_dir = os.path.abspath(args.build_dir)
    figures = Figures(args.json)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    folder = tempfile.mkdtemp(prefix="penstock-bench-")
    try:
        for case, run in (("load", case_load), ("reload", case_reload)):
            if case in (args.case or (case,)):
                run(args, figures, folder)
    except (RuntimeError, OSError, subprocess.SubprocessError) as e:
        procs.note(f"error: {e}")
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    for name in figures.failed:
        procs.note(f"goal missed: {name}")
    return 1 if figures.failed else 0


if __name__ == "__main__":
    sys.exit(main())
