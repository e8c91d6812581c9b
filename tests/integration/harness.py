# What the integration suites share: a running server on a folder of its own, a raw HTTP client, the fake provider.
import contextlib
import json
import os
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, 'tests', 'fake'))

from openai_upstream import FakeUpstream  # noqa: E402, F401

BINARY = os.environ.get('PENSTOCK_BIN') or os.path.join(ROOT, 'build', 'release', 'penstock')
WAIT = 20  # seconds: how long anything may take before a test gives up
PORT_LOCKS = []  # sockets whose names mark ports as taken, for suites that run at the same time


def sanitized():
    """Whether the binary was built with a sanitizer, whose memory is not the server's own."""
    with open(BINARY, 'rb') as f:
        content = f.read()
    return b'__asan_init' in content or b'__tsan_init' in content


def free_port():
    """A port that no server has and that the kernel does not give to clients."""
    while True:
        port = random.randrange(15000, 32000)
        lock, probe = socket.socket(socket.AF_UNIX), socket.socket()
        try:
            lock.bind(f'\0penstock-test-port-{port}')
            probe.bind(('127.0.0.1', port))
        except OSError:
            lock.close()
            continue
        finally:
            probe.close()
        PORT_LOCKS.append(lock)
        return port


def clean_environment(**more):
    """The environment without anything that Penstock would look at."""
    keep = {k: v for k, v in os.environ.items() if k in ('PATH', 'HOME', 'LANG', 'TMPDIR', 'ASAN_OPTIONS', 'TSAN_OPTIONS',
                                                         'UBSAN_OPTIONS', 'LD_LIBRARY_PATH')}
    keep.update(more)
    return keep


