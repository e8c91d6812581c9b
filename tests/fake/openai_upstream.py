#!/usr/bin/env python3
# A stand-in for an OpenAI-compatible provider that records what it is sent and misbehaves as it is told.
#
# In a test: FakeUpstream().start(), then .port, .seen, .wait(...). By itself: openai_upstream.py [--port N], which prints
# its address; GET /_control/seen then lists the requests and POST /_control/reset forgets them.
#
# How to answer is said by the model's name: "anything;option=value;flag". The options:
#   delay=MS            wait before the answer's head           after_head=MS  and between head and body
#   status=N            an error of that status; with html: an HTML page; retry_after=S: that header; with echo: it tells
#                       the key it was sent
#   fault=NAME          see Answer.fail; when=request|head|body|finish: how far the answer gets before it
#   events=N gap=MS pad=BYTES      of a stream                  endless: it never ends
#   usage=trailing|null|always|none      how a stream tells its token counts
#   write=N             pieces of N bytes    eol=crlf    comments    multiline    nodone    error_event
#   torn                it is reset within an event that comes after its last one
#   error_event_at=N    after N events           long=N      what its error says is N bytes longer
#   words=N size=BYTES  of an answer         tools: calls a tool    parallel: calls it twice, interleaved
#   tools=N: calls N times, with other arguments each; interleaved: the pieces of these in turns
#   reasoning=MEMBER: thinks aloud first    picture: makes one    strict: refuses what OpenAI refuses of members
#                       (messages that nobody takes are always refused, see openai_rules.py)
#   body=invalid|empty|array|error: not what it should be
#   early=KIND          status 200, and then nothing but an error: overloaded, limit or invalid; or nothing: end, or
#                       nothing ever: hang. With prelude: after what comes before a first event; with echo: its param is
#                       the key it was sent
#   idle=MS             close the connection that long after the answer, unannounced
#   type=TEXT           another content-type
# A request for JSON is answered with {"tide": "high"}.
import argparse
import base64
import json
import select
import socket
import ssl
import struct
import sys
import threading
import time

import openai_media
import openai_rules

WORDS = ['Wasser', ' strömt', ' durch', ' das', ' Tor', ' ☃', ' und', ' "treibt"', ' die', ' Räder', '\n', ' 🌊']
MAX_HEAD = 64 * 1024


class Gone(Exception):
    """The other side has left."""


class Refused(Exception):
    """The request is not one that a provider would take."""


class Plan:
    """The options in a model's name."""

    def __init__(self, model):
        self.name, *rest = model.split(';')
        self.options = dict((part.split('=', 1) + [''])[:2] for part in rest)

    def has(self, name):
        return name in self.options

    def number(self, name, default=0):
        return int(self.options.get(name, default))

    def text(self, name, default=''):
        return self.options.get(name, default)


class Seen:
    """One request as it came in, and what became of it."""

    def __init__(self, n, conn, index):
        self.n, self.conn, self.index = n, conn, index  # its number; its connection's; its place on that
        self.at = time.monotonic()
        self.method = self.path = ''
        self.headers = []
        self.body = b''
        self.json = None
        self.model = ''
        self.usage = None  # (in, out, cached, reasoning) as told in an answer that was sent whole
        self.answered = False
        self.answer_body = b''
        self.gone_at = None  # when the client was found to have left
        self.sent_bytes = 0

    def header(self, name):
        values = [v for k, v in self.headers if k == name]
        return values[0] if values else None

    def summary(self):
        return {'n': self.n, 'conn': self.conn, 'method': self.method, 'path': self.path, 'model': self.model,
                'headers': self.headers, 'json': self.json, 'usage': self.usage, 'answered': self.answered,
                'gone': self.gone_at is not None}


