#!/usr/bin/env python3
"""What translation costs: a stream from an Anthropic provider to an OpenAI client beside the same stream relayed within OpenAI's
dialect; how fast bodies of 100 KB are scanned; and the tokenizer beside tiktoken."""

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile

from gwbench import procs
from gwbench.load import Load
from gwbench.proxies import Bench, Penstock

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
GOAL_CPU, GOAL_SCAN = 1.25, 1.0  # times the relay; GB/s
EVENTS = (16, 200)
CONCURRENCY = 64


def parse_arguments():
    p = argparse.ArgumentParser(prog="./dev bench translate", description=__doc__)
    p.add_argument("--json", action="store_true", help="print one JSON object a figure, and nothing else, on stdout")
    p.add_argument("--rounds", type=int, default=7, metavar="N", help="of each case, in turns (default 7)")
    p.add_argument("--seconds", type=float, default=2, help="of each measurement (default 2)")
    p.add_argument("--no-tokenizer", action="store_true", help="leave out ./dev bench tokenizer")
    p.add_argument("--build-dir", default=os.path.join(ROOT, "build", "release"), metavar="DIR",
                   help="where the binaries are (default build/release)")
    return p.parse_args()


def streams(args, folder):
    """Processor time a request, relayed and translated, of each length."""
    models = [name for n in EVENTS for name in (f"stream-{n}", f"a-stream-{n}")]
    rows, max_fds = [], procs.raise_file_limit()
    with procs.Children() as kids:
        bench = Bench(kids, folder, args.build_dir, len(os.sched_getaffinity(0)), max_fds)
        os.sched_setaffinity(0, {bench.load_cpu})
        load, server = Load(bench), Penstock(bench, models)
        server.start()
        for n in EVENTS:
            used = {"relayed": [], "translated": []}
            for i in range(args.rounds):
                procs.note(f"stream-{n}: round {i + 1} of {args.rounds}")
                for how, model in (("relayed", f"stream-{n}"), ("translated", f"a-stream-{n}")):
                    result = load.run(server, model, 1536, True, CONCURRENCY, duration=args.seconds, warmup=0.3)
                    used[how].append(result["cpu_us"])
            relayed, translated = (statistics.median(used[how]) for how in ("relayed", "translated"))
            rows.append({"case": f"stream-{n}", "relayed_us": round(relayed, 1), "translated_us": round(translated, 1),
                         "ratio": round(translated / relayed, 3)})
        server.stop()
    if load.failures:
        raise SystemExit("bench: some requests failed")
    return rows


def scan(args):
    """GB/s of the JSON scanner on a body of 100 KB, with the widest instructions here."""
    text = subprocess.check_output([os.path.join(args.build_dir, "bench", "bench_json")], text=True)
    line = next(line for line in text.splitlines() if line.startswith("prose 100 KB "))
    return max(float(v) for v in re.findall(r"([0-9.]+) GB/s", line))


def main():
    args = parse_arguments()
    args.build_dir = os.path.abspath(args.build_dir)
    folder = tempfile.mkdtemp(prefix="penstock-bench-")
    try:
        rows = streams(args, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    speed = scan(args)
    if args.json:
        for row in rows + [{"case": "json-scan-100k", "gb_s": speed}]:
            print(json.dumps(row), flush=True)
    else:
        for row in rows:
            print(f"{row['case']:<12} OpenAI to OpenAI {row['relayed_us']:7.1f} us   Anthropic to OpenAI "
                  f"{row['translated_us']:7.1f} us of processor time   ratio {row['ratio']:.2f} (goal {GOAL_CPU})")
        print(f"json-scan    {speed:.2f} GB/s of a 100 KB body (goal {GOAL_SCAN})", flush=True)
    missed = rows[-1]["ratio"] > GOAL_CPU or speed < GOAL_SCAN
    if not args.no_tokenizer:
        more = ["--json"] if args.json else []
        missed |= subprocess.call([sys.executable, os.path.join(ROOT, "bench", "tokenizer.py"), "--build-dir", args.build_dir,
                                   *more]) != 0
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
