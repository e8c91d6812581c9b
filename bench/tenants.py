#!/usr/bin/env python3
"""Latency of 199 tenants with and without a noisy 200th beside them: one that sends a hundred times as much as each of
them, or floods the server with all it can, with and without limits of its own."""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile

from gwbench import procs
from gwbench.load import chat_body

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TENANTS, RATE = 199, 10  # well-behaved tenants, and requests a second of each
GOAL = 1.20  # their p95 beside the noise, over that without
# What the noisy tenant sends: a rate, or with None as much as 256 connections carry.
NOISES = {
    "100x": ("free", 100 * RATE),
    "100x-limited": ("limited", 100 * RATE),
    "flood": ("free", None),
    "flood-limited": ("limited", None),
    "flood-parallel": ("parallel", None),
}
BUDGETS = {  # of the noisy tenants: as much as any other sends; and four requests at a time
    "limited": ["metric=requests", "period=minute", f"amount={60 * RATE}"],
    "parallel": ["metric=concurrency", "amount=4"],
}
MODELS = {"plain-1k": "an upstream that answers at once", "lat-20": "an upstream that takes 20 ms"}


def parse_arguments():
    p = argparse.ArgumentParser(prog="./dev bench tenants", description=__doc__)
    p.add_argument("--json", action="store_true", help="print one JSON object a figure, and nothing else, on stdout")
    p.add_argument("--rounds", type=int, default=3, metavar="N", help="of each case, interleaved (default 3)")
    p.add_argument("--seconds", type=float, default=4, help="of each measurement (default 4)")
    p.add_argument("--noise", action="append", choices=NOISES, help="only this one (repeatable)")
    p.add_argument("--model", action="append", choices=MODELS, help="only this one (repeatable)")
    p.add_argument("--build-dir", default=os.path.join(ROOT, "build", "release"), metavar="DIR",
                   help="where the binaries are (default build/release)")
    return p.parse_args()


