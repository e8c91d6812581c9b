#!/usr/bin/env python3
"""Loads the audit trail with events and times appending, every kind of search, and verifying, beside peers: the same
searches over a JSON lines file with grep, and over a plain SQLite table without indexes."""

import argparse
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
GOAL_MS = 200
# A search of ours, and what finds the same in a line of JSON and in a table without indexes.
PEERS = {
    "resource": ('"resource_id":"key_0000000004711"', "resource_id = 'key_0000000004711'"),
    "actor, none": ('nobody@example.com', "actor_name = 'nobody@example.com'"),
    "outcome": ('"outcome":2', "outcome = 2"),
    "words": ("word4711", "reason LIKE '%word4711%'"),
}


def parse_arguments():
    p = argparse.ArgumentParser(prog="./dev bench audit", description=__doc__)
    p.add_argument("--json", action="store_true", help="print one JSON object a figure, and nothing else, on stdout")
    p.add_argument("--events", type=int, default=1000000, help="how many (default 1,000,000; 800 bytes of disk each)")
    p.add_argument("--data", metavar="DIR", help="keep the data here; one that is there already is only searched")
    p.add_argument("--build-dir", default=os.path.join(ROOT, "build", "release"), metavar="DIR",
                   help="where the binaries are (default build/release)")
    return p.parse_args()


def show(o, figure):
    if o.json:
        print(json.dumps(figure), flush=True)
        return
    beside = f"   {figure['peer_name']} {figure['peer']} {figure['unit']}" if figure["peer"] else ""
    print(f"{figure['case']:24} {figure['metric']:22} {figure['ours']:>12} {figure['unit']}{beside}", flush=True)


def timed(run):
    begin = time.monotonic()
    run()
    return round((time.monotonic() - begin) * 1000, 2)


def peers(o, data, figures):
    """The first figure of each compared search gets what the peers took."""
    flat, table = os.path.join(data, "flat.jsonl"), os.path.join(data, "flat.db")
    source = sqlite3.connect(f"file:{data}/penstock.db?mode=ro", uri=True)
    columns = "seq, at, outcome, actor_id, actor_name, action, resource_type, resource_id, address, reason, after_json"
    db = sqlite3.connect(table, isolation_level=None)
    db.execute("PRAGMA journal_mode=OFF")
    db.execute("PRAGMA synchronous=OFF")
    db.execute(f"CREATE TABLE event ({columns})")
    db.execute("BEGIN")
    names = columns.split(", ")
    with open(flat, "w", encoding="utf-8") as f:
        for row in source.execute(f"SELECT {columns} FROM audit_event WHERE tenant_id = 1"):
            f.write(json.dumps(dict(zip(names, row)), separators=(",", ":")) + "\n")
            db.execute(f"INSERT INTO event VALUES ({','.join('?' * len(names))})", row)
    db.execute("COMMIT")
    for case, (text, condition) in PEERS.items():
        ours = next(f["ours"] for f in figures if f["case"] == case and f["metric"] == "first")
        grep = timed(lambda: subprocess.run(["grep", "-F", text, flat], stdout=subprocess.DEVNULL,
                                            env={**os.environ, "LC_ALL": "C"}, check=False))
        scan = timed(lambda: db.execute(f"SELECT * FROM event WHERE {condition} ORDER BY at DESC LIMIT 100").fetchall())
        for name, peer in (("grep over JSON lines", grep), ("SQLite without index", scan)):
            show(o, {"bench": "audit", "case": case, "metric": f"beside {name.split()[0]}", "unit": "ms", "ours": ours,
                     "peer": peer, "peer_name": name, "ratio": round(ours / peer, 5) if peer else None})
    db.close()
    os.remove(flat)
    os.remove(table)


def main():
    o = parse_arguments()
    data = o.data or tempfile.mkdtemp(prefix="penstock-bench-")
    program = [os.path.join(o.build_dir, "bench", "bench_audit"), data, str(o.events)]
    if os.path.exists(os.path.join(data, "penstock.db")):
        program.append("search")
    figures = []
    try:
        with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as run:
            for line in run.stdout:
                figures.append(json.loads(line))
                show(o, figures[-1])
        if run.returncode:
            sys.exit(run.returncode)
        peers(o, data, figures)
    finally:
        if not o.data:
            shutil.rmtree(data, ignore_errors=True)
    slow = [f"{f['case']}: {f['ours']} ms" for f in figures if f["metric"] == "worst of five" and f["ours"] > GOAL_MS]
    print(f"searches over {GOAL_MS} ms: {', '.join(slow) or 'none'}", file=sys.stderr)
    sys.exit(1 if slow else 0)


if __name__ == "__main__":
    main()
