#!/usr/bin/env python3
"""Nanoseconds of processor time a byte that the search for personal data takes: texts, what is worst for it, whole bodies."""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tests", "integration"))


def parse_arguments():
    p = argparse.ArgumentParser(prog="./dev bench pii", description=__doc__)
    p.add_argument("--json", action="store_true", help="print one JSON object a case, and nothing else, on stdout")
    p.add_argument("--rounds", type=int, default=15, metavar="N", help="measure so often; the best counts (default 15)")
    p.add_argument("--build-dir", default=os.path.join(ROOT, "build", "release"), metavar="DIR",
                   help="where the binaries are (default build/release)")
    return p.parse_args()


def texts():
    import token_corpus
    made = token_corpus.make(4_000_000)
    rng = random.Random(1)
    table = " ".join(str(rng.randrange(10 ** rng.randrange(1, 12))) for _ in range(150_000))
    decimals = "\n".join(",".join(f"{rng.random() * 100:.{rng.randrange(8)}f}" for _ in range(8)) for _ in range(20_000))
    return {"prose": made["prose"], "code": made["code"], "scripts": made["scripts"], "table of numbers": table.encode(),
            "table of decimals": decimals.encode()}


def main():
    args = parse_arguments()
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for name, text in texts().items():
            paths.append(os.path.join(folder, name))
            with open(paths[-1], "wb") as f:
                f.write(text)
        done = subprocess.run([os.path.join(args.build_dir, "bench", "bench_pii"), str(args.rounds), *paths],
                              stdout=subprocess.PIPE, text=True, check=True)
    for line in done.stdout.splitlines():
        row = json.loads(line)
        if args.json:
            print(json.dumps({"bench": "pii", "case": f"{row['kind']}: {row['case']}", "metric": "time", "unit": "ns/byte",
                              "ours": row["ns_per_byte"], "peer": None, "peer_name": None, "ratio": None}), flush=True)
        else:
            print(f"{row['kind']:<9}{row['case']!a:<44}{row['ns_per_byte']:>10.2f} ns/byte{1000 / row['ns_per_byte']:>10,.0f} MB/s",
                  flush=True)


if __name__ == "__main__":
    main()