class Scene:
    """The server with its tenants, the mock, and load generators."""

    def __init__(self, kids, folder, build_dir):
        self.kids, self.folder, self.build_dir = kids, folder, build_dir
        self.binary = os.path.join(build_dir, "penstock")
        self.port, self.mock_port = procs.free_port(), procs.free_port()
        self.conf, self.data = os.path.join(folder, "penstock.yaml"), os.path.join(folder, "data")
        self.env = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": folder}
        self.load_cpu = 1 if len(os.sched_getaffinity(0)) > 1 else 0

    def command(self, *words):
        done = subprocess.run([self.binary, *words, "--config", self.conf, "--data", self.data, "--json"],
                              capture_output=True, text=True, env=self.env, timeout=60, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"penstock {' '.join(words)}: {done.stderr}")
        return json.loads(done.stdout)

    def start(self):
        with open(self.conf, "w", encoding="ascii") as f:
            f.write("version: 2\nproviders:\n- {name: mock, kind: openai, api_key: sk-mock, "
                    f"base_url: \"http://127.0.0.1:{self.mock_port}/v1\"}}\nmodels:\n")
            for model in MODELS:
                f.write(f"- {{name: {model}, targets: [{{provider: mock, model: {model}}}]}}\n")
                with open(self.path(model), "wb") as body:
                    body.write(chat_body(model, 1500, False))
            f.write("log: {format: json, access: false}\n")
        mock = [os.path.join(self.build_dir, "bench", "bench_mock"), "--listen", f"127.0.0.1:{self.mock_port}"]
        self.kids.start(mock, self.load_cpu, os.path.join(self.folder, "mock.log"))
        self.make_tenants()
        serve = [self.binary, "serve", "--config", self.conf, "--data", self.data, "--listen", f"127.0.0.1:{self.port}",
                 "--workers", "1"]
        self.process = self.kids.start(serve, 0, os.path.join(self.folder, "penstock.log"), env=self.env)
        if procs.wait_ready(self.process, self.port) is None:
            with open(os.path.join(self.folder, "penstock.log"), encoding="utf-8") as f:
                raise RuntimeError("penstock did not start: " + f.read()[-2000:])

    def make_tenants(self):
        """Keys of all tenants, one a line, and of each noisy one."""
        for name, count in [("quiet", TENANTS), ("free", 1), *((budget, 1) for budget in BUDGETS)]:
            keys = []
            for i in range(count):
                tenant = f"{name}-{i}"
                self.command("tenant", "create", f"name={tenant}")
                keys.append(self.command("key", "create", "--name", "bench", "--tenant", tenant)["key"])
                if name in BUDGETS:
                    self.command("budget", "create", "name=noise", *BUDGETS[name], "--tenant", tenant)
            with open(self.path(name), "w", encoding="ascii") as f:
                f.write("\n".join(keys) + "\n")

    def path(self, name):
        return os.path.join(self.folder, name)

    def load(self, model, keys, rate, connections, seconds):
        args = [os.path.join(self.build_dir, "bench", "bench_loadgen"), "--url",
                f"http://127.0.0.1:{self.port}/v1/chat/completions", "--keys-file", self.path(keys), "--body-file", self.path(model),
                "--concurrency", str(connections), "--warmup", "1", "--duration", str(seconds), "--cpu",
                str(self.load_cpu), "--watch", str(self.process.pid)]
        if rate:
            args += ["--rate", str(rate)]
        return subprocess.Popen(args, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def round(self, model, noise, seconds):
        """The figures of the well-behaved tenants, and those of the noise."""
        loud = None
        if noise:
            keys, rate = NOISES[noise]
            loud = self.load(model, keys, rate, 256, seconds + 1)
        quiet = self.load(model, "quiet", TENANTS * RATE, 2 * TENANTS, seconds)
        out = json.loads(quiet.communicate(timeout=seconds + 60)[0])
        if out["errors"] or out["non_2xx"]:
            raise RuntimeError(f"{model} {noise}: {out['errors']} errors, {out['non_2xx']} refused of the others")
        return out, json.loads(loud.communicate(timeout=seconds + 60)[0]) if loud else None


def measure(scene, args):
    rounds = {}
    for turn in range(args.rounds):
        for model in args.model or MODELS:
            for noise in [None, *(args.noise or NOISES)]:
                rounds.setdefault((model, noise), []).append(scene.round(model, noise, args.seconds))
                procs.note(f"round {turn + 1}: {model} {noise or 'quiet'} done")
    return rounds


def median(runs, pick):
    return statistics.median(pick(*run) for run in runs)


def show(rounds, as_json):
    missed = False
    for (model, noise), runs in rounds.items():
        base = rounds[model, None]
        for quantile in ("p50", "p95", "p99"):
            ours = median(runs, lambda quiet, _: quiet["latency_us"][quantile])
            peer = median(base, lambda quiet, _: quiet["latency_us"][quantile]) if noise else None
            ratio = round(ours / peer, 3) if peer else None
            judged = quantile == "p95" and noise and model == "lat-20"
            missed |= bool(judged and ratio > GOAL)
            if as_json:
                print(json.dumps({"bench": "tenants", "case": f"{model}/{noise or 'quiet'}", "metric": f"latency_{quantile}",
                                  "unit": "us", "ours": ours, "peer": peer, "peer_name": "without noise" if peer else None,
                                  "ratio": ratio}), flush=True)
                continue
            goal = f"   goal <= {GOAL}: {'met' if ratio <= GOAL else 'MISSED'}" if judged else ""
            beside = f"   ratio {ratio:.3f}" if ratio else ""
            sent = ""
            if noise and quantile == "p50":
                sent = (f"   the noise: {median(runs, lambda _, n: n['requests'] / n['seconds']):,.0f}/s answered, "
                        f"{median(runs, lambda _, n: n['non_2xx'] / n['seconds']):,.0f}/s refused")
            print(f"{model:9}{noise or 'quiet':16}{quantile:4}{ours:>12,.0f} us{beside}{goal}{sent}", flush=True)
    return missed


def main():
    args = parse_arguments()
    procs.raise_file_limit()
    folder = tempfile.mkdtemp(prefix="penstock-bench-")
    try:
        with procs.Children() as kids:
            scene = Scene(kids, folder, args.build_dir)
            scene.start()
            missed = show(measure(scene, args), args.json)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if missed and not args.json else 0


if __name__ == "__main__":
    sys.exit(main())
