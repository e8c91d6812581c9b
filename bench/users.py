#!/usr/bin/env python3
"""What a million users and ten million records of usage on disk do to signing in, to the pages of users, to the check of
keys and to reports: each request beside the same one on a server with ten users."""

import argparse
import ctypes
import ctypes.util
import http.client
import json
import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

import keyring
from gwbench import procs

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PASSWORD = "a-Horse-of-9731-gates"
GOALS = {"sign-in without": 50, "page of users": 100, "search of users": 100, "dashboard": 100}
# Half of the users are in the first tenant, whose pages are asked for.
USERS = ("INSERT INTO app_user (tenant_id, created_at, updated_at, email, name, password_hash, password_at)"
         " SELECT CASE i % 2 WHEN 0 THEN 2 ELSE 2 + i % :tenants END, i, i, 'u' || i || '@example.com', 'User ' || i, :hash, 1"
         " FROM n")

# Ten million records: a month of 600 combinations of key and model, in 50 tenants, and what they add up to.
DIMS, HOURS, START = 600, 720, 1780272000000000000  # 2026-06-01
SUMS = ("SELECT 2 + d.i % 50, t.i + :begin, {dim}, :each * {n}, 0, :each * 700 * {n}, 0, 0, :each * 200 * {n}, 0,"
        " :each * 1000000 * {n}, :each * 900000 * {n}, :each * 90000 * {n}, :each * {n}")
USAGE = (
    "INSERT INTO name (id, text) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 16)"
    " SELECT 1000 + i, 'name-' || i FROM n",
    "INSERT INTO usage_dim (id, tenant_id, key_id, team_id, project_id, owner_kind, owner_id, provider_id, model_id,"
    " upstream_model_id, endpoint, status, error_id, tags_id) WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n"
    " WHERE i < :dims - 1) SELECT 1 + i, 2 + i % 50, 1 + i / 3, 0, 0, 0, 0, 1001 + i % 4, 1005 + i % 12, 1005 + i % 12, 1, 200,"
    " 0, 0 FROM n",
    "INSERT INTO usage WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < :records - 1)"
    " SELECT (1 << 40) + i, 2 + i * 7919 % :dims % 50, :start + i * :step, 1 + i * 7919 % :dims, 1, 700, 0, 0, 200, 0, 1000000,"
    " 900000, 90000, 0, 0 FROM n",
    *("INSERT INTO " + table + " WITH RECURSIVE t(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM t WHERE i < :spans - 1), d(i) AS"
      " (SELECT 0 UNION ALL SELECT i + 1 FROM d WHERE i < " + count + " - 1) " + SUMS.format(dim=dim, n=n) + " FROM t, d"
      for table in ("usage_hour", "usage_day") for count, dim, n in ((":dims", "1 + d.i", "1"), ("50", "0", "(:dims / 50)"))),
)


def parse_arguments():
    p = argparse.ArgumentParser(prog="./dev bench users", description=__doc__)
    p.add_argument("--json", action="store_true", help="print one JSON object a figure, and nothing else, on stdout")
    p.add_argument("--users", type=int, default=1_000_000, help="how many (default 1,000,000)")
    p.add_argument("--records", type=int, default=10_000_000, help="of usage (default 10,000,000)")
    p.add_argument("--rounds", type=int, default=50, help="of each request (default 50)")
    p.add_argument("--dir", default=None, help="where the database is made, some 5 GB (default: the temp folder)")
    p.add_argument("--build-dir", default=os.path.join(ROOT, "build", "release"), metavar="DIR",
                   help="where the binaries are (default build/release)")
    return p.parse_args()


def argon2id_ms(password_hash, rounds=20):
    """Processor time of one verification of the hash, in libsodium alone; None without it."""
    name = ctypes.util.find_library("sodium")
    if not name:
        return None
    sodium = ctypes.CDLL(name)
    sodium.sodium_init()
    text, password = password_hash.encode(), PASSWORD.encode()
    times = []
    for _ in range(rounds):
        began = time.thread_time()
        if sodium.crypto_pwhash_str_verify(text, password, ctypes.c_ulonglong(len(password))) != 0:
            raise RuntimeError("libsodium does not know the server's hash")
        times.append(time.thread_time() - began)
    return statistics.median(times) * 1e3


