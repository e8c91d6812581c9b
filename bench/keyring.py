#!/usr/bin/env python3
"""Time and memory of loading all keys, the rights of those who own them and the budgets; and of renewing them after a
change, beside loading all."""

import argparse
import json
import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# Keys and grants are of the first users, budgets of the first keys; delegated: so many of the grants come from others.
CASES = {
    "100k-owned": {"tenants": 200, "users": 100_000, "keys": 100_000, "grants": 100_000, "budgets": 10_000},
    "100k-delegated": {"tenants": 200, "users": 100_000, "keys": 100_000, "grants": 100_000, "delegated": 50_000},
    "1m-users": {"tenants": 200, "users": 1_000_000, "keys": 100_000, "grants": 1_000_000},
    "1m-grants": {"tenants": 200, "users": 100_000, "keys": 100_000, "grants": 1_000_000, "holders": 100_000},
}
NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 WHERE :n > 0 UNION ALL SELECT i + 1 FROM n WHERE i < :n) "
FILL = {
    "tenants": "INSERT INTO tenant (name, created_at, updated_at) SELECT 'tenant-' || i, 1, 1 FROM n",
    "users": "INSERT INTO app_user (tenant_id, created_at, updated_at, email)"
             " SELECT 2 + i % :tenants, 0, 0, 'u' || i || '@example.com' FROM n",
    "keys": "INSERT INTO api_key (tenant_id, name, hash, prefix, created_at, owner_kind, owner_id)"
            " SELECT 2 + i % :tenants, 'key-' || i, randomblob(32), 'ps-' || substr(hex(randomblob(6)), 1, 6), 1, 'user',"
            " i FROM n",
    "grants": "INSERT INTO access_grant (tenant_id, created_at, updated_at, principal_kind, principal_id, role, resource)"
              " SELECT 2 + (1 + i % :holders) % :tenants, 0, 0, 'user', 1 + i % :holders, 'developer',"
              " CASE i % 4 WHEN 0 THEN 'model/m' || i % 1000 ELSE '' END FROM n",
    # What the last users without keys hold is lent to the first ones.
    "delegated": "INSERT INTO access_grant (tenant_id, created_at, updated_at, principal_kind, principal_id, role,"
                 " granted_by_kind, granted_by_id, parent_id) SELECT 2 + (1 + i) % :tenants, 0, 0, 'user', 1 + i,"
                 " 'viewer', 'user', i, i FROM n",
    "budgets": "INSERT INTO budget (tenant_id, created_at, updated_at, name, scope_kind, scope_id, metric, period, amount)"
               " SELECT 2 + i % :tenants, 0, 0, 'budget-' || i, 'key', i, 'requests', 'day', 4000000000000000000 FROM n",
}


def parse_arguments():
    p = argparse.ArgumentParser(prog="./dev bench keyring", description=__doc__)
    p.add_argument("--case", choices=CASES, action="append", help="only this one; may be given several times")
    p.add_argument("--rounds", type=int, default=3, metavar="N", help="loads of each (default 3)")
    p.add_argument("--json", action="store_true", help="print one JSON object a figure, and nothing else, on stdout")
    p.add_argument("--build-dir", default=os.path.join(ROOT, "build", "release"), metavar="DIR",
                   help="where the binaries are (default build/release)")
    return p.parse_args()


def fill(path, sizes):
    """By one statement a table; a database that is the bench's alone need not survive a crash."""
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA synchronous = OFF")
    db.execute("BEGIN")
    more = {"tenants": sizes["tenants"], "holders": sizes.get("holders", sizes["users"])}
    for table, statement in FILL.items():
        if sizes.get(table):
            db.execute(statement.replace("SELECT", NUMBERS + "SELECT", 1), more | {"n": sizes[table]})
    db.execute("COMMIT")
    db.close()


def measure(program, folder, sizes, rounds):
    data = os.path.join(folder, "data")
    subprocess.run([program, data], check=True)
    fill(os.path.join(data, "penstock.db"), sizes)
    out = subprocess.run([program, data, str(rounds)], stdout=subprocess.PIPE, check=True, text=True).stdout
    figures = {}
    for one in map(json.loads, out.splitlines()):
        figures.setdefault((one["metric"], one["unit"]), []).append(one["ours"])
    return {name: statistics.median(values) for name, values in figures.items()}


def show(case, figures, as_json):
    whole = figures[("key ring", "ms")]
    for (metric, unit), ours in figures.items():
        peer = whole if metric.startswith("renewed") else None
        ratio = round(ours / peer, 5) if peer else None
        if as_json:
            print(json.dumps({"bench": "keyring", "case": case, "metric": metric, "unit": unit, "ours": ours, "peer": peer,
                              "peer_name": "key ring" if peer else None, "ratio": ratio}), flush=True)
        else:
            beside = f"   {ratio:.5f} x the key ring" if peer else ""
            print(f"{case:16}{metric:32}{ours:>12,.2f} {unit}{beside}", flush=True)


def main():
    args = parse_arguments()
    program = os.path.join(args.build_dir, "bench", "bench_keyring")
    for case in args.case or CASES:
        folder = tempfile.mkdtemp(prefix="penstock-bench-")
        try:
            show(case, measure(program, folder, CASES[case], args.rounds), args.json)
        finally:
            shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
