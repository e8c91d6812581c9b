# Lean stand-ins for providers and clients for tests of many thousand requests, all on one event loop in a thread: an
# upstream hands each request to a function that says what to answer, and keeps watch over every byte that reaches it.
import asyncio
import json
import threading
import time

MARK_MAX = 64  # bytes: what is watched for may lie across two reads


class Request:
    """A request as it came in."""
    __slots__ = ('at', 'body', 'head', 'path')

    def __init__(self, head, body):
        self.at = time.monotonic()
        self.head, self.body = head, body
        self.path = head.split(b' ', 2)[1].decode()

    @property
    def json(self):
        return json.loads(self.body)


class Answer:
    """What to say: a status, a body (an object, bytes, or a list of events for a stream), and how late."""
    __slots__ = ('data', 'delay')

    def __init__(self, body, status=200, delay=0, fields=()):
        if isinstance(body, list):
            kind, data = 'text/event-stream', b''.join(b'data: %s\n\n' % json.dumps(e).encode() for e in body) + b'data: [DONE]\n\n'
        else:
            kind, data = 'application/json', body if isinstance(body, bytes) else json.dumps(body).encode()
        lines = [f'HTTP/1.1 {status} So', f'content-type: {kind}', f'content-length: {len(data)}', *fields]
        self.data = '\r\n'.join(lines).encode() + b'\r\n\r\n' + data
        self.delay = delay


def completion(text='Well.', model='m', prompt=10, output=5):
    """A chat completion in OpenAI's shape."""
    return {'id': 'c', 'object': 'chat.completion', 'created': 1, 'model': model, 'choices': [
        {'index': 0, 'message': {'role': 'assistant', 'content': text}, 'logprobs': None, 'finish_reason': 'stop'}],
        'usage': {'prompt_tokens': prompt, 'completion_tokens': output, 'total_tokens': prompt + output}}


def chunks(text='Well.', model='m', prompt=10, output=5):
    """The same as the events of a stream."""
    base = {'id': 'c', 'object': 'chat.completion.chunk', 'created': 1, 'model': model}
    parts = [({'role': 'assistant', 'content': text}, None), ({}, 'stop')]
    usage = {'prompt_tokens': prompt, 'completion_tokens': output, 'total_tokens': prompt + output}
    return [{**base, 'choices': [{'index': 0, 'delta': d, 'finish_reason': f}]} for d, f in parts] + [
        {**base, 'choices': [], 'usage': usage}]


class _Peer(asyncio.Protocol):
    def __init__(self, upstream):
        self.upstream = upstream
        self.buffer, self.tail = bytearray(), b''

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        up = self.upstream
        up.bytes += len(data)
        if up.forbidden and up.forbidden in self.tail + data:
            up.leaks += 1
        self.tail = (self.tail + data)[-MARK_MAX:]
        self.buffer += data
        while (end := self.buffer.find(b'\r\n\r\n')) >= 0:
            head = bytes(self.buffer[:end]).lower()
            at = head.find(b'content-length:')
            length = int(head[at + 15:].split(b'\r\n', 1)[0]) if at >= 0 else 0
            if len(self.buffer) < end + 4 + length:
                return
            request = Request(bytes(self.buffer[:end]), bytes(self.buffer[end + 4:end + 4 + length]))
            del self.buffer[:end + 4 + length]
            self.handle(request)

    def handle(self, request):
        up = self.upstream
        up.requests += 1
        up.running += 1
        up.most = max(up.most, up.running)
        try:
            answer = up.answer(up, request)
        except Exception as e:  # noqa: BLE001: a test's own mistake, to be shown by the test
            up.violations.append(repr(e))
            answer = Answer({'error': {'message': repr(e)}}, 500)
        if answer.delay:
            asyncio.get_running_loop().call_later(answer.delay, self.send, answer)
        else:
            self.send(answer)

    def send(self, answer):
        self.upstream.running -= 1
        if not self.transport.is_closing():
            self.transport.write(answer.data)