class Server:
    def __init__(self, kids, folder, build_dir):
        self.kids, self.folder, self.binary = kids, folder, os.path.join(build_dir, "penstock")
        os.makedirs(folder, exist_ok=True)
        self.data, self.port = os.path.join(folder, "data"), procs.free_port()
        self.env = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": folder}

    def key(self, *words):
        made = subprocess.run([self.binary, "key", "create", *words, "--data", self.data, "--json"], capture_output=True,
                              text=True, env=self.env, timeout=60, check=True)
        return json.loads(made.stdout)["key"]

    def start(self):
        log = os.path.join(self.folder, "log")
        serve = [self.binary, "serve", "--data", self.data, "--listen", f"127.0.0.1:{self.port}", "--workers", "1"]
        began = time.monotonic()
        self.process = self.kids.start(serve, 0, log, env=self.env)
        os.sched_setaffinity(self.process.pid, range(len(os.sched_getaffinity(0))))
        if procs.wait_ready(self.process, self.port, timeout=120) is None:
            with open(log, encoding="utf-8") as f:
                raise RuntimeError("penstock did not start: " + f.read()[-2000:])
        self.ready_s = time.monotonic() - began
        self.conn = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def stop(self):
        self.conn.close()
        self.kids.stop(self.process)

    def ask(self, method, path, key, body=None, tenant=None):
        headers = {"Content-Type": "application/json"}
        if key:
            headers["Authorization"] = "Bearer " + key
        if tenant:
            headers["X-Penstock-Tenant"] = tenant
        self.conn.request(method, path, json.dumps(body) if body is not None else None, headers)
        reply = self.conn.getresponse()
        text = reply.read()
        if reply.status >= 300:
            raise RuntimeError(f"{method} {path}: {reply.status} {text[:500]}")
        return json.loads(text) if text[:1] in (b"{", b"[") else None

    def cpu_ms(self):
        return time.clock_gettime((~self.process.pid << 3) | 2) * 1e3  # all threads of the server

    def time(self, rounds, request):
        """Milliseconds of each, and of the server's processor time the mean; request(i) gives the arguments of ask."""
        self.ask(*request(0))
        times, cpu = [], self.cpu_ms()
        for i in range(1, rounds + 1):
            arguments = request(i)
            began = time.perf_counter()
            self.ask(*arguments)
            times.append((time.perf_counter() - began) * 1e3)
        return times, (self.cpu_ms() - cpu) / rounds


def seed(server):
    """A tenant, whose user's password gives the hash that all users get."""
    operator = server.key("--admin")
    server.start()
    server.ask("POST", "/api/v1/tenants", operator, {"name": "tenant-0"})
    user = server.ask("POST", "/api/v1/users", operator, {"email": "seed@example.com"}, "tenant-0")
    server.ask("POST", f"/api/v1/users/{user['id']}/password", operator, {"password": PASSWORD, "must_change": False},
               "tenant-0")
    server.stop()
    db = sqlite3.connect(os.path.join(server.data, "penstock.db"))
    (found,) = db.execute("SELECT password_hash FROM app_user").fetchone()
    db.close()
    return operator, found


def fill(server, users, password_hash):
    db = sqlite3.connect(os.path.join(server.data, "penstock.db"), isolation_level=None)
    db.execute("PRAGMA synchronous = OFF")
    db.execute("BEGIN")
    tenants = min(200, users)
    more = {"tenants": tenants, "holders": users, "hash": password_hash}
    for text, n in ((keyring.FILL["tenants"], tenants - 1), (USERS, users), (keyring.FILL["grants"], users),
                    (keyring.FILL["keys"], min(users, 10_000))):
        db.execute(text.replace("SELECT", keyring.NUMBERS + "SELECT", 1), more | {"n": n})
    db.execute("COMMIT")
    db.close()


