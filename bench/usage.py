#!/usr/bin/env python3
"""How long a dashboard's questions about 100 million requests take, and the same of plain records, from a scan of fewer."""

import argparse
import contextlib
import json
import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
GOAL_MS = 200
PEER = "scan, scaled"
# What a scan of the records themselves takes, a request; the ones that are there are far fewer than those summed up.
SCANS = {
    "by model": "SELECT d.model_id, {sums} FROM usage u JOIN usage_dim d ON d.id = u.dim_id GROUP BY 1",
    "by key": "SELECT d.key_id, {sums} FROM usage u JOIN usage_dim d ON d.id = u.dim_id GROUP BY 1",
    "by day": "SELECT u.ts / 86400000000000, {sums} FROM usage u GROUP BY 1",
}
SUMS = "count(*), sum(tokens_in), sum(tokens_out), sum(cost_nano), sum(reference_nano), sum(latency_us)"


def parse_arguments():
    p = argparse.ArgumentParser(prog="./dev bench usage", description=__doc__)
    p.add_argument("--json", action="store_true", help="print one JSON object a figure, and nothing else, on stdout")
    p.add_argument("--millions", type=float, default=100, help="how many requests in 90 days (default 100)")
    p.add_argument("--dir", default=None, help="where the database is made, some 4 GB while it is made (default: the temp folder)")
    p.add_argument("--build-dir", default=os.path.join(ROOT, "build", "release"), metavar="DIR",
                   help="where the binaries are (default build/release)")
    return p.parse_args()


def lines_of(program, folder, millions, what):
    with subprocess.Popen([program, folder, str(millions), what], stdout=subprocess.PIPE, text=True) as p:
        for line in p.stdout:
            yield json.loads(line)
    if p.returncode:
        raise SystemExit(p.returncode)


def scans(folder, records):
    """Milliseconds a million records."""
    with contextlib.closing(sqlite3.connect(os.path.join(folder, "penstock.db"))) as db:
        db.execute("PRAGMA cache_size=-32768")
        for name, text in SCANS.items():
            rounds = []
            for _ in range(3):
                start = time.monotonic()
                db.execute(text.format(sums=SUMS)).fetchall()
                rounds.append((time.monotonic() - start) * 1000)
            yield name, statistics.median(rounds) / records * 1e6


def main():
    args = parse_arguments()
    program = os.path.join(args.build_dir, "bench", "bench_usage_report")
    folder = tempfile.mkdtemp(prefix="penstock-bench-", dir=args.dir)
    slow, busy, asked = [], [], 0
    try:
        made = next(lines_of(program, folder, args.millions, "make"))
        if not args.json:
            print(f"{made['requests']:,} requests in 90 days: {made['rows']:,} sums by hour; {made['records']:,} records; "
                  f"{os.path.getsize(os.path.join(folder, 'penstock.db')) / 1e6:,.0f} MB; "
                  f"sums of facets made of those by hour in {made['migration_cpu_s']:,.0f} s of processor time")
        scan = dict(scans(folder, made["records"]))
        for r in lines_of(program, folder, args.millions, "ask"):
            per_million = scan.get(r["case"].split(",")[0])
            peer = round(per_million * r["requests"] / 1e6, 1) if per_million else None
            asked += 1
            busy.append((r["cpu"], r["case"]))
            if r["ms"] > GOAL_MS:
                slow.append(r["case"])
            if args.json:
                print(json.dumps({"bench": "usage", "case": r["case"], "metric": "p50", "unit": "ms", "ours": r["ms"],
                                  "cpu_ms": r["cpu"], "worst": r["worst"], "peer": peer, "peer_name": PEER if peer else None,
                                  "ratio": round(r["ms"] / peer, 5) if peer else None}), flush=True)
                continue
            beside = f"   {PEER}: {peer:,.0f} ms, {peer / r['ms']:,.0f} times as long" if peer else ""
            print(f"{r['case']:34} {r['ms']:8.1f} ms  processor {r['cpu']:8.1f} ms  worst {r['worst']:8.1f} ms"
                  f"{'   MISSED' if r['ms'] > GOAL_MS else ''}{beside}", flush=True)
    finally:
        shutil.rmtree(folder)
    if not args.json:
        print(f"{asked - len(slow)} of {asked} questions in {GOAL_MS} ms or less; with a processor to itself "
              f"{sum(cpu <= GOAL_MS for cpu, _ in busy)}, the slowest {max(busy)[0]:.0f} ms ({max(busy)[1]})")
    if slow and not args.json:
        print(f"missed: {'; '.join(slow)}", file=sys.stderr)


if __name__ == "__main__":
    main()
