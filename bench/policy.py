#!/usr/bin/env python3
"""Nanoseconds a permission decision takes on 10,000 and 100,000 grants, beside a scan of them and, with --peer, Cedar."""

import argparse
import json
import os
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
GOAL_NS = 1000  # on 10,000 grants


def parse_arguments():
    p = argparse.ArgumentParser(prog="./dev bench policy", description=__doc__)
    p.add_argument("--json", action="store_true", help="print one JSON object a figure, and nothing else, on stdout")
    p.add_argument("--peer", action="store_true", help="also build and time Cedar (needs cargo and its registry)")
    p.add_argument("--build-dir", default=os.path.join(ROOT, "build", "release"), metavar="DIR",
                   help="where the binaries are (default build/release)")
    return p.parse_args()


def cedar(build_dir, sizes):
    """Nanoseconds a decision of Cedar's, by number of policies; empty without cargo. Cedar looks at every policy it is
    given, so what is compared is one set of all grants; a caller of Cedar's could pick those of the principal first."""
    source, target = os.path.join(ROOT, "bench", "policy_cedar"), os.path.join(build_dir, "policy_cedar")
    if not shutil.which("cargo"):
        print("bench: no cargo here, so no Cedar", file=sys.stderr)
        return {}
    built = subprocess.run(["cargo", "build", "--release", "--quiet", "--locked", "--target-dir", target], cwd=source)
    if built.returncode != 0:
        print("bench: Cedar could not be built", file=sys.stderr)
        return {}
    program = os.path.join(target, "release", "policy_cedar")
    return {n: int(subprocess.check_output([program, str(n)], text=True)) for n in sizes}


def main():
    args = parse_arguments()
    program = os.path.join(args.build_dir, "bench", "bench_policy")
    rows = [json.loads(line) for line in subprocess.check_output([program], text=True).splitlines()]
    peer = cedar(args.build_dir, sorted({r["grants"] for r in rows})) if args.peer else {}
    if not args.json:
        print(f"{'case':<12}{'grants':>9}{'ns':>8}{'scan ns':>10}{'scan/ours':>11}{'Cedar ns':>12}{'Cedar/ours':>12}")
    for r in rows:
        other = peer.get(r["grants"]) if r["case"] == "spread" else None
        ratio = f"{other / r['ns']:,.0f}x" if other else "-"
        if args.json:
            print(json.dumps(r | {"scan_ratio": round(r["scan_ns"] / r["ns"], 1), "cedar_ns": other,
                                  "cedar_ratio": round(other / r["ns"], 1) if other else None}))
        else:
            print(f"{r['case']:<12}{r['grants']:>9,}{r['ns']:>8.0f}{r['scan_ns']:>10,.0f}{r['scan_ns'] / r['ns']:>10,.0f}x"
                  f"{other or '-':>12}{ratio:>12}")
    worst = max(r["ns"] for r in rows if r["grants"] == 10000)
    if worst > GOAL_NS:
        print(f"bench: {worst:.0f} ns is more than the goal of {GOAL_NS} ns", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