def fill_usage(server, records):
    db = sqlite3.connect(os.path.join(server.data, "penstock.db"), isolation_level=None)
    db.execute("PRAGMA synchronous = OFF")
    db.execute("PRAGMA cache_size = -200000")
    db.execute("BEGIN")
    for text in USAGE:
        hours = "usage_hour" in text
        spans = HOURS if hours else HOURS // 24
        numbers = {"dims": DIMS, "records": records, "start": START, "step": HOURS * 3600 * 10**9 // records, "spans": spans,
                   "begin": START // 10**9 // (3600 if hours else 86400), "each": max(1, records // spans // DIMS)}
        db.execute(text, {name: value for name, value in numbers.items() if ":" + name in text})
    db.execute("COMMIT")
    db.close()


def requests(operator, key, users):
    """name -> the arguments of one request."""
    def odd(i):  # users of the first tenant, all over the table
        return 2 * (1 + i * 7919 % (users // 2))

    def page(query, i):
        return "GET", f"/api/v1/users?limit=100{query(i)}", operator, None, "tenant-0"

    def sums(query):
        return lambda i: ("GET", f"/api/v1/usage/sums?{query}", operator, None, "tenant-6" if users > 100 else "tenant-0")
    return {
        "sign-in": lambda i: ("POST", "/api/v1/session", None, {"email": f"u{odd(i)}@example.com", "password": PASSWORD,
                                                                "tenant": "tenant-0"}),
        "page of users": lambda i: page(lambda _: "", i),
        "page of users, by name, from the end": lambda i: page(lambda _: "&sort=-name", i),
        "page of users, by creation": lambda i: page(lambda _: "&sort=-created_at", i),
        "search of users, an address": lambda i: page(lambda n: f"&email=u{odd(n)}@example.com", i),
        "search of users, a word": lambda i: page(lambda n: f"&q=u{odd(n)}", i),
        "search of users, by status": lambda i: page(lambda _: "&status=active", i),
        "one user": lambda i: ("GET", f"/api/v1/users/u{odd(i)}@example.com", operator, None, "tenant-0"),
        "check of a key": lambda _: ("GET", "/v1/models", key),
        "dashboard, by day": sums("by=day"),
        "dashboard, by model": sums("by=model"),
        "dashboard, by key": sums("by=key"),
        "dashboard, by hour of a week": sums("by=hour&since=2026-06-08T00:00:00Z&until=2026-06-15T00:00:00Z"),
        "dashboard, newest records": lambda i: ("GET", "/api/v1/usage?limit=100", operator, None,
                                                "tenant-6" if users > 100 else "tenant-0"),
    }


def measure(args, folder, users, records):
    with procs.Children() as kids:
        server = Server(kids, folder, args.build_dir)
        operator, password_hash = seed(server)
        fill(server, users, password_hash)
        if records:
            fill_usage(server, records)
            procs.note(f"{records:,} records of usage are there")
        procs.note(f"{users:,} users are there")
        key = server.key("--name", "bench")
        server.start()
        out = {name: server.time(args.rounds, one) for name, one in requests(operator, key, users).items()}
        out["start of the server"] = [server.ready_s * 1e3], None
        with open(f"/proc/{server.process.pid}/status", encoding="ascii") as f:
            rss = next(int(line.split()[1]) for line in f if line.startswith("VmRSS:")) / 1024
        server.stop()
        return out, rss, argon2id_ms(password_hash)


def show(args, many, few):
    (many, many_rss, argon), (few, few_rss, _) = many, few
    missed = False

    def put(case, metric, unit, ours, peer):
        nonlocal missed
        ratio = round(ours / peer, 3) if peer else None
        judged = metric == ("cpu" if case.startswith("sign-in") else "p50")
        goal = next((g for name, g in GOALS.items() if judged and case.startswith(name)), None)
        missed |= bool(goal and ours > goal)
        if args.json:
            print(json.dumps({"bench": "users", "case": case, "metric": metric, "unit": unit, "ours": round(ours, 3),
                              "peer": peer and round(peer, 3), "peer_name": "ten users", "ratio": ratio}), flush=True)
            return
        verdict = f"   goal <= {goal} ms: {'met' if ours <= goal else 'MISSED'}" if goal else ""
        beside = f"   with ten users {peer:9,.2f} {unit}, ratio {ratio:.2f}" if peer else ""
        print(f"{case:38}{metric:4}{ours:10,.2f} {unit}{beside}{verdict}", flush=True)

    for case, (times, cpu) in many.items():
        for metric, pick in (("p50", 50), ("p95", 95)):
            def quantile(values, pick=pick):
                return sorted(values)[min(len(values) - 1, len(values) * pick // 100)]
            put(case, metric, "ms", quantile(times), quantile(few[case][0]))
        if cpu:
            put(case, "cpu", "ms", cpu, few[case][1])
        if case == "sign-in" and argon:
            put("sign-in without Argon2id", "cpu", "ms", max(0.0, cpu - argon), max(0.0, few[case][1] - argon))
            put("Argon2id alone", "cpu", "ms", argon, None)
    put("memory (RSS)", "", "MiB", many_rss, few_rss)
    return missed


def main():
    args = parse_arguments()
    folder = tempfile.mkdtemp(prefix="penstock-bench-", dir=args.dir)
    try:
        few = measure(args, os.path.join(folder, "few"), 10, 0)
        many = measure(args, os.path.join(folder, "many"), args.users, args.records)
        missed = show(args, many, few)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if missed and not args.json else 0


if __name__ == "__main__":
    sys.exit(main())