class Upstream:
    """answer(upstream, request) -> Answer, called on the stage's thread."""

    def __init__(self, name, answer, forbidden=b''):
        self.name, self.answer = name, answer
        self.forbidden = forbidden  # no byte of this may come
        self.bytes = self.requests = self.leaks = self.running = self.most = 0
        self.violations, self.log = [], []
        self.port = 0

    @property
    def base_url(self):
        return f'http://127.0.0.1:{self.port}/v1'

    def provider(self, **more):
        return {'name': self.name, 'kind': 'openai', 'base_url': self.base_url, 'api_key': 'k', **more}


class _Client(asyncio.Protocol):
    """One connection that sends one request at a time."""

    def __init__(self):
        self.buffer, self.waiter = bytearray(), None

    def connection_made(self, transport):
        self.transport = transport

    def connection_lost(self, _):
        if self.waiter and not self.waiter.done():
            self.waiter.set_exception(ConnectionError('the server closed the connection'))

    def ask(self, data):
        self.waiter = asyncio.get_running_loop().create_future()
        self.transport.write(data)
        return self.waiter

    def data_received(self, data):
        self.buffer += data
        end = self.buffer.find(b'\r\n\r\n')
        if end < 0:
            return
        head = bytes(self.buffer[:end]).lower()
        if b'transfer-encoding: chunked' in head:
            if not self.buffer.endswith(b'0\r\n\r\n'):
                return
            body = unchunked(bytes(self.buffer[end + 4:]))
        else:
            at = head.find(b'content-length:')
            length = int(head[at + 15:].split(b'\r\n', 1)[0]) if at >= 0 else 0
            if len(self.buffer) < end + 4 + length:
                return
            body = bytes(self.buffer[end + 4:end + 4 + length])
        lines = bytes(self.buffer[:end]).decode('latin-1').split('\r\n')
        self.buffer.clear()
        self.waiter.set_result(Response(int(lines[0].split(' ')[1]), dict(
            (k.lower(), v.strip()) for k, v in (line.split(':', 1) for line in lines[1:])), body))


def unchunked(data):
    out, at = [], 0
    while True:
        end = data.index(b'\r\n', at)
        size = int(data[at:end], 16)
        if not size:
            return b''.join(out)
        out.append(data[end + 2:end + 2 + size])
        at = end + 4 + size


class Response:
    __slots__ = ('body', 'fields', 'status')

    def __init__(self, status, fields, body):
        self.status, self.fields, self.body = status, fields, body

    def header(self, name, default=None):
        return self.fields.get(name, default)

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f'<{self.status} {self.fields} {self.body[:400]!r}>'


class Stage:
    """Runs the upstreams, and crowds of clients, until it is closed."""

    def __init__(self):
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

    def _do(self, work, timeout=600):
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(timeout)

    def upstream(self, name, answer, forbidden=b''):
        up = Upstream(name, answer, forbidden)
        server = self._do(self.loop.create_server(lambda: _Peer(up), '127.0.0.1', 0, backlog=1024))
        up.port = server.sockets[0].getsockname()[1]
        return up

    def crowd(self, port, requests, clients=32, seen=None, gap=0):
        """Sends all requests (bytes), in their order, by so many connections, each with a pause of `gap` seconds after a
        response; returns the responses in that order. seen(i, response) is told of each; when it says False, that is the
        end."""
        return self._do(self._crowd(port, requests, clients, seen, gap))

    async def _crowd(self, port, requests, clients, seen, gap):
        responses, turns, going = {}, enumerate(requests), True

        async def client():
            nonlocal going
            _, c = await self.loop.create_connection(_Client, '127.0.0.1', port)
            for i, request in turns:
                responses[i] = await c.ask(request)
                if seen and seen(i, responses[i]) is False:
                    going = False
                if not going:
                    break
                if gap:
                    await asyncio.sleep(gap)
            c.transport.close()

        await asyncio.gather(*(client() for _ in range(clients)))
        return [responses[i] for i in sorted(responses)]

    def close(self):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(20)
