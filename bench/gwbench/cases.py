"""The cases of the gateway bench, and how each turns runs into samples."""

import os

from . import procs
from .proxies import Direct, Haproxy, Nginx, NginxUnbuffered, Penstock

CONCURRENCY = (1, 64, 256)

# name: (model, bytes of the request body, stream)
TRAFFIC = {
    "plain": ("plain-1k", 1536, False),
    "stream-16": ("stream-16", 1536, True),
    "stream-32": ("stream-32", 1536, True),
    "stream-200": ("stream-200", 1536, True),
    "body-100k": ("plain-1k", 100_000, False),
}
SLOW_MODEL = "slow-3-5"
OPEN_MODEL = "slow-600-4000"
OTHERS = ("slow-stream", "idle", "idle-conn", "open-stream", "ready", "binary", "soak")
MODELS = sorted({t[0] for t in TRAFFIC.values()} | {SLOW_MODEL, OPEN_MODEL})
MIB = 1024.0 * 1024.0


class Samples:
    """Every sample of every figure: (case, metric) to server to a list of values."""

    def __init__(self):
        self.units, self.values = {}, {}

    def add(self, case, metric, unit, server, value):
        if value is None:
            return
        self.units[(case, metric)] = unit
        self.values.setdefault((case, metric), {}).setdefault(server, []).append(value)


