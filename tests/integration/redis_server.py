# A redis-server of one's own on a free port, for tests: started, hung, killed, asked.
import contextlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from harness import WAIT, free_port


class RedisError(Exception):
    """What the server refused."""


class RedisServer:
    def __init__(self, *args):
        self.folder = tempfile.mkdtemp(prefix='penstock-redis-')
        self.port, self.args, self.process = free_port(), args, None

    @property
    def url(self):
        return f'redis://127.0.0.1:{self.port}/0'

    def start(self):
        self.process = subprocess.Popen(['redis-server', '--port', str(self.port), '--bind', '127.0.0.1', '--save', '',
                                         '--dir', self.folder, *self.args], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + WAIT
        while time.monotonic() < end:
            with contextlib.suppress(OSError):
                self.ask('PING')
                return self
            if self.process.poll() is not None:
                raise AssertionError('redis-server (Debian package redis-server) did not start')
            time.sleep(0.01)
        raise AssertionError('redis-server cannot be reached')

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait()

    def remove(self):
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def ask(self, *words):
        """One command over RESP2; errors raise."""
        with socket.create_connection(('127.0.0.1', self.port), timeout=WAIT) as s:
            s.sendall(b'*%d\r\n' % len(words) + b''.join(b'$%d\r\n%s\r\n' % (len(w), w) for w in
                                                         (str(word).encode() for word in words)))
            with s.makefile('rb') as f:
                return self.reply(f)

    def reply(self, f):
        line = f.readline().rstrip(b'\r\n')
        if not line:
            raise OSError('the connection ended')
        kind, rest = line[:1], line[1:].decode()
        if kind == b'-':
            raise RedisError(rest)
        if kind == b':':
            return int(rest)
        if kind == b'$':
            return None if rest == '-1' else f.read(int(rest) + 2)[:-2].decode('utf-8', 'backslashreplace')
        if kind == b'*':
            return None if rest == '-1' else [self.reply(f) for _ in range(int(rest))]
        return rest

    def hash(self, key):
        flat = self.ask('HGETALL', key)
        return dict(zip(flat[::2], flat[1::2]))

    def counters(self, prefix='penstock:'):
        """{key: {u, r}} of all budgets."""
        keys = [k for k in self.ask('KEYS', prefix + 'quota:{*}:*') if k.rsplit(':', 1)[1] not in ('due', 'held', 'swept')]
        return {k: {f: int(v) for f, v in self.hash(k).items() if f in 'ur'} for k in keys}
