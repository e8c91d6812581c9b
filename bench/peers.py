#!/usr/bin/env python3
"""Pits Penstock against LiteLLM's proxy, Portkey's gateway and its own first build, one core each, before the same mock upstream."""

import argparse
import json
import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

from gwbench import procs
from gwbench.load import Load
from gwbench.peers import Litellm, Now, Portkey, Then
from gwbench.proxies import Bench, Direct

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FIRST = "63f2ac6"  # the first commit whose server answers requests
TRAFFIC = {"plain": ("plain-1k", False), "stream": ("stream-16", True)}
CONCURRENCY = (1, 16, 64)
PEERS = ("penstock-then", "litellm", "portkey", "direct")
METRICS = {"requests_per_s": "req/s", "latency_p50": "us", "latency_p95": "us", "cpu_per_request": "us"}


def parse_arguments():
    p = argparse.ArgumentParser(prog="./dev bench peers", description=__doc__)
    p.add_argument("--json", action="store_true", help="print one JSON object a figure, and nothing else, on stdout")
    p.add_argument("--against", default=FIRST, metavar="REV", help=f"the commit to compare with (default {FIRST}, the first build; '': none)")
    p.add_argument("--peer", action="append", choices=("litellm", "portkey"), help="only this gateway of the others (repeatable)")
    p.add_argument("--concurrency", action="append", type=int, metavar="N", help="only this concurrency (repeatable; default 1, 16, 64)")
    p.add_argument("--traffic", action="append", choices=tuple(TRAFFIC), help="only this traffic")
    p.add_argument("--rounds", type=int, default=3, help="interleaved rounds (default 3)")
    p.add_argument("--duration", type=float, default=2.0, help="seconds a run (default 2)")
    p.add_argument("--out", default=os.path.join(ROOT, "build", "peers.json"), metavar="FILE", help="all raw data (default build/peers.json)")
    p.add_argument("--peers-dir", default=os.path.join(ROOT, "build", "peers"), metavar="DIR", help="where the others are installed")
    p.add_argument("--build-dir", default=os.path.join(ROOT, "build", "release"), metavar="DIR", help="where the binaries are")
    p.add_argument("--install-only", action="store_true", help="install and build the others, and measure nothing")
    return p.parse_args()


