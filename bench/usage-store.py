#!/usr/bin/env python3
"""Records a second that the usage store takes durably, and how long reports take, beside one plain SQLite table."""

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
PEER = "one SQLite table"
FLAT = """CREATE TABLE flat AS SELECT u.id, u.ts, d.tenant_id, d.key_id, d.team_id, d.project_id, p.text AS provider,
 m.text AS model, e.text AS error, d.endpoint, d.status, u.flags, u.tokens_in, u.tokens_out, u.cost_nano, u.latency_us,
 u.ttft_us FROM ours.usage u JOIN ours.usage_dim d ON d.id = u.dim_id LEFT JOIN ours.name p ON p.id = d.provider_id
 LEFT JOIN ours.name m ON m.id = d.model_id LEFT JOIN ours.name e ON e.id = d.error_id"""
INDEXES = ("CREATE INDEX flat_ts ON flat (ts)", "CREATE INDEX flat_key ON flat (key_id, ts)",
           "CREATE INDEX flat_tenant ON flat (tenant_id, ts)")
SUMS = "count(*), sum(tokens_in), sum(tokens_out), sum(cost_nano), avg(latency_us)"
START, DAY = 1780272000000000000, 86400 * 10**9
QUERIES = {
    "sum by model": f"SELECT model, {SUMS} FROM flat GROUP BY 1",
    "sum by key": f"SELECT key_id, {SUMS} FROM flat GROUP BY 1",
    "sum by day of a tenant": f"SELECT ts / {DAY}, {SUMS} FROM flat WHERE tenant_id = 7 GROUP BY 1",
    "sum by hour of a week":
        f"SELECT ts / {DAY // 24}, {SUMS} FROM flat WHERE ts >= {START + 7 * DAY} AND ts < {START + 14 * DAY} GROUP BY 1",
    "sum by team of errors": f"SELECT team_id, {SUMS} FROM flat WHERE status >= 400 OR error IS NOT NULL GROUP BY 1",
    "newest 100": "SELECT * FROM flat ORDER BY ts DESC, id DESC LIMIT 100",
    "newest 100 of a key": "SELECT * FROM flat WHERE key_id = 77 ORDER BY ts DESC, id DESC LIMIT 100",
    "newest 100 of a key's errors":
        "SELECT * FROM flat WHERE key_id = 77 AND status >= 400 ORDER BY ts DESC, id DESC LIMIT 100",
    "100 slower than 4 s": "SELECT * FROM flat WHERE latency_us >= 4190000 ORDER BY ts DESC, id DESC LIMIT 100",
}


def parse_arguments():
    p = argparse.ArgumentParser(prog="./dev bench usage-store", description=__doc__)
    p.add_argument("--json", action="store_true", help="print one JSON object a figure, and nothing else, on stdout")
    p.add_argument("--records", type=int, default=10_000_000, help="how many (default 10,000,000)")
    p.add_argument("--dir", default=None, help="where the databases are made, some 4 GB (default: the temp folder)")
    p.add_argument("--build-dir", default=os.path.join(ROOT, "build", "release"), metavar="DIR",
                   help="where the binaries are (default build/release)")
    return p.parse_args()


def ours(program, folder, records, what):
    found = {}
    out = subprocess.run([program, folder, str(records), what], stdout=subprocess.PIPE, check=True, text=True).stdout
    for line in out.splitlines():
        one = json.loads(line)
        found[one["case"], one["metric"]] = one["ours"]
    return found


def peer_load(folder, sample):
    """Records a second of rows inserted as a service would: a transaction a batch, on the disk when it returns."""
    with contextlib.closing(sqlite3.connect(os.path.join(folder, "peer-load.db"), isolation_level=None)) as db:
        db.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL")
        db.execute(f"ATTACH '{folder}/penstock.db' AS ours")
        db.execute(FLAT + " LIMIT 0")
        for index in INDEXES:
            db.execute(index)
        rows = db.execute(FLAT.split("AS", 1)[1].strip() + f" LIMIT {sample}").fetchall()
        holes = ", ".join("?" * len(rows[0]))
        start = time.monotonic()
        for i in range(0, len(rows), 4000):
            db.execute("BEGIN IMMEDIATE")
            db.executemany(f"INSERT INTO flat VALUES ({holes})", rows[i:i + 4000])
            db.execute("COMMIT")
        return len(rows) / (time.monotonic() - start)


def peer_queries(folder):
    with contextlib.closing(sqlite3.connect(os.path.join(folder, "peer.db"), isolation_level=None)) as db:
        db.execute("PRAGMA cache_size=-32768")
        db.execute(f"ATTACH '{folder}/penstock.db' AS ours")
        db.execute(FLAT)
        for index in INDEXES:
            db.execute(index)
        for name, text in QUERIES.items():
            rounds = []
            for _ in range(3):
                start = time.monotonic()
                db.execute(text).fetchall()
                rounds.append((time.monotonic() - start) * 1000)
            yield name, statistics.median(rounds)


def main():
    args = parse_arguments()
    program = os.path.join(args.build_dir, "bench", "bench_usage_store")
    folder = tempfile.mkdtemp(prefix="penstock-bench-", dir=args.dir)
    missed = []

    def put(case, metric, unit, value, peer=None, goal=None, met=True):
        ratio = round(value / peer, 3) if peer else None
        if not met:
            missed.append(case)
        if args.json:
            print(json.dumps({"bench": "usage-store", "case": case, "metric": metric, "unit": unit, "ours": value,
                              "peer": peer, "peer_name": PEER if peer else None, "ratio": ratio}), flush=True)
            return
        beside = f"   {PEER} {peer:,.1f} {unit}, ratio {ratio}" if peer else ""
        verdict = f"   goal {goal}: {'met' if met else 'MISSED'}" if goal else ""
        print(f"{case:40} {value:>14,.1f} {unit:5}{beside}{verdict}", flush=True)

    try:
        loaded = ours(program, folder, args.records, "load")
        rate = loaded["load", "records_per_s"]
        put("records kept durably", "rate", "1/s", rate, peer_load(folder, min(args.records, 400_000)), ">= 50,000",
            rate >= 50_000)
        put("processor time a record", "cpu", "us", loaded["load", "cpu_per_record"])
        peers = dict(peer_queries(folder))
        for (case, metric), value in ours(program, folder, args.records, "query").items():
            if metric == "time":
                put(case, metric, "ms", value, peers.get(case), "<= 200 ms", value <= 200)
    finally:
        shutil.rmtree(folder)
    if missed and not args.json:
        print(f"missed: {', '.join(missed)}", file=sys.stderr)


if __name__ == "__main__":
    main()