class Gateway:
    """One side-by-side run: the servers that take part, the settings, the samples."""

    def __init__(self, bench, load, settings, with_penstock):
        self.bench, self.load, self.set = bench, load, settings
        self.samples = Samples()
        nginx = Nginx(bench)
        self.proxies = [Haproxy(bench), nginx]
        if with_penstock:
            self.proxies.append(Penstock(bench, MODELS))
        self.peers = [Direct(bench), self.proxies[0], nginx, NginxUnbuffered(nginx)] + self.proxies[2:]

    def start_all(self):
        for proxy in self.proxies:
            if proxy.child is None:
                proxy.start()

    def stop_all(self):
        for proxy in self.proxies:
            proxy.stop()

    def add(self, case, metric, unit, peer, value):
        self.samples.add(case, metric, unit, peer.name, value)

    def add_run(self, case, peer, result, stream):
        latency = result["latency_us"]
        self.add(case, "requests_per_s", "req/s", peer, result["requests_per_s"])
        self.add(case, "cpu_per_request", "us", peer, result["cpu_us"])
        self.add(case, "latency_p50", "us", peer, latency["p50"])
        self.add(case, "latency_p99", "us", peer, latency["p99"])
        self.add(case, "latency_p999", "us", peer, latency["p999"])
        if stream:
            self.add(case, "first_event_p50", "us", peer, result["first_event_us"]["p50"])
            self.add(case, "first_event_p99", "us", peer, result["first_event_us"]["p99"])
        if result["cpu_us"] is not None:
            self.add(case, "upstream_reuse", "%", peer, result["reuse"])
            self.add(case, "rss", "MiB", peer, peer.rss() / MIB)

    def add_latency_over_direct(self, case, results, metrics):
        """What each proxy adds to the direct call of the same round."""
        base = results.get("direct")
        for peer in self.peers:
            if peer.name == "direct" or base is None:
                continue
            for metric, group, field in metrics:
                self.add(case, metric, "us", peer, results[peer.name][group][field] - base[group][field])

    def traffic(self, name, concurrency):
        model, size, stream = TRAFFIC[name]
        case, one_core = f"{name}/c{concurrency}", concurrency == 1
        self.start_all()
        for number in range(self.set.rounds):
            procs.note(f"{case}: round {number + 1} of {self.set.rounds}")
            results = {}
            for peer in self.peers:
                result = self.load.run(peer, model, size, stream, concurrency, one_core=one_core,
                                       duration=self.set.duration, warmup=self.set.warmup)
                results[peer.name] = result
                self.add_run(case, peer, result, stream)
            self.check_bodies(case, results)
            if one_core:
                self.add_latency_over_direct(case, results, [("added_p50", "latency_us", "p50"),
                                                             ("added_p99", "latency_us", "p99")])

    def check_bodies(self, case, results):
        """An answer that differs in length from the upstream's was changed on its way: worth a word."""
        want = results["direct"]
        for name, result in results.items():
            if (result["body_bytes_min"], result["body_bytes_max"]) != (want["body_bytes_min"], want["body_bytes_max"]):
                procs.note(f"  note: {name} {case}: bodies of {result['body_bytes_min']} to "
                           f"{result['body_bytes_max']} bytes, direct {want['body_bytes_max']}")

    def slow_stream(self):
        self.start_all()
        for number in range(self.set.rounds):
            procs.note(f"slow-stream: round {number + 1} of {self.set.rounds}")
            results = {}
            for peer in self.peers:
                result = self.load.run(peer, SLOW_MODEL, 1536, True, 1, one_core=True,
                                       duration=max(self.set.duration, 1.0), warmup=self.set.warmup)
                results[peer.name] = result
                self.add("slow-stream", "first_event_p50", "us", peer, result["first_event_us"]["p50"])
                self.add("slow-stream", "cpu_per_request", "us", peer, result["cpu_us"])
            self.add_latency_over_direct("slow-stream", results, [("added_first_event_p50", "first_event_us", "p50")])

    def fresh(self, proxy):
        """A new instance of one proxy alone; gives the seconds it took to be ready."""
        proxy.stop()
        return proxy.start()

    def ready(self):
        for _ in range(max(3, self.set.rounds)):
            for proxy in self.proxies:
                self.add("ready", "ready", "ms", proxy, self.fresh(proxy) * 1e3)
                proxy.stop()

    def idle(self):
        for proxy in self.proxies:
            self.fresh(proxy)
            self.add("idle", "rss", "MiB", proxy, proxy.rss() / MIB)
            proxy.stop()

    def binary(self):
        for proxy in self.proxies:
            self.add("binary", "size", "MiB", proxy, os.path.getsize(os.path.realpath(proxy.binary)) / MIB)

    def warm(self, peer):
        for name in ("plain", "stream-16"):
            model, size, stream = TRAFFIC[name]
            self.load.run(peer, model, size, stream, 64, requests=5000)

    def memory_peers(self):
        return [p for p in self.peers if p.name != "direct"]

    def held(self, case, model, stream, count):
        """RSS gained by each of `count` connections held open, by a fresh and warmed instance."""
        for peer in self.memory_peers():
            procs.note(f"{case}: {count} on {peer.name}")
            self.fresh(peer)
            self.warm(peer)
            before = peer.rss()
            with self.load.hold(peer, model, 1536, stream, count) as held:
                if held:
                    self.add(case, "bytes_each", "B", peer, (peer.rss() - before) / held)
                    self.add(case, "connections", "", peer, held)
            peer.stop()

    def soak(self):
        slices = 20
        for peer in self.proxies:
            self.fresh(peer)
            procs.note(f"soak: {self.set.soak} requests on {peer.name}")
            marks, opened = [], self.bench.mock_stats()
            for i in range(slices):
                model, size, stream = TRAFFIC["plain" if i % 2 == 0 else "stream-16"]
                self.load.run(peer, model, size, stream, 64, requests=self.set.soak // slices)
                marks.append(peer.rss())
            now = self.bench.mock_stats()
            base, sent = marks[1], now["requests"] - opened["requests"]
            self.add("soak", "requests", "", peer, sent)
            self.add("soak", "rss_start", "MiB", peer, base / MIB)
            self.add("soak", "rss_end", "MiB", peer, marks[-1] / MIB)
            self.add("soak", "rss_drift", "%", peer, 100.0 * (marks[-1] - base) / base)
            self.add("soak", "upstream_reuse", "%", peer,
                     100.0 * (1 - (now["connections"] - opened["connections"]) / sent))
            peer.stop()

    def run(self, wanted):
        """Runs the wanted cases in a fixed order; those that restart servers come last."""
        for name in TRAFFIC:
            for concurrency in CONCURRENCY:
                if name in wanted and concurrency in self.set.concurrency:
                    self.traffic(name, concurrency)
        if "slow-stream" in wanted:
            self.slow_stream()
        self.stop_all()
        steps = {
            "idle": self.idle,
            "idle-conn": lambda: self.held("idle-conn", "plain-1k", False, self.set.idle_conns),
            "open-stream": lambda: self.held("open-stream", OPEN_MODEL, True, self.set.open_streams),
            "ready": self.ready,
            "binary": self.binary,
            "soak": self.soak,
        }
        for name, step in steps.items():
            if name in wanted:
                procs.note(name)
                step()
