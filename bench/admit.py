#!/usr/bin/env python3
"""Processor time of admitting a request: key, rights, five budgets reserved and settled; beside a mutex and a hash map,
and the same counting in a Redis script."""

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
GOAL_NS = 3000
# What a limiter in Redis does for a request: five counters checked and raised, then settled.
RESERVE = """for i = 1, 5 do if tonumber(redis.call('GET', KEYS[i]) or '0') + ARGV[1] > 4e15 then return 0 end end
for i = 1, 5 do redis.call('INCRBY', KEYS[i], ARGV[1]) redis.call('EXPIRE', KEYS[i], 60) end return 1"""
SETTLE = "for i = 1, 5 do redis.call('DECRBY', KEYS[i], ARGV[1]) end return 1"


def parse_arguments():
    p = argparse.ArgumentParser(prog="./dev bench admit", description=__doc__)
    p.add_argument("--json", action="store_true", help="print one JSON object a figure, and nothing else, on stdout")
    p.add_argument("--build-dir", default=os.path.join(ROOT, "build", "release"), metavar="DIR",
                   help="where the binaries are (default build/release)")
    return p.parse_args()


def command(*words):
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in map(str.encode, map(str, words)))


def redis_cpu(requests=20_000):
    """Processor time of Redis alone for one request's reserve and settle, in nanoseconds; None without Redis."""
    server = shutil.which("redis-server")
    if not server:
        return None
    folder = tempfile.mkdtemp(prefix="penstock-bench-")
    path = os.path.join(folder, "redis.sock")
    process = subprocess.Popen([server, "--port", "0", "--unixsocket", path, "--save", "", "--dir", folder],
                               stdout=subprocess.DEVNULL)
    try:
        for _ in range(500):
            if os.path.exists(path):
                break
            time.sleep(0.01)
        conn = socket.socket(socket.AF_UNIX)
        conn.connect(path)
        stream = conn.makefile("rb")

        def ask(*words):
            conn.sendall(command(*words))
            line = stream.readline()
            return stream.read(int(line[1:]) + 2).strip().decode() if line[:1] == b"$" else line.strip().decode()

        reserve, settle = ask("SCRIPT", "LOAD", RESERVE), ask("SCRIPT", "LOAD", SETTLE)
        keys = [[f"{scope}:{i}" for scope in ("tenant", "team", "project", "user", "key")] for i in range(50)]
        used = cpu_of(process.pid)
        for i in range(requests):
            if ask("EVALSHA", reserve, 5, *keys[i % 50], 700) != ":1":
                raise SystemExit("bench: Redis refused")
            ask("EVALSHA", settle, 5, *keys[i % 50], 188)
        return (cpu_of(process.pid) - used) / requests * 1e9
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(folder)


def cpu_of(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main():
    args = parse_arguments()
    folder = tempfile.mkdtemp(prefix="penstock-bench-")
    try:
        out = subprocess.run([os.path.join(args.build_dir, "bench", "bench_admit"), os.path.join(folder, "data")],
                             stdout=subprocess.PIPE, check=True, text=True).stdout
    finally:
        shutil.rmtree(folder)
    figures = {one["case"]: one["ours"] for one in map(json.loads, out.splitlines())}
    counting, plain = "five budgets, reserved and settled", figures.pop("mutex and map")
    peers = {counting: [("a mutex and a hash map", plain), ("Redis, its own time", redis_cpu())]}
    missed = figures["all of it"] > GOAL_NS
    for case, ours in figures.items():
        beside = [(name, value) for name, value in peers.get(case, []) if value] or [(None, None)]
        for name, peer in beside:
            ratio = round(ours / peer, 4) if peer else None
            if args.json:
                print(json.dumps({"bench": "admit", "case": case, "metric": "cpu", "unit": "ns", "ours": ours,
                                  "peer": peer and round(peer, 1), "peer_name": name, "ratio": ratio}), flush=True)
                continue
            goal = f"   goal <= {GOAL_NS} ns: {'MISSED' if missed else 'met'}" if case == "all of it" else ""
            against = f"   {name} {peer:,.0f} ns, ratio {ratio}" if peer else ""
            print(f"{case:50} {ours:>9,.1f} ns{against}{goal}", flush=True)
    return 1 if missed and not args.json else 0


if __name__ == "__main__":
    sys.exit(main())