def eventually(condition, seconds=WAIT, every=0.02):
    """Waits until condition() is true; returns its value, whatever it is in the end."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value or time.monotonic() > end:
            return value
        time.sleep(every)


# --- HTTP -----------------------------------------------------------------------------------------------------------


class Incomplete(Exception):
    """The answer broke off; .answer is what there was of it, or None."""

    def __init__(self, what, answer=None):
        super().__init__(what)
        self.answer = answer


class Reply:
    """An answer, as it came over the wire."""

    def __init__(self, version, status, headers):
        self.version, self.status, self.headers = version, status, headers
        self.body = b''
        self.informational = []

    def header(self, name, default=None):
        values = [v for k, v in self.headers if k == name]
        if len(values) > 1:
            raise AssertionError(f'{name} came {len(values)} times')
        return values[0] if values else default

    def json(self):
        return json.loads(self.body)

    def error(self):
        return self.json()['error']

    @property
    def request_id(self):
        return self.header('x-request-id')

    def events(self):
        return sse_data(self.body)

    def __repr__(self):
        return f'<{self.status} {self.headers} {self.body[:600]!r}>'


def sse_data(text):
    """The data of each event."""
    out = []
    for event in re.split(r'\r?\n\r?\n', text.decode()):
        lines = [line[5:].removeprefix(' ') for line in re.split(r'\r?\n', event) if line.startswith('data:')]
        if lines:
            out.append('\n'.join(lines))
    return out


class Conn:
    """A client connection that sends exactly what it is given."""

    def __init__(self, port, tls=None, server_name='localhost', timeout=WAIT, rcvbuf=None):
        self.sock = socket.socket()
        if rcvbuf:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        self.sock.settimeout(timeout)
        self.sock.connect(('127.0.0.1', port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self.sock = tls.wrap_socket(self.sock, server_hostname=server_name)
        self.buffer = b''

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def send(self, data, step=None, gap=0):
        if isinstance(data, str):
            data = data.encode()
        if not step:
            self.sock.sendall(data)
            return self
        for i in range(0, len(data), step):
            self.sock.sendall(data[i:i + step])
            time.sleep(gap)
        return self

    def fill(self):
        data = self.sock.recv(65536)
        if not data:
            raise Incomplete('the server closed the connection')
        self.buffer += data

    def line(self):
        while b'\r\n' not in self.buffer:
            self.fill()
        line, self.buffer = self.buffer.split(b'\r\n', 1)
        return line

    def take(self, n):
        while len(self.buffer) < n:
            self.fill()
        data, self.buffer = self.buffer[:n], self.buffer[n:]
        return data

    def head(self):
        version, status, *_ = self.line().decode('latin-1').split(' ', 2)
        headers = []
        while (line := self.line()):
            name, value = line.decode('latin-1').split(':', 1)
            headers.append((name.lower(), value.strip()))
        return Reply(version, int(status), headers)

    def read_head(self):
        """The final head; pieces(reply) then gives the body."""
        informational = []
        try:
            while (reply := self.head()).status < 200:
                informational.append(reply)
        except (Incomplete, ConnectionError) as e:
            raise Incomplete(str(e) + ', before the end of the head: ' + repr(self.buffer)) from None
        reply.informational = informational
        return reply

    def pieces(self, reply, bodyless=False):
        try:
            if bodyless or reply.status in (204, 304):
                return
            if 'chunked' in (reply.header('transfer-encoding') or ''):
                while (size := int(self.line(), 16)):
                    data = self.take(size)
                    reply.body += data
                    yield data
                    assert self.take(2) == b'\r\n'
                assert self.line() == b''
            elif reply.header('content-length') is not None:
                reply.body = self.take(int(reply.header('content-length')))
                yield reply.body
            else:
                while True:
                    try:
                        self.fill()
                    except Incomplete:
                        break
                reply.body, self.buffer = self.buffer, b''
                yield reply.body
        except (Incomplete, ConnectionError) as e:
            raise Incomplete(str(e), reply) from None

    def read(self, bodyless=False):
        reply = self.read_head()
        for _ in self.pieces(reply, bodyless):
            pass
        return reply

    def closed(self, seconds=WAIT):
        """Whether the server closes the connection without another word."""
        self.sock.settimeout(seconds)
        try:
            return self.buffer == b'' and self.sock.recv(1) == b''
        except ConnectionError:
            return True
        except TimeoutError:
            return False

    def everything(self, seconds=WAIT):
        """All that comes until the server closes."""
        self.sock.settimeout(seconds)
        with contextlib.suppress(ConnectionError):
            while (data := self.sock.recv(65536)):
                self.buffer += data
        data, self.buffer = self.buffer, b''
        return data

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        self.close()

    def close(self):
        self.sock.close()


def request_bytes(method, path, body=None, headers=None, key=None):
    fields = {'Host': 'gateway.test'}
    if key:
        fields['Authorization'] = 'Bearer ' + key
    if body is not None:
        fields['Content-Type'] = 'application/json'
        fields['Content-Length'] = str(len(body))
    fields.update(headers or {})
    head = f'{method} {path} HTTP/1.1\r\n' + ''.join(f'{k}: {v}\r\n' for k, v in fields.items() if v is not None)
    return head.encode() + b'\r\n' + (body or b'')


def chat_body(model, text='Hello', **more):
    return json.dumps({'model': model, 'messages': [{'role': 'user', 'content': text}], **more}).encode()


# --- the server -----------------------------------------------------------------------------------------------------


def run_cli(*args, env=None, cwd=None, stdin=None, timeout=WAIT):
    """Runs the binary; returns its CompletedProcess with text streams."""
    return subprocess.run([BINARY, *map(str, args)], env=env or clean_environment(), cwd=cwd, input=stdin, text=True,
                          stdin=None if stdin is not None else subprocess.DEVNULL, capture_output=True, timeout=timeout)


class Penstock:
    """A server on a folder and a port of its own. It is started by start() and must be stopped."""

    running = []

    def __init__(self, config=None, workers=2, env=None, args=(), limits=None, listen=True):
        self.folder = tempfile.mkdtemp(prefix='penstock-test-')
        self.data = os.path.join(self.folder, 'data')
        self.config_path = os.path.join(self.folder, 'penstock.yaml')
        self.log_path = os.path.join(self.folder, 'log')
        self.workers, self.env, self.args, self.limits = workers, env or {}, list(args), limits
        self.port = free_port()
        self.process = None
        self.listen = listen  # False: where the configuration says; one of its listeners must be plain, on .port
        self.has_config = config is not None
        if self.has_config:
            self.write_config(config(self) if callable(config) else config)
        try:
            self.key = self.create_key('--name', 'test')['key']
        except BaseException:
            self.remove()
            raise

    def write_config(self, config):
        """YAML as text, or a dict, which JSON makes YAML of. Replaces the file at once."""
        text = config
        if not isinstance(config, str):  # sizes and durations are written without quotes
            text = re.sub(r'"(\d+ ?(?:ms|s|m|h|d|[KMG]iB))"', r'\1', json.dumps(config, indent=1))
        with open(self.config_path + '.new', 'w', encoding='utf-8') as f:
            f.write(text + '\n')
        os.replace(self.config_path + '.new', self.config_path)

    def command(self):
        config = ['--config', self.config_path] if self.has_config else []
        listen = ['--listen', f'127.0.0.1:{self.port}'] if self.listen else []
        return [BINARY, 'serve', *config, '--data', self.data, *listen, '--workers', str(self.workers), *self.args]

    def launch(self):
        log = open(self.log_path, 'ab')
        self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder,
                                        env=clean_environment(**self.env), preexec_fn=self.limits)
        log.close()
        if self not in Penstock.running:
            Penstock.running.append(self)
        return self

    def start(self):
        self.launch()
        end = time.monotonic() + WAIT
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise AssertionError(f'the server ended with {self.process.returncode}\n' + self.log())
            with contextlib.suppress(OSError, Incomplete):
                if self.get('/readyz', timeout=5).status == 200:
                    return self
            time.sleep(0.005)
        raise AssertionError('the server did not become ready\n' + self.log())

    def stop(self, expect=0):
        """SIGTERM; the exit code must be `expect`."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.join(expect)

    def join(self, expect=0):
        try:
            code = self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError('the server did not end within a minute of SIGTERM\n' + self.log()) from None
        if code != expect:
            raise AssertionError(f'the server ended with {code}, not {expect}\n' + self.log())
        return code

    def kill(self):
        self.process.kill()
        self.process.wait()

    def remove(self):
        """Ends the server whatever its state, and removes the folder."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait()
        if self in Penstock.running:
            Penstock.running.remove(self)
        shutil.rmtree(self.folder, ignore_errors=True)

    def signal(self, number):
        self.process.send_signal(number)

    def log(self):
        with contextlib.suppress(FileNotFoundError):
            with open(self.log_path, encoding='utf-8', errors='replace') as f:
                return f.read()
        return ''

    def log_lines(self):
        return [json.loads(line) for line in self.log().split('\n') if line.startswith('{')]

    def rss(self):
        with open(f'/proc/{self.process.pid}/statm', encoding='ascii') as f:
            return int(f.read().split()[1]) * os.sysconf('SC_PAGESIZE')

    # --- talking to it ---

    def conn(self, **more):
        return Conn(self.port, **more)

    def request(self, method, path, body=None, headers=None, key=None, timeout=WAIT):
        with self.conn(timeout=timeout) as c:
            c.send(request_bytes(method, path, body, {'Connection': 'close', **(headers or {})}, key))
            return c.read(bodyless=method == 'HEAD')

    def get(self, path, key=None, headers=None, timeout=WAIT):
        return self.request('GET', path, headers=headers, key=key, timeout=timeout)

    def post(self, path, body, headers=None, key=None, timeout=WAIT):
        return self.request('POST', path, body, headers, key or self.key, timeout)

    def chat(self, model, text='Hello', headers=None, **more):
        return self.post('/v1/chat/completions', chat_body(model, text, **more), headers)

    def metrics(self):
        """{'name{labels}': value}"""
        reply = self.get('/metrics')
        assert reply.status == 200, reply
        out = {}
        for line in reply.body.decode().split('\n'):
            if line and not line.startswith('#'):
                name, value = line.rsplit(' ', 1)
                out[name] = float(value)
        return out

    # --- its command line ---

    def cli(self, *args, **more):
        return run_cli(*args, '--data', self.data, **more)

    def cli_json(self, *args):
        """What a command prints with --json: a list of objects."""
        done = self.cli(*args, '--json')
        assert done.returncode == 0, f'{args}: exit code {done.returncode}\n{done.stderr}'
        return [json.loads(line) for line in done.stdout.split('\n') if line]

    def create_key(self, *args):
        (key,) = self.cli_json('key', 'create', *args)
        return key

    def usage(self, *args):
        return self.cli_json('usage', *args)


# --- suites ---------------------------------------------------------------------------------------------------------


def fake_provider(fake, name='fake', **more):
    return {'name': name, 'kind': 'openai', 'base_url': fake.base_url, 'api_key': 'sk-fake', **more}


class Suite(unittest.TestCase):
    """A fake provider and a server in front of it, for all tests of the class. Override config() for more."""

    maxDiff = 2000
    workers = 2
    extra_env = {}
    fake_class = FakeUpstream

    @classmethod
    def config(cls):
        return {'providers': [fake_provider(cls.fake)], 'log': {'level': 'debug', 'format': 'json'}}

    @classmethod
    def setUpClass(cls):
        cls.fake = cls.fake_class().start()
        cls.addClassCleanup(cls.fake.stop)
        cls.server = Penstock(cls.config(), workers=cls.workers, env=cls.extra_env)
        cls.addClassCleanup(cls.server.remove)
        cls.server.start()

    @classmethod
    def tearDownClass(cls):
        if cls.server.process.poll() is not None:
            raise AssertionError(f'the server ended by itself with {cls.server.process.returncode}\n' + tail(cls.server))
        cls.server.stop()

    def setUp(self):
        self.fake.reset()

    def tearDown(self):
        self.assertEqual(self.fake.violations, [], 'the provider was sent something that it should not be')

    def spawn(self, config=None, start=True, **more):
        """One more server, for this test only."""
        server = Penstock(config, **more)
        self.addCleanup(server.remove)
        return server.start() if start else server

    def another_fake(self, **more):
        fake = FakeUpstream(**more).start()
        self.addCleanup(fake.stop)
        return fake

    def check_error(self, reply, status, code, kind=None, param=None):
        """An error in OpenAI's shape."""
        self.assertEqual(reply.status, status, reply)
        self.assertEqual(reply.header('content-type'), 'application/json', reply)
        body = reply.json()
        self.assertEqual(list(body), ['error'])
        error = body['error']
        self.assertEqual(sorted(error), ['code', 'message', 'param', 'type'])
        self.assertEqual(error['code'], code, reply)
        self.assertTrue(error['message'])
        if kind:
            self.assertEqual(error['type'], kind)
        self.assertEqual(error['param'], param, reply)
        self.assertRegex(reply.request_id or '', r'^req_[0-9a-z]{13}$')
        return error

    def check_serving(self, server=None):
        """The server still answers."""
        reply = (server or self.server).chat('fake/well')
        self.assertEqual(reply.status, 200, reply)

    def record_of(self, request_id, server=None):
        """The one usage record of a request."""
        records = [r for r in (server or self.server).usage() if r['request_id'] == request_id]
        self.assertEqual(len(records), 1, f'{request_id} in the ledger')
        return records[0]


def tail(server, lines=40):
    return f'--- log of the server on port {server.port}, its end:\n' + '\n'.join(server.log().split('\n')[-lines:])


class Result(unittest.TextTestResult):
    """Shows the servers' logs beside a failure."""

    def addError(self, test, err):
        super().addError(test, err)
        self.show()

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.show()

    def show(self):
        for server in Penstock.running:
            self.stream.writeln('\n' + tail(server))


def in_parallel(count, work):
    """Runs work(i) in `count` threads; raises what any of them raised; returns their results."""
    results, errors = [None] * count, []

    def one(i):
        try:
            results[i] = work(i)
        except BaseException as e:  # noqa: BLE001: handed on below
            errors.append(e)

    threads = [threading.Thread(target=one, args=(i,), daemon=True) for i in range(count)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(400)  # what is slow is not stuck
        if t.is_alive():
            raise AssertionError('a client is stuck')
    if errors:
        raise errors[0]
    return results


def main():
    if not os.access(BINARY, os.X_OK):
        sys.exit(f'there is no binary at {BINARY}: ./dev build')
    unittest.main(module='__main__', testRunner=unittest.TextTestRunner(resultclass=Result, verbosity=2))