def machine():
    model = "unknown"
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        for line in f:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    node = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False).stdout.strip()
    return {"cpu": model, "cpus": len(os.sched_getaffinity(0)), "kernel": platform.release(), "python": platform.python_version(),
            "node": node, "load_before": os.getloadavg(), "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}


class Match:
    """Runs the cases and keeps every run."""

    def __init__(self, bench, args, servers):
        self.args, self.servers = args, servers
        self.load = Load(bench)
        self.runs, self.failed = [], {}

    def start(self):
        for s in list(self.servers):
            if s.name == "direct":
                continue
            try:
                s.start()
            except RuntimeError as e:
                procs.note(f"note: without {s.name}: {e}")
                self.servers.remove(s)
                continue
            for model, stream in TRAFFIC.values():  # what is compiled or loaded on the first calls is no part of the figures
                self.load.run(s, model, 1536, stream, 16, duration=2)

    def run(self, traffic, concurrency):
        model, stream = TRAFFIC[traffic]
        for number in range(self.args.rounds):
            procs.note(f"{traffic}/c{concurrency}: round {number + 1} of {self.args.rounds}")
            for s in self.servers:
                r = self.load.run(s, model, 1536, stream, concurrency, one_core=concurrency == 1, duration=self.args.duration, warmup=0.5)
                bad = r["errors"] + r["non_2xx"] + r["unfinished"]
                self.failed[s.name] = self.failed.get(s.name, 0) + bad
                self.runs.append({"case": f"{traffic}/c{concurrency}", "server": s.name, "round": number + 1, **r})

    def values(self, case, server, metric):
        read = {"requests_per_s": lambda r: r["requests_per_s"], "latency_p50": lambda r: r["latency_us"]["p50"],
                "latency_p95": lambda r: r["latency_us"]["p95"], "cpu_per_request": lambda r: r["cpu_us"]}[metric]
        found = [read(r) for r in self.runs if r["case"] == case and r["server"] == server and r["requests"]]
        return [v for v in found if v is not None]

    def figures(self):
        for case in dict.fromkeys(r["case"] for r in self.runs):
            for metric, unit in METRICS.items():
                ours = self.values(case, "penstock", metric)
                for peer in PEERS:
                    theirs = self.values(case, peer, metric)
                    if not theirs:
                        continue
                    a, b = statistics.median(ours), statistics.median(theirs)
                    yield {"bench": "peers", "case": case, "metric": metric, "unit": unit, "ours": round(a, 2), "peer": round(b, 2),
                           "peer_name": peer, "ratio": round(a / b, 3) if b else None}


def goals(figures):
    """30 % more throughput and 30 % less p95 than each gateway, where many call at once."""
    for f in figures:
        if f["peer_name"] == "direct" or f["case"].endswith("/c1"):
            continue
        if f["metric"] == "requests_per_s":
            yield f, f["ratio"] >= 1.3, ">= 1.3"
        elif f["metric"] == "latency_p95":
            yield f, f["ratio"] <= 0.7, "<= 0.7"


def show(figures):
    print(f"{'case':12} {'metric':16} {'unit':6} {'penstock':>10}" + "".join(f"{p:>15} {'ratio':>7}" for p in PEERS))
    rows = {}
    for f in figures:
        rows.setdefault((f["case"], f["metric"], f["unit"]), {})[f["peer_name"]] = f
    for (case, metric, unit), by in rows.items():
        ours = next(iter(by.values()))["ours"]
        cells = "".join(f"{by[p]['peer']:>15,.0f} {by[p]['ratio']:>7.2f}" if p in by else f"{'-':>15} {'':>7}" for p in PEERS)
        print(f"{case:12} {metric:16} {unit:6} {ours:>10,.0f}{cells}")
    print("\nGoals (throughput 1.3 times, p95 0.7 times that of each other gateway)")
    for f, met, goal in goals(figures):
        print(f"  {'met   ' if met else 'MISSED'}  {f['case']} {f['metric']} against {f['peer_name']}: {f['ratio']} (goal {goal})")


def measure(args, folder):
    max_fds = procs.raise_file_limit()
    about = machine()
    with procs.Children() as kids:
        bench = Bench(kids, folder, args.build_dir, about["cpus"], max_fds)
        others = {"litellm": Litellm, "portkey": Portkey}
        servers = [Direct(bench), Now(bench), *(others[n](bench, args.peers_dir) for n in args.peer or others)]
        if args.against:
            servers.append(Then(bench, args.peers_dir, ROOT, args.against))
        for s in servers[1:]:
            s.install()
        about["versions"] = {s.name: s.version() for s in servers[1:]}
        if args.install_only:
            return None, about
        os.sched_setaffinity(0, {bench.load_cpu})
        match = Match(bench, args, servers)
        match.start()
        for traffic in args.traffic or TRAFFIC:
            for concurrency in args.concurrency or CONCURRENCY:
                match.run(traffic, concurrency)
        about["load_after"] = os.getloadavg()
        return match, about


def main():
    args = parse_arguments()
    args.build_dir, args.peers_dir = os.path.abspath(args.build_dir), os.path.abspath(args.peers_dir)
    os.makedirs(args.peers_dir, exist_ok=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    folder = tempfile.mkdtemp(prefix="penstock-bench-")
    try:
        match, about = measure(args, folder)
    except RuntimeError as e:
        procs.note(f"error: {e}")
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if match is None:
        return 0
    figures = list(match.figures())
    with open(args.out, "w", encoding="utf-8") as f:
        json.dump({"bench": "peers", "about": about, "settings": {"rounds": args.rounds, "duration_s": args.duration, "warmup_s": 0.5},
                   "failed_requests": match.failed, "figures": figures, "runs": match.runs}, f, indent=1)
    if args.json:
        for figure in figures:
            print(json.dumps(figure))
    else:
        show(figures)
        print(f"\nraw data of {len(match.runs)} runs: {args.out}; requests that failed: {match.failed}")
    return 1 if match.failed.get("penstock") else 0


if __name__ == "__main__":
    sys.exit(main())
