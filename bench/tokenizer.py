#!/usr/bin/env python3
"""MB of text into tokens a second of processor time, beside the vendors' programs on the same text in the same run, in turns."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tests", "integration"))
GOAL = 4.0  # times tiktoken, for the first case
CASES = [("o200k_base", "code and prose"), ("cl100k_base", "code and prose"), ("o200k_base", "all kinds"),
         ("llama3", "code and prose"), ("mistral", "code and prose"), ("gemma", "code and prose")]


def parse_arguments():
    p = argparse.ArgumentParser(prog="./dev bench tokenizer", description=__doc__)
    p.add_argument("--json", action="store_true", help="print one JSON object a case, and nothing else, on stdout")
    p.add_argument("--rounds", type=int, default=7, metavar="N", help="measure so often; the best counts (default 7)")
    p.add_argument("--mb", type=float, default=4, metavar="N", help="megabytes of text (default 4)")
    p.add_argument("--build-dir", default=os.path.join(ROOT, "build", "release"), metavar="DIR",
                   help="where the binaries are (default build/release)")
    p.add_argument("--peer", metavar="FILE", help=argparse.SUPPRESS)  # this script as the peer's process
    p.add_argument("--tokenizer", help=argparse.SUPPRESS)
    return p.parse_args()


def peer(args):
    """Seconds of processor time of the vendor's own program, a line for each line read."""
    import token_reference
    modules = os.path.join(os.environ.get("PENSTOCK_VOCABULARY_DIR", os.path.join(ROOT, "build", "vocabulary")), "node_modules")
    encode = token_reference.REFERENCES[args.tokenizer](modules, args.tokenizer)
    with open(args.peer, "rb") as f:
        text = f.read().decode("utf-8", "replace")
    for _ in sys.stdin:
        start = time.process_time()
        tokens = encode(text)
        print(time.process_time() - start, len(tokens), flush=True)


def texts(size):
    import token_corpus
    made = token_corpus.make(size)
    plain = (made["code"] + made["prose"]).decode("utf-8", "ignore")
    return {"code and prose": (plain * (size // max(1, len(plain)) + 1))[:size].encode(), "all kinds": b"".join(made.values())}


def measure(args, tokenizer, path):
    program = os.path.join(args.build_dir, "bench", "bench_tokenizer")
    python = os.environ.get("PENSTOCK_PYTHON", os.path.join(ROOT, "build", "python", "bin", "python3"))
    other = subprocess.Popen([python, os.path.abspath(__file__), "--tokenizer", tokenizer, "--peer", path], text=True,
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    listing, counting, theirs = [], [], []
    for _ in range(args.rounds):
        ours = json.loads(subprocess.check_output([program, tokenizer, path, "1"], text=True))
        other.stdin.write("\n")
        other.stdin.flush()
        seconds, tokens = other.stdout.readline().split()
        if int(tokens) != ours["tokens"]:
            sys.exit(f"bench: {tokenizer}: {ours['tokens']} tokens, not {tokens}")
        listing.append(ours["list_s"])
        counting.append(ours["count_s"])
        theirs.append(float(seconds))
    other.stdin.close()
    other.wait()
    mb = ours["bytes"] / 1e6
    return {"tokenizer": tokenizer, "bytes": ours["bytes"], "tokens": ours["tokens"], "list_mb_s": round(mb / min(listing), 1),
            "count_mb_s": round(mb / min(counting), 1), "peer_mb_s": round(mb / min(theirs), 2),
            "ratio": round(min(theirs) / min(listing), 2)}


def main():
    args = parse_arguments()
    if args.peer:
        return peer(args)
    if not args.json:
        print(f"{'tokenizer':<14}{'text':<16}{'tokens':>10}{'ids MB/s':>10}{'count MB/s':>12}{'vendor MB/s':>13}{'ratio':>8}")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name, text in texts(int(args.mb * 1e6)).items():
            with open(os.path.join(folder, name), "wb") as f:
                f.write(text)
        for tokenizer, name in CASES:
            row = {"text": name} | measure(args, tokenizer, os.path.join(folder, name))
            rows.append(row)
            if args.json:
                print(json.dumps(row), flush=True)
            else:
                print(f"{tokenizer:<14}{name:<16}{row['tokens']:>10,}{row['list_mb_s']:>10.1f}{row['count_mb_s']:>12.1f}"
                      f"{row['peer_mb_s']:>13.1f}{row['ratio']:>7.1f}x", flush=True)
    if rows[0]["ratio"] < GOAL:
        print(f"bench: {rows[0]['ratio']} times tiktoken's speed is less than the goal of {GOAL}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