class Peer:
    """One connection: reads exactly one request at a time, writes, and notices when the other side leaves."""

    def __init__(self, fake, sock, n):
        self.fake, self.sock, self.n = fake, sock, n
        self.buffer = b''
        self.requests = 0
        self.step = 0  # bytes a write; 0 = all at once
        self.seen = None

    def fill(self):
        data = self.sock.recv(65536)
        if not data:
            raise Gone()
        self.buffer += data

    def read_request(self):
        while b'\r\n\r\n' not in self.buffer:
            if len(self.buffer) > MAX_HEAD:
                raise Refused('a head without end')
            self.fill()
        head, self.buffer = self.buffer.split(b'\r\n\r\n', 1)
        seen = self.seen = self.fake.note(self)
        lines = head.decode('latin-1').split('\r\n')
        seen.method, seen.path, version = lines[0].split(' ')
        if version != 'HTTP/1.1':
            raise Refused('version ' + version)
        for line in lines[1:]:
            name, value = line.split(':', 1)
            seen.headers.append((name.lower(), value.strip()))
        self.check_head(seen)
        length = int(seen.header('content-length') or 0)
        while len(self.buffer) < length:
            self.fill()
        seen.body, self.buffer = self.buffer[:length], self.buffer[length:]
        return seen

    def check_head(self, seen):
        names = [k for k, _ in seen.headers if k != 'via']  # which each proxy adds to
        if len(names) != len(set(names)):
            raise Refused('a header field twice: ' + ', '.join(names))
        if 'transfer-encoding' in names:
            raise Refused('the length of a body was known, yet it came chunked')
        if seen.method == 'POST' and 'content-length' not in names:
            raise Refused('no content-length')
        if seen.header('host') != self.fake.authority:
            raise Refused(f'host is {seen.header("host")!r}, not {self.fake.authority!r}')
        for name in self.fake.not_for_providers:
            if name in names:
                raise Refused('passed on a header field that is not for providers: ' + name)
        if any('ps-' in v for k, v in seen.headers if k != 'user-agent'):
            raise Refused("passed on the client's own key")

    def watch(self, seconds):
        """Waits, but not for one who has left."""
        end = time.monotonic() + seconds
        while True:
            left = end - time.monotonic()
            if left <= 0:
                return
            if not select.select([self.sock], [], [], left)[0]:
                return
            if isinstance(self.sock, ssl.SSLSocket) or not self.sock.recv(1, socket.MSG_PEEK):
                raise Gone()
            self.fake.violation('bytes came while an answer was under way')
            time.sleep(min(left, 0.01))

    def write(self, data):
        if not self.step:
            self.sock.sendall(data)
        for i in range(0, len(data) if self.step else 0, self.step or 1):
            self.sock.sendall(data[i:i + self.step])
        self.seen.sent_bytes += len(data)

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        self.close()

    def close(self):
        try:
            self.sock.close()
        except OSError:
            pass


def json_text(value):
    # With white space and escapes of its own, so that a reserialised answer is noticed.
    return json.dumps(value, ensure_ascii=True, indent=1, separators=(' ,', ':  '))


