"""Builds the request bodies and runs the load generator against one server."""

import contextlib
import json
import os
import random
import subprocess

from . import procs
from .proxies import PROXY_CPU

_WORDS = ("the water of a river runs through gates and pipes before it turns any wheel so whoever keeps them "
          "learns to read its level by morning light and to write it down in a book that others will trust "
          "when rain has filled every valley above").split()
_RARE = ["caf\u00e9", "na\u00efve", "\u00fcber", "\u2014", "\u6c34\u529b", "\U0001f30a", "path\\to\\file", "50 %"]


def prose(size, rng):
    """Sentences with quotes, line ends, tabs, backslashes and some text beyond ASCII."""
    parts, length = [], 0
    while length < size:
        words = [rng.choice(_WORDS) for _ in range(rng.randint(6, 16))]
        if rng.random() < 0.3:
            words.insert(rng.randrange(len(words)), rng.choice(_RARE))
        sentence = " ".join(words).capitalize()
        if rng.random() < 0.3:
            sentence = f'He said: "{sentence}."'
        end = rng.choice([". ", ". ", ". ", ".\n", ".\n\n", ":\n\t- "])
        parts.append(sentence + end)
        length += len(parts[-1])
    return "".join(parts)


def chat_body(model, size, stream):
    """A chat completion request of about that many bytes. Half of its texts escape what isn't ASCII."""
    rng = random.Random(7)
    head = f'{{"model":"{model}","messages":[{{"role":"system","content":"You answer briefly."}}'
    end = '],"temperature":0.7,"max_tokens":256,"user":"bench"' + (',"stream":true}' if stream else "}")
    messages, left, i = [], size - len(head) - len(end), 0
    while left > 60:
        role = "user" if i % 2 == 0 else "assistant"
        text = json.dumps(prose(min(left - 60, 8000), rng), ensure_ascii=i % 2 == 0)
        messages.append(f',{{"role":"{role}","content":{text}}}')
        left -= len(messages[-1].encode())
        i += 1
    return (head + "".join(messages) + end).encode()


class Load:
    """The load generator, pinned where a case wants it."""

    def __init__(self, bench):
        self.bench = bench
        self.failures = []

    def body_file(self, model, size, stream):
        path = self.bench.path(f"body-{model}-{size}.json")
        if not os.path.exists(path):
            with open(path, "wb") as f:
                f.write(chat_body(model, size, stream))
        return path

    def args(self, peer, model, size, stream, one_core):
        cpu = PROXY_CPU if one_core else self.bench.load_cpu
        procs.pin(self.bench.mock.pid, cpu)
        args = [self.bench.loadgen, "--url", f"http://127.0.0.1:{peer.port(stream)}/v1/chat/completions",
                "--header", f"Authorization: Bearer {peer.key}", "--cpu", str(cpu),
                "--body-file", self.body_file(model, size, stream)]
        for header in peer.headers:
            args += ["--header", header]
        return args + (["--stream"] if stream else [])

    def run(self, peer, model, size, stream, concurrency, one_core=False, duration=None, requests=None, warmup=0.0):
        """One run; returns the load generator's figures with CPU and upstream connections added."""
        args = self.args(peer, model, size, stream, one_core)
        args += ["--concurrency", str(concurrency), "--warmup", str(warmup)]
        args += ["--duration", str(duration)] if duration else ["--requests", str(requests)]
        pids = peer.pids()
        for pid in pids:
            args += ["--watch", str(pid)]
        before = self.bench.mock_stats()
        done = subprocess.run(args, stdout=subprocess.PIPE, text=True, check=False)
        after = self.bench.mock_stats()
        if done.returncode != 0:
            raise RuntimeError(f"the load generator failed on {peer.name}")
        result = json.loads(done.stdout)
        bad = result["errors"] + result["non_2xx"] + result["unfinished"]
        if bad or not result["requests"]:
            self.failures.append(peer.name)
            procs.note(f"  warning: {peer.name} {model} c={concurrency}: {result['errors']} errors, "
                       f"{result['non_2xx']} not 2xx, {result['unfinished']} unfinished "
                       f"of {result['requests']}")
        cpu_ns = sum(w["cpu_ns"] for w in result["watched"])
        result["cpu_us"] = cpu_ns / 1e3 / result["requests"] if pids and result["requests"] else None
        sent = after["requests"] - before["requests"]
        opened = after["connections"] - before["connections"]
        result["reuse"] = 100.0 * (1 - opened / sent) if sent else None
        if pids:
            peer.after_run()
        return result

    @contextlib.contextmanager
    def hold(self, peer, model, size, stream, count):
        """Keeps `count` idle connections (or open streams) while the `with` block runs."""
        args = self.args(peer, model, size, stream, False)
        args += ["--concurrency", "64", "--hold", str(count)]
        child = self.bench.kids.start(args, self.bench.load_cpu, self.bench.path("hold.log"),
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            line = child.stdout.readline()
            told = json.loads(line) if line else {"held": 0}
            if told["held"] != count:
                self.failures.append(peer.name)
                procs.note(f"  warning: {peer.name}: only {told} of {count} held")
            yield told["held"]
        finally:
            child.stdin.close()
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                pass
            self.bench.kids.stop(child)
            child.stdout.close()
