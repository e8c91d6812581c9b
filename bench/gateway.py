#!/usr/bin/env python3
"""Pits Penstock against HAProxy, nginx and the direct call, side by side on one core."""

import argparse
import os
import shutil
import signal
import sys
import tempfile

from gwbench import procs, report
from gwbench.cases import CONCURRENCY, OTHERS, TRAFFIC, Gateway
from gwbench.load import Load
from gwbench.proxies import Bench

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CASES = list(TRAFFIC) + list(OTHERS)


def parse_arguments():
    p = argparse.ArgumentParser(prog="./dev bench gateway", description=__doc__,
                                epilog="cases: " + " ".join(CASES))
    p.add_argument("--json", action="store_true", help="print one JSON object a figure, and nothing else, on stdout")
    p.add_argument("--quick", action="store_true", help="short rounds and small counts: for a first look")
    p.add_argument("--full", action="store_true", help="soak with 2 million requests")
    p.add_argument("--case", action="append", choices=CASES, metavar="NAME", help="only this case (repeatable)")
    p.add_argument("--concurrency", action="append", type=int, choices=CONCURRENCY, metavar="N",
                   help="only this concurrency of 1, 64, 256 (repeatable)")
    p.add_argument("--rounds", type=int, help="interleaved rounds (default 3, quick 2)")
    p.add_argument("--duration", type=float, help="seconds a run (default 1.5, quick 0.5)")
    p.add_argument("--build-dir", default=os.path.join(ROOT, "build", "release"), metavar="DIR",
                   help="where the binaries are (default build/release)")
    p.add_argument("--no-penstock", action="store_true", help="measure the peers only")
    p.add_argument("--keep", action="store_true", help="keep the temp folder with configurations and logs")
    args = p.parse_args()
    if args.rounds is not None and args.rounds < 1:
        p.error("--rounds must be at least 1")
    return args


class Settings:
    """The sizes of a run."""

    def __init__(self, args, max_fds):
        quick = args.quick
        self.rounds = args.rounds or (2 if quick else 3)
        self.duration = args.duration or (0.5 if quick else 1.5)
        self.warmup = 0.1 if quick else 0.3
        self.concurrency = args.concurrency or CONCURRENCY
        self.idle_conns = 1000 if quick else 5000
        # A relayed stream takes two descriptors in the proxy, and nginx begins to drop connections
        # that rest when less than a sixteenth of its own is free.
        self.open_streams = min(1000 if quick else 10000, max_fds // 2 * 15 // 16 - 150)
        self.soak = 2_000_000 if args.full else 40_000 if quick else 200_000


def missing_tools(args):
    needed = [os.path.join(args.build_dir, "bench", n) for n in ("bench_mock", "bench_loadgen")]
    lost = [n for n in needed if not os.access(n, os.X_OK)]
    if lost:
        procs.note(f"error: {', '.join(lost)} missing; build them with\n"
                   f"  cmake --build {args.build_dir} --target bench_mock bench_loadgen")
    for name in ("haproxy", "nginx"):
        if not shutil.which(name) and not os.path.exists(f"/usr/sbin/{name}"):
            procs.note(f"error: {name} is not installed (apt-get install {name})")
            lost.append(name)
    return lost


def measure(args, folder, with_penstock):
    """Returns the samples and the names of servers that failed a request."""
    max_fds = procs.raise_file_limit()
    settings = Settings(args, max_fds)
    cpus = len(os.sched_getaffinity(0))
    if cpus < 2:
        procs.note("note: one CPU only: the load generator shares it with the proxies in every case")
    if settings.open_streams < 10000 and not args.quick:
        procs.note(f"note: the limit of {max_fds} open files allows {settings.open_streams} open streams")
    with procs.Children() as kids:
        bench = Bench(kids, folder, args.build_dir, cpus, max_fds)
        os.sched_setaffinity(0, {bench.load_cpu})
        load = Load(bench)
        gateway = Gateway(bench, load, settings, with_penstock)
        try:
            gateway.run(args.case or CASES)
        except KeyboardInterrupt:
            procs.note("interrupted: what follows is what was measured so far")
            load.failures.append("interrupted")
        return gateway.samples, load.failures


def main():
    args = parse_arguments()
    args.build_dir = os.path.abspath(args.build_dir)
    if missing_tools(args):
        return 2
    with_penstock = not args.no_penstock and os.access(os.path.join(args.build_dir, "penstock"), os.X_OK)
    if not with_penstock:
        procs.note("note: without Penstock: its binary is missing or --no-penstock was given")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    folder = tempfile.mkdtemp(prefix="penstock-bench-")
    try:
        samples, failures = measure(args, folder, with_penstock)
    except RuntimeError as e:
        procs.note(f"error: {e}")
        return 1
    finally:
        if args.keep:
            procs.note(f"kept {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    if args.json:
        report.print_json(samples, sys.stdout)
    else:
        report.print_table(samples, sys.stdout)
        report.print_goals(samples, sys.stdout)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
