#!/usr/bin/env python3
"""What routing costs and brings: overhead with 50 targets, a faulty fleet, coalescing, hedging, least busy, latency, complexity."""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

from gwbench import procs
from gwbench.fleet import Fleet

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def provider(name, port, **more):
    return {"name": name, "kind": "openai", "base_url": f"http://127.0.0.1:{port}/v1", "api_key": "x", **more}


def model(name, targets, strategy="weighted", **routing):
    return {"name": name, "strategy": strategy, "targets": [{"provider": p, "model": m, **more} for p, m, more in targets],
            "routing": routing}


class Bench:
    def __init__(self, fleet, args):
        self.fleet, self.args, self.results = fleet, args, []

    def tell(self, case, metric, unit, ours, good=None, goal=None):
        self.results.append(good is not False)
        if self.args.json:
            print(json.dumps({"bench": "routing", "case": case, "metric": metric, "unit": unit, "ours": ours, "peer": None,
                              "peer_name": None, "ratio": None, "goal": goal, "met": good}), flush=True)
        else:
            verdict = "" if good is None else f"   goal {goal}: {'met' if good else 'MISSED'}"
            print(f"{case:34} {metric:24} {ours:>12,} {unit}{verdict}", flush=True)

    def inside(self, *args):
        done = subprocess.run([os.path.join(self.args.build_dir, "bench", "bench_route"), *args], stdout=subprocess.PIPE,
                              text=True, check=True)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def overhead(self):
        """CPU of a call with 50 targets, a condition on each second, breakers on, less that of one with a single target."""
        for r in self.inside():
            fifty = "50" in r["case"]
            self.tell(r["case"], r["metric"], r["unit"], r["ours"], r["ours"] <= 3000 if fifty else None, "<= 3,000 ns")
        port = self.fleet.mock()
        def fifty(name, when):
            return model(name, [(f"p{i % 10}", f"plain-{1000 + i}", {"when": when} if i % 2 else {}) for i in range(50)])

        # A prompt is counted, which is no part of choosing, where its size does not tell what a condition asks.
        models = [model("one", [("p0", "plain-1k", {})]), fifty("many", 'endpoint == "chat" && model != "other"'),
                  fifty("far", 'tokens < 32000'), fifty("counted", 'tokens < 1000')]
        self.fleet.serve({"providers": [provider(f"p{i}", port) for i in range(10)], "models": models})
        cpu = {m["name"]: [] for m in models}
        for _ in range(9):
            for name, rounds in cpu.items():
                r = self.fleet.load(name, 64, requests=20_000, warmup=0.1)
                rounds.append(r["watched"][0]["cpu_ns"] / r["requests"] / 1000)
        one, many, far, counted = (min(rounds) for rounds in cpu.values())  # what else runs here only adds
        self.tell("a call, 1 target", "cpu_per_request", "us", round(one, 2))
        self.tell("a call, 50 targets", "cpu_per_request", "us", round(many, 2))
        self.tell("a call, 50 targets", "cpu_added", "us", round(many - one, 2), many - one <= 3, "<= 3 us")
        self.tell("a call, 50 targets, by tokens", "cpu_added", "us", round(far - one, 2), far - one <= 3, "<= 3 us")
        self.tell("the same, near the limit", "cpu_added", "us", round(counted - one, 2))

    def faults(self):
        """Five targets that fail 30 % of calls in nine ways, and one that is well."""
        calls = self.args.requests
        waits = {"timeouts": {"first_byte": "500ms", "idle": "500ms"}}
        for case, breaker in (("faulty fleet", {}), ("faulty fleet, no breakers", {"failures": 0, "error_rate": 1})):
            port = self.fleet.mock()
            targets = [(f"p{i}", "faulty-300" if i < 5 else "plain-1k", {}) for i in range(6)]
            self.fleet.serve({"providers": [provider(f"p{i}", port, **(waits if i < 5 else {})) for i in range(6)], "models": [
                model("fleet", targets, "round_robin", retry={"attempts": 12, "share": 1}, breaker=breaker)]})
            r = self.fleet.load("fleet", 64, requests=calls)
            stats, told = self.fleet.stats(port), sum(self.fleet.attempts().values())
            ledger = json.loads(self.fleet.cli("usage", "--json", "--by", "model"))
            failed = sum(v for k, v in stats["faults"].items() if k != "none")
            even = stats["requests"] == told == ledger["attempts"] and ledger["requests"] == calls
            self.tell(case, "requests", "", r["requests"])
            self.tell(case, "calls_that_failed", "", failed)
            self.tell(case, "failures_seen_by_clients", "", r["failed"], r["failed"] == 0, "0")
            self.tell(case, "attempts_unaccounted", "", abs(stats["requests"] - told) + abs(told - ledger["attempts"]), even, "0")

    def coalesce(self):
        port = self.fleet.mock()
        self.fleet.serve({"providers": [provider("p0", port)], "models": [
            model("same", [("p0", "node", {})], coalesce="all")]})
        self.fleet.delay(port, 2_000_000)
        r = self.fleet.load("same", 1000, requests=1000)
        calls = self.fleet.stats(port)["requests"]
        self.tell("1,000 identical calls", "upstream_calls", "", calls, calls == 1 and not r["failed"], "1")

    def hedge(self):
        """Two targets that answer in 5 ms, and 1.3 % of calls in 500 ms: with 1.0 % the percentile would be one or the other."""
        seen = {}
        for case, share in (("no hedging", 0), ("hedging", 0.02)):
            port = self.fleet.mock()
            self.fleet.delay(port, 5000)
            self.fleet.serve({"providers": [provider("p0", port), provider("p1", port)], "models": [
                model("slow", [("p0", "tail-13-500", {}), ("p1", "tail-13-500", {})],
                      hedge={"share": share, "after": "25ms"})]})
            r = self.fleet.load("slow", 32, requests=20000)
            seen[case] = r["latency_us"]["p99"] / 1000, self.fleet.stats(port)["requests"] / r["requests"] - 1
            self.tell(case, "latency_p99", "ms", round(seen[case][0], 1))
        cut = 100 * (1 - seen["hedging"][0] / seen["no hedging"][0])
        self.tell("hedging", "p99_cut", "%", round(cut, 1), cut >= 50, ">= 50 %")
        extra = 100 * seen["hedging"][1]
        self.tell("hedging", "extra_calls", "%", round(extra, 2), extra <= 2, "<= 2 %")

    def nodes(self, strategy):
        ports = [self.fleet.mock() for _ in range(4)]
        self.fleet.serve({"providers": [provider(f"p{i}", port) for i, port in enumerate(ports)], "models": [
            model("nodes", [(f"p{i}", "queue", {}) for i in range(4)], strategy)]})
        return ports

    def busy(self):
        """Four nodes that work on one call at a time, one of them ten times as slow."""
        p99 = {}
        for strategy in ("round_robin", "least_busy"):
            for i, port in enumerate(self.nodes(strategy)):
                self.fleet.delay(port, 10000 if i == 0 else 1000)
            r = self.fleet.load("nodes", 32, requests=4000)
            p99[strategy] = r["latency_us"]["p99"] / 1000
            self.tell(strategy, "latency_p99", "ms", round(p99[strategy], 1))
        self.tell("least_busy against round_robin", "p99_cut", "%",
                  round(100 * (1 - p99["least_busy"] / p99["round_robin"]), 1), p99["least_busy"] < p99["round_robin"], "> 0 %")

    def latency(self):
        """One of four mocks becomes slow under load; how much it still gets after ten seconds."""
        ports = [self.fleet.mock() for _ in range(4)]
        for port in ports:
            self.fleet.delay(port, 5000)
        self.fleet.serve({"providers": [provider(f"p{i}", port) for i, port in enumerate(ports)], "models": [
            model("nodes", [(f"p{i}", "node", {}) for i in range(4)], "latency")]})
        counts = []

        def look():
            time.sleep(3)
            self.fleet.delay(ports[0], 200_000)
            for pause in (10, 4):
                time.sleep(pause)
                counts.append([self.fleet.stats(port)["requests"] for port in ports])

        watcher = threading.Thread(target=look)
        watcher.start()
        self.fleet.load("nodes", 64, duration=18, rate=1500)
        watcher.join()
        given = [b - a for a, b in zip(*counts)]
        away = 100 * (1 - given[0] / (sum(given) / 4)) if sum(given) else 0
        self.tell("a slowed mock, latency strategy", "traffic_moved_away", "%", round(away, 1), away >= 95, ">= 95 %")

    def complexity(self):
        for r in self.inside("complexity", os.path.join(ROOT, "tests", "data", "complexity", "prompts.tsv")):
            self.tell(r["case"], r["metric"], r["unit"], r["ours"])


CASES = ("overhead", "faults", "coalesce", "hedge", "busy", "latency", "complexity")


def main():
    p = argparse.ArgumentParser(prog="./dev bench routing", description=__doc__)
    p.add_argument("--json", action="store_true", help="print one JSON object a figure, and nothing else, on stdout")
    p.add_argument("--case", action="append", choices=CASES, help="only this case (repeatable)")
    p.add_argument("--requests", type=int, default=100_000, help="to the faulty fleet (default 100,000)")
    p.add_argument("--build-dir", default=os.path.join(ROOT, "build", "release"), metavar="DIR",
                   help="where the binaries are (default build/release)")
    args = p.parse_args()
    args.build_dir = os.path.abspath(args.build_dir)
    procs.raise_file_limit()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    folder = tempfile.mkdtemp(prefix="penstock-bench-")
    try:
        with procs.Children() as kids:
            bench = Bench(Fleet(kids, folder, args.build_dir), args)
            for case in args.case or CASES:
                getattr(bench, case)()
            return 0 if all(bench.results) else 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