class Answer:
    """The answer to one request."""
    id_field = 'X-Request-Id'

    def __init__(self, peer, seen):
        self.peer, self.seen, self.fake = peer, seen, peer.fake
        self.plan = Plan(seen.model)
        self.chunked = False
        self.body = []

    # --- sending ---

    def head(self, status, fields, length=None):
        reason = {200: 'OK', 429: 'Too Many Requests', 503: 'Service Unavailable'}.get(status, 'Something')
        lines = [f'HTTP/1.1 {status} {reason}', f'{self.id_field}: fake_{self.seen.n}', 'Server: fake', 'Set-Cookie: a=b']
        lines += [f'{k}: {v}' for k, v in fields]
        self.chunked = length is None
        lines.append('Transfer-Encoding: chunked' if self.chunked else f'Content-Length: {length}')
        self.peer.write(('\r\n'.join(lines) + '\r\n\r\n').encode('latin-1'))

    def data(self, data):
        self.body.append(data)
        if self.chunked and self.peer.step:  # the chunk's own framing is cut up too
            for i in range(0, len(data), self.peer.step):
                self.peer.write(b'%x\r\n%s\r\n' % (len(data[i:i + self.peer.step]), data[i:i + self.peer.step]))
        elif self.chunked:
            self.peer.write(b'%x;ext="v"\r\n%s\r\n' % (len(data), data))
        else:
            self.peer.write(data)

    def end(self, usage=None):
        # Noted before the last byte leaves, for by then a test may already be looking.
        self.seen.answer_body = b''.join(self.body)
        self.seen.usage = usage
        self.seen.answered = True
        if self.chunked:
            self.peer.write(b'0\r\n\r\n')

    def whole(self, status, body, content_type='application/json', fields=(), usage=None):
        fields = [('Content-Type', self.plan.text('type', content_type)), ('x-ratelimit-remaining-requests', '41'),
                  ('openai-processing-ms', '7')] + list(fields)
        fault, when = self.plan.text('fault'), self.plan.text('when', 'request')
        length = len(body) + {'short': -5, 'long': 5}.get(fault, 0)
        if fault in ('chunked', 'badchunk', 'bigchunk'):
            length = None
        if self.plan.has('after_head') or (fault and when != 'request'):
            self.head(status, fields, length)
            self.peer.watch(self.plan.number('after_head') / 1000)
            if fault and when == 'head':
                self.fail(fault)
            if fault and when == 'body':
                self.data(body[:len(body) // 2])
                self.fail(fault)
        else:
            if self.peer.step:
                self.head(status, fields, length)
            else:  # head and body in one segment
                lines, self.peer.write = [], lambda data: lines.append(data)
                self.head(status, fields, length)
                del self.peer.write
                if not self.chunked:
                    self.body.append(body)
                    self.seen.answer_body, self.seen.usage, self.seen.answered = body, usage, fault not in ('long',)
                    self.peer.write(b''.join(lines) + body)
                    if fault in ('short', 'long'):
                        raise Gone()
                    return
                self.peer.write(b''.join(lines))
        self.data(body)
        self.end(usage)
        if fault in ('short', 'long'):
            raise Gone()

    def error(self, status, message, fields=()):
        if self.plan.has('html'):
            page = b'<html><head><title>%d</title></head><body><h1>Bad gateway</h1></body></html>\n' % status
            self.whole(status, page, 'text/html', fields)
            return
        if self.plan.has('echo'):
            message += ': ' + self.seen.header('authorization')
        kind = {401: 'invalid_request_error', 429: 'rate_limit_error'}.get(status, 'api_error')
        error = {'message': message, 'type': kind, 'param': None, 'code': f'fake_{status}'}
        self.whole(status, json_text({'error': error}).encode(), fields=fields)

    def fail(self, fault):
        """Ends the connection in a bad way."""
        self.seen.answer_body = b''.join(self.body)
        if fault == 'reset':
            self.peer.reset()
        elif fault == 'garbage':
            self.peer.write(b'\x00\xff\x13SSH-2.0-nonsense\r\n\r\n' * 20)
        elif fault == 'badchunk':
            self.peer.write(b'zz\r\nnot a chunk\r\n')
        elif fault == 'bigchunk':
            self.peer.write(b'ffffffffffffffff\r\n' + b'x' * 100)
        elif fault == 'halfclose':  # says no more, but goes on listening
            self.peer.sock.shutdown(socket.SHUT_WR)
            self.peer.watch(3)
        elif fault == 'hang':
            self.peer.watch(20)
        elif fault == 'headflood':
            self.peer.write(b'HTTP/1.1 200 OK\r\n')
            for i in range(4000):
                self.peer.write(b'x-%d: %s\r\n' % (i, b'y' * 100))
        elif fault == 'twolengths':
            self.peer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello')
            self.peer.watch(0.2)
        elif fault == 'status':
            self.peer.write(b'HTTP/1.1 2000 OK\r\nContent-Length: 5\r\n\r\nhello')
            self.peer.watch(0.2)
        elif fault == 'switch':
            self.peer.write(b'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nhello')
            self.peer.watch(0.2)
        elif fault != 'close':
            raise Refused('no such fault: ' + fault)
        raise Gone()

    # --- an error in place of an answer, or before a stream's first event ---

    def said(self, message):
        return message + '!' * self.plan.number('long')

    def early_error(self, kind):
        types = {'overloaded': ('server_error', 503), 'limit': ('rate_limit_error', 429),
                 'invalid': ('invalid_request_error', None)}
        param = self.seen.header('authorization') if self.plan.has('echo') else None
        return {'error': {'message': self.said(f'The fake says: {kind}'), 'type': types[kind][0], 'param': param, 'code': types[kind][1]}}

    def early_event(self, kind):
        return self.event(self.early_error(kind))

    def early_prelude(self):
        role = [{'index': 0, 'delta': {'role': 'assistant', 'content': ''}, 'finish_reason': None}]
        return b': PROCESSING\n\n' + b''.join(
            self.event({'id': '', 'object': 'chat.completion.chunk', 'model': '', 'choices': choices, 'prompt_filter_results': []})
            for choices in ([], role))

    def early(self):
        """Instead of a stream's events."""
        kind = self.plan.text('early')
        prelude = self.plan.has('prelude') and self.early_prelude()
        if prelude:
            self.data(prelude)
        if kind == 'hang':
            self.fail(kind)
        if kind != 'end':
            self.data(self.early_event(kind))
        self.end()

    def early_whole(self):
        self.whole(200, json_text(self.early_error(self.plan.text('early'))).encode())

    # --- what is asked ---

    def run(self):
        plan, seen = self.plan, self.seen
        said = self.fake.keys.get(seen.header('authorization'))
        if said and said != 200:
            self.error(said, f'The key {seen.header("authorization")} is told to wait, or refused')
            return
        if not said and seen.header('authorization') != self.fake.authorization:
            self.fake.violation(f'authorization is {seen.header("authorization")!r}')
            self.error(401, 'Incorrect API key provided')
            return
        self.peer.step = plan.number('write')
        self.peer.watch(plan.number('delay') / 1000)
        early = plan.text('fault')
        if early in ('headflood', 'twolengths', 'status', 'switch') or \
                (early and early not in ('short', 'long', 'chunked', 'gzip') and plan.text('when', 'request') == 'request'):
            self.fail(early)
        if plan.has('informational'):
            self.peer.write(b'HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n')
        if plan.has('status'):
            fields = [('Retry-After', plan.text('retry_after'))] if plan.has('retry_after') else []
            self.error(plan.number('status'), 'The fake was told to fail', fields)
        elif early == 'gzip':
            self.whole(200, b'\x1f\x8b\x08' + bytes(27), fields=[('Content-Encoding', 'gzip')])
        elif plan.has('body'):
            body = {'invalid': b'{"id": "x", "choices": [', 'empty': b'', 'array': b'[1, 2]', 'error': json_text(self.early_error('overloaded')).encode()}[plan.text('body')]
            self.whole(200, body)
        elif plan.has('early') and not seen.json.get('stream'):
            self.early_whole()
        elif openai_rules.problem(seen, plan):
            self.error(400, openai_rules.problem(seen, plan))
        elif seen.path.endswith('/chat/completions'):
            self.stream() if seen.json.get('stream') else self.chat()
        elif seen.path.endswith('/completions'):
            self.stream() if seen.json.get('stream') else self.completion()
        elif seen.path.endswith('/embeddings'):
            self.embeddings()
        elif openai_media.answer(self):
            pass
        else:
            self.error(404, 'Not found')

    def counts(self, words):
        """In, out, cached, reasoning."""
        text = json.dumps(self.seen.json.get('messages') or self.seen.json.get('prompt') or
                          self.seen.json.get('input') or '')
        tokens_in = self.fake.count_input(self.seen.json) if self.fake.count_input else 3 + len(text) // 4
        return tokens_in, words + 2, min(tokens_in // 2, 50), min(2, words)

    @staticmethod
    def usage_json(counts):
        return {'prompt_tokens': counts[0], 'completion_tokens': counts[1], 'total_tokens': counts[0] + counts[1],
                'prompt_tokens_details': {'cached_tokens': counts[2], 'audio_tokens': 0},
                'completion_tokens_details': {'reasoning_tokens': counts[3]}}

    def tool_call(self, n=0):
        tools = [t for t in self.seen.json.get('tools') or [] if t.get('type') == 'function']
        if n:
            return tools[n % len(tools)]['function']['name'] if tools else 'none', '{"n": %d}' % n
        name = (self.seen.json.get('tools') or [{'function': {'name': 'none'}}])[0]['function']['name']
        return name, '{"city": "Zürich", "unit": "°C", "n": 1.50}'

    def calls(self):
        """How many calls of tools the answer has."""
        return 2 if self.plan.has('parallel') else int(self.plan.text('tools') or 1) if self.plan.has('tools') else 0

    def words(self, total):
        if (self.seen.json.get('response_format') or {}).get('type', 'text') != 'text':
            return ['{"tide"', ': "high"}']
        return [WORDS[i % len(WORDS)] for i in range(total)]

    def chat(self):
        plan = self.plan
        words = plan.number('words', 5)
        text = ''.join(self.words(words)) + 'x' * plan.number('size')
        message = {'role': 'assistant', 'content': text, 'refusal': None}
        if self.calls():
            calls = [self.tool_call(i if plan.text('tools') else 0) for i in range(self.calls())]
            message = {'role': 'assistant', 'content': None, 'tool_calls': [
                {'id': f'call_{i + 1}', 'type': 'function', 'function': {'name': name, 'arguments': arguments}}
                for i, (name, arguments) in enumerate(calls)]}
        if plan.has('reasoning'):
            message[plan.text('reasoning')] = 'Hm, let me "think"'
        if plan.has('picture'):
            message['images'] = [openai_media.PICTURE]
        counts = self.counts(words)
        answer = {'id': f'chatcmpl-{self.seen.n}', 'object': 'chat.completion', 'created': 1700000000,
                  'model': self.seen.model + '-0613', 'choices': [{
                      'index': 0, 'message': message, 'logprobs': None,
                      'finish_reason': 'tool_calls' if self.calls() else 'stop'}],
                  'usage': self.usage_json(counts), 'x_unknown': [1.0, 1e30, -0.0]}
        if plan.text('usage') == 'none':
            del answer['usage']
            counts = None
        self.whole(200, json_text(answer).encode(), usage=counts)

    def completion(self):
        counts = self.counts(3)
        self.whole(200, json_text({'id': f'cmpl-{self.seen.n}', 'object': 'text_completion', 'created': 1700000000,
                                   'model': self.seen.model, 'choices': [
                                       {'text': 'und so weiter', 'index': 0, 'logprobs': None,
                                        'finish_reason': 'length'}],
                                   'usage': self.usage_json(counts)}).encode(), usage=counts)

    def embeddings(self):
        inputs = self.seen.json['input']
        inputs = inputs if isinstance(inputs, list) and not isinstance(inputs[0], int) else [inputs]
        data = []
        for i, _ in enumerate(inputs):
            vector = [0.25 * (i + 1), -1.5, 0.0, 3.0]
            if self.seen.json.get('encoding_format') == 'base64':
                vector = base64.b64encode(struct.pack('<4f', *vector)).decode()
            data.append({'object': 'embedding', 'index': i, 'embedding': vector})
        counts = (self.counts(0)[0], 0, 0, 0)
        self.whole(200, json_text({'object': 'list', 'data': data, 'model': self.seen.model, 'usage': {
            'prompt_tokens': counts[0], 'total_tokens': counts[0]}}).encode(), usage=counts)

    # --- streams ---

    def event(self, value):
        end = '\r\n' if self.plan.text('eol') == 'crlf' else '\n'
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(', ', ': '))
        lines = 'data: ' + text + end
        if self.plan.has('multiline') and not isinstance(value, str):
            lines = ''.join('data: ' + part + end for part in json.dumps(value, indent=1).split('\n'))
        if self.plan.has('comments'):
            lines = ': keep-alive' + end + end + 'event: message' + end + 'id: 7' + end + lines
        return (lines + end).encode()

    def chunk(self, choices, counts):
        chat = self.seen.path.endswith('/chat/completions')
        value = {'id': f'chatcmpl-{self.seen.n}', 'object': 'chat.completion.chunk' if chat else 'text_completion',
                 'created': 1700000000, 'model': self.seen.model, 'choices': choices}
        if counts is not None:
            value['usage'] = counts
        elif self.plan.text('usage') in ('null', 'always'):
            value['usage'] = None
        return self.event(value)

    def pieces(self, total):
        """The choices of each event, the finishing one last."""
        chat = self.seen.path.endswith('/chat/completions')
        pad = '.' * self.plan.number('pad')
        if not chat:
            for i in range(total):
                yield {'text': WORDS[i % len(WORDS)] + pad, 'index': 0, 'logprobs': None, 'finish_reason': None}
            yield {'text': '', 'index': 0, 'logprobs': None, 'finish_reason': 'stop'}
            return
        if self.calls():
            if self.plan.text('tools'):
                yield from self.several(self.calls())
                return
            name, arguments = self.tool_call()
            deltas = [{'role': 'assistant', 'content': None, 'tool_calls': [
                {'index': i, 'id': f'call_{i + 1}', 'type': 'function', 'function': {'name': name, 'arguments': ''}}]}
                for i in range(self.calls())]
            deltas += [{'tool_calls': [{'index': k, 'function': {'arguments': arguments[i:i + 3]}}]}
                       for i in range(0, len(arguments), 3) for k in range(self.calls())]
        elif 'response_format' in self.seen.json:
            deltas = [{'role': 'assistant', 'content': ''}] + [{'content': word} for word in self.words(2)]
        else:
            deltas = ({'content': WORDS[i % len(WORDS)] + pad} if i else {'role': 'assistant', 'content': ''}
                      for i in range(total))
        if self.plan.has('reasoning'):
            deltas = [{'role': 'assistant', self.plan.text('reasoning'): piece}
                      for piece in ('Hm,', ' let me', ' "think"')] + list(deltas)
        if self.plan.has('picture'):
            deltas = list(deltas) + [{'images': [openai_media.PICTURE]}]
        for delta in deltas:
            yield {'index': 0, 'delta': delta, 'logprobs': None, 'finish_reason': None}
        yield {'index': 0, 'delta': {}, 'logprobs': None,
               'finish_reason': 'tool_calls' if self.calls() else 'stop'}

    def several(self, count):
        """Several calls, one after the other or in turns."""
        yield {'index': 0, 'delta': {'role': 'assistant', 'content': None}, 'logprobs': None, 'finish_reason': None}
        lists = []
        for n in range(count):
            name, text = self.tool_call(n)
            pieces = [{'index': n, 'id': f'call_{n + 1}', 'type': 'function', 'function': {'name': name, 'arguments': ''}}]
            pieces += [{'index': n, 'function': {'arguments': text[i:i + 3]}} for i in range(0, len(text), 3)]
            lists.append(pieces)
        if self.plan.has('interleaved'):
            longest = max(map(len, lists))
            order = [pieces[i] for i in range(longest) for pieces in lists if i < len(pieces)]
        else:
            order = [piece for pieces in lists for piece in pieces]
        for piece in order:
            yield {'index': 0, 'delta': {'tool_calls': [piece]}, 'logprobs': None, 'finish_reason': None}
        yield {'index': 0, 'delta': {}, 'logprobs': None, 'finish_reason': 'tool_calls'}

    def stream(self):
        plan = self.plan
        total = sys.maxsize if plan.has('endless') else plan.number('events', 4)
        fault, when, gap = plan.text('fault'), plan.text('when', 'request'), plan.number('gap') / 1000
        self.head(200, [('Content-Type', plan.text('type', 'text/event-stream; charset=utf-8')),
                        ('Cache-Control', 'no-cache')])
        self.peer.watch(plan.number('after_head') / 1000)
        if plan.has('early'):
            self.early()
            return
        if fault and when == 'head':
            self.fail(fault)
        sent = 0
        for piece in self.pieces(total):
            self.data(self.chunk([piece], None))
            sent += 1
            if plan.has('endless'):
                self.body.clear()
                if not gap and sent % 64 == 0:
                    self.peer.watch(0.0001)
            if fault and when == 'body' and sent >= max(2, plan.number('events', 4) // 2):
                self.fail(fault)
            if (plan.has('error_event') and sent == 2) or sent == plan.number('error_event_at', -1):
                self.data(self.event({'error': {'message': self.said('The fake broke off'), 'type': 'server_error', 'param': None,
                                                'code': 'fake_broke'}}))
                self.end()
                return
            if gap:
                self.peer.watch(gap)
        self.finish(sent)

    def finish(self, sent):
        asked = (self.seen.json.get('stream_options') or {}).get('include_usage') is True
        how = self.plan.text('usage', 'trailing')
        counts = self.counts(sent)
        told = None
        if self.plan.text('when') == 'finish':
            self.fail(self.plan.text('fault'))
        if self.plan.has('torn'):
            self.data(self.chunk([], self.usage_json(counts))[:-20])
            self.fail('reset')
        if how == 'always' or (how in ('trailing', 'null') and asked):
            told = counts
            self.data(self.chunk([], self.usage_json(counts)))
        if not self.plan.has('nodone'):
            self.data(self.event('[DONE]'))
        self.end(told)


class FakeUpstream:
    not_for_providers = ('proxy-authorization', 'upgrade', 'te', 'trailer', 'expect', 'cookie', 'x-api-key')

    def __init__(self, key='sk-fake', tls=None, host='127.0.0.1', port=0):
        self.authorization = f'Bearer {key}' if key else None
        self.keys = {}  # others than that one, with the status that they get
        self.tls = tls  # an ssl.SSLContext
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((host, port))
        self.host, self.port = self.listener.getsockname()
        self.authority = f'{host}:{self.port}'
        self.changed = threading.Condition()
        self.seen, self.violations, self.peers = [], [], {}
        self.connections = 0
        self.stopping = False
        self.batches = None  # openai_batches.Batches, where it has a batch API
        self.count_input = None  # a request's JSON to its input tokens, where somebody counts for real

    @property
    def base_url(self):
        return f'{"https" if self.tls else "http"}://{self.authority}/v1'

    def start(self):
        self.listener.listen(1024)
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def stop(self):
        self.stopping = True
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        self.drop_connections()

    def drop_connections(self):
        """Closes every connection, as a server does with idle ones."""
        for peer in list(self.peers.values()):
            try:
                peer.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    # --- for tests ---

    def reset(self):
        with self.changed:
            self.seen, self.violations = [], []

    def find(self, marker):
        """The requests in whose body this text is."""
        return [s for s in list(self.seen) if marker.encode() in s.body]

    def wait(self, condition, seconds=10):
        """Waits until condition() holds; returns its value, whatever it is in the end."""
        with self.changed:
            self.changed.wait_for(condition, seconds)
        return condition()

    # --- by its own threads ---

    def violation(self, text):
        with self.changed:
            self.violations.append(text)
            self.changed.notify_all()

    def note(self, peer):
        with self.changed:
            seen = Seen(len(self.seen), peer.n, peer.requests)
            peer.requests += 1
            self.seen.append(seen)
            self.changed.notify_all()
            return seen

    def told(self):
        with self.changed:
            self.changed.notify_all()

    def accept(self):
        while not self.stopping:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.serve, args=(sock, self.connections), daemon=True).start()

    def serve(self, sock, n):
        peer = Peer(self, sock, n)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.tls:
                peer.sock = sock = self.tls.wrap_socket(sock, server_side=True)
            self.peers[n] = peer
            while not self.stopping:
                peer.seen = None
                seen = peer.read_request()
                self.answer(peer, seen)
                self.told()
                if self.between(peer):
                    break
        except (Gone, OSError, ValueError, ssl.SSLError):
            if peer.seen and not peer.seen.answered:
                peer.seen.gone_at = time.monotonic()
        except Refused as refused:
            self.violation(str(refused))
        finally:
            self.peers.pop(n, None)
            peer.close()
            self.told()

    def between(self, peer):
        idle = Plan(peer.seen.model).options.get('idle')
        if idle is None:
            return False
        return not select.select([peer.sock], [], [], int(idle) / 1000)[0]

    def answer(self, peer, seen, kind=Answer):
        answer = kind(peer, seen)
        if seen.path.startswith('/_control/'):
            self.control(answer)
            return
        if self.batches and self.batch_api(answer):
            return
        if seen.method == 'GET':
            answer.whole(200, json_text({'object': 'list', 'data': [
                {'id': 'fake', 'object': 'model', 'created': 1, 'owned_by': 'fake'}]}).encode())
            return
        try:
            seen.json = openai_media.form(seen) or json.loads(seen.body)
            seen.model = seen.json['model']
        except (ValueError, KeyError, TypeError):
            raise Refused('passed on a body that is not a request: ' + repr(seen.body[:200])) from None
        answer.plan = Plan(seen.model)
        self.told()
        answer.run()

    def batch_api(self, answer):
        seen = answer.seen
        if seen.header('authorization') != self.authorization:
            self.violation(f'authorization is {seen.header("authorization")!r}')
        try:
            result = self.batches.answer(seen)
        except (AssertionError, KeyError, ValueError, AttributeError) as wrong:
            self.violation(f'{seen.method} {seen.path}: {wrong!r}')
            result = (400, {'error': {'message': repr(wrong)}})
        if result is None:
            raise Gone()
        if result:
            status, value = result
            answer.whole(status, value if isinstance(value, bytes) else json_text(value).encode())
        return bool(result)

    def control(self, answer):
        with self.changed:
            self.seen.remove(answer.seen)
            body = [s.summary() for s in self.seen]
            if answer.seen.path == '/_control/reset':
                self.seen, self.violations = [], []
        answer.whole(200, json.dumps({'seen': body, 'violations': self.violations}).encode())


def main():
    parser = argparse.ArgumentParser(description='A stand-in for an OpenAI-compatible provider.')
    parser.add_argument('--port', type=int, default=0)
    parser.add_argument('--key', default='sk-fake')
    args = parser.parse_args()
    fake = FakeUpstream(key=args.key, port=args.port).start()
    print(fake.base_url, flush=True)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        fake.stop()


if __name__ == '__main__':
    main()
