"""Starts, pins, watches and stops the processes of the bench."""

import ctypes
import os
import resource
import signal
import socket
import subprocess
import sys
import time

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


def note(text):
    print(text, file=sys.stderr, flush=True)


def raise_file_limit():
    """Raises the soft limit of open files to the hard one, and returns it."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard == resource.RLIM_INFINITY:
        hard = 65536
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Children:
    """Owns every server that the bench starts; leaving the `with` block ends them all."""

    def __init__(self):
        self._alive = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for child in list(self._alive):
            self.stop(child)

    def start(self, args, cpu, log, env=None, **kwargs):
        def in_child():
            _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
            os.sched_setaffinity(0, {cpu})

        with open(log, "ab") as out:
            child = subprocess.Popen(args, preexec_fn=in_child, start_new_session=True, env=env,
                                     **{"stdin": subprocess.DEVNULL, "stdout": out, "stderr": out, **kwargs})
        self._alive.append(child)
        return child

    def stop(self, child):
        """SIGTERM, then SIGKILL after five seconds, to this child alone."""
        if child.poll() is None:
            child.terminate()
            try:
                child.wait(5)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        if child in self._alive:
            self._alive.remove(child)


def http_get(port, path, timeout=2.0):
    """Returns (status, body) of a plain GET on loopback; raises OSError when nobody answers."""
    with socket.create_connection(("127.0.0.1", port), timeout) as s:
        s.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
        data = b""
        while True:
            piece = s.recv(65536)
            if not piece:
                break
            data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    parts = head.split(b" ", 2)
    if len(parts) < 3:
        raise OSError("no HTTP answer")
    return int(parts[1]), body


def wait_ready(child, port, path="/readyz", timeout=20.0):
    """Waits for 200 on path; returns the seconds it took, or None."""
    began = time.monotonic()
    while time.monotonic() - began < timeout:
        try:
            if http_get(port, path)[0] == 200:
                return time.monotonic() - began
        except OSError:
            pass
        if child.poll() is not None:
            return None
        time.sleep(0.0002)
    return None


def family(pid):
    """pid and all that descend from it."""
    children = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat", encoding="ascii", errors="replace") as f:
                parent = int(f.read().rpartition(")")[2].split()[1])
        except (OSError, IndexError, ValueError):
            continue
        children.setdefault(parent, []).append(int(entry))
    found = [pid]
    for one in found:
        found.extend(children.get(one, []))
    return found


def rss_bytes(pid):
    """Resident memory of a process and its children, page by page and not from cached counters."""
    total = 0
    for one in family(pid):
        try:
            with open(f"/proc/{one}/smaps_rollup", encoding="ascii") as f:
                for line in f:
                    if line.startswith("Rss:"):
                        total += int(line.split()[1]) * 1024
        except OSError:
            pass
    return total


def pin(pid, cpu):
    for one in family(pid):
        for task in os.listdir(f"/proc/{one}/task"):
            os.sched_setaffinity(int(task), {cpu})
