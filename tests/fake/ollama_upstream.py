#!/usr/bin/env python3
# A stand-in for a real Ollama: /api/chat, /api/generate and /api/embed, with its shapes and its strictness about types.
#
# As openai_upstream.py; the model's name carries the options of its Plan. Those that mean something here: status=N,
# words=N, tools, parallel (calls the first tool twice), thinking, length (done_reason), error_line (in a stream),
# fault=close (in the middle of a stream), delay=MS, gap=MS.
import argparse
import base64
import json
import threading

from openai_upstream import WORDS, Answer, FakeUpstream, Plan, Refused

ROLES = {'system', 'user', 'assistant', 'tool'}
NUMBERS = {'num_ctx', 'num_predict', 'num_keep', 'num_gpu', 'num_batch', 'num_thread', 'seed', 'top_k', 'top_p', 'min_p',
           'typical_p', 'repeat_last_n', 'temperature', 'repeat_penalty', 'presence_penalty', 'frequency_penalty', 'mirostat'}
ARGUMENTS = {'city': 'Zürich', 'unit': '°C', 'n': 1.5}
THOUGHTS = ['First, the "tide".', ' Then the moon 🌊.']
PATHS = {'/api/chat', '/api/generate', '/api/embed'}


class Invalid(Exception):
    """What the server answers with 400."""


def require(condition, message):
    if not condition:
        raise Invalid(message)


def check_message(message):
    require(message['role'] in ROLES, f'invalid role: {message["role"]}')
    require(isinstance(message.get('content', ''), str), 'messages.content is no string')
    require(isinstance(message.get('thinking', ''), str), 'messages.thinking is no string')
    for image in message.get('images', []):
        base64.b64decode(image, validate=True)
    for call in message.get('tool_calls', []):
        require(isinstance(call['function']['arguments'], dict), 'tool_calls.function.arguments is no object')
        require(isinstance(call['function']['name'], str), 'tool_calls.function.name')


def check_shared(body):
    for name, value in body.get('options', {}).items():
        require(name in NUMBERS | {'stop', 'use_mmap'}, 'an option it does not know: ' + name)
        require(name not in NUMBERS or isinstance(value, (int, float)), f'option {name} must be a number')
    require(isinstance(body.get('stream', True), bool), 'stream is no bool')
    require(body.get('think', True) in (True, False, 'high', 'medium', 'low'), 'invalid think value')
    require(body.get('format', 'json') == 'json' or isinstance(body['format'], dict), 'invalid format')


def check_chat(body):
    require(body['messages'], 'messages')
    for message in body['messages']:
        check_message(message)
    for tool in body.get('tools', []):
        require(tool['type'] == 'function' and tool['function']['name'], 'tool')
        require(tool['function']['parameters']['type'] == 'object', 'tool.parameters')


class OllamaAnswer(Answer):
    def problem(self, status, message):
        self.whole(status, json.dumps({'error': message}).encode(), content_type='application/json; charset=utf-8')

    def run(self):
        plan, seen = self.plan, self.seen
        if seen.header('authorization') != self.fake.authorization:
            self.fake.violation(f'authorization is {seen.header("authorization")!r}')
            self.problem(401, 'unauthorized')
            return
        self.peer.watch(plan.number('delay') / 1000)
        if plan.has('status'):
            self.problem(plan.number('status'), 'The fake was told to fail')
            return
        try:
            require(seen.path in PATHS, 'no such path ' + seen.path)
            if seen.path == '/api/embed':
                self.embed()
                return
            check_shared(seen.json)
            if seen.path == '/api/chat':
                check_chat(seen.json)
            self.stream() if seen.json.get('stream', True) else self.message()
        except (Invalid, KeyError, TypeError, AttributeError, ValueError) as e:
            self.fake.violation(f'not a request that Ollama takes: {e!r}')
            self.problem(400, str(e))

    def early_error(self, kind):
        return {'error': self.said(f'The fake says: {kind}')}

    def early_event(self, kind):
        return json.dumps(self.early_error(kind)).encode() + b'\n'

    def early_prelude(self):
        return b''

    # --- what is said ---

    def words(self):
        if self.seen.json.get('format'):
            return ['{"tide"', ': "high"}']
        return [WORDS[i % len(WORDS)] for i in range(self.plan.number('words', 5))]

    def thoughts(self):
        return THOUGHTS if self.plan.has('thinking') and self.seen.json.get('think') else []

    def calls(self):
        name = (self.seen.json.get('tools') or [{'function': {'name': 'none'}}])[0]['function']['name']
        count = 2 if self.plan.has('parallel') else 1 if self.plan.has('tools') else 0
        return [{'id': f'call_{self.seen.n}o{i}', 'function': {'index': i, 'name': name, 'arguments': ARGUMENTS}}
                for i in range(count)]

    def counts(self):
        text = json.dumps(self.seen.json.get('messages') or self.seen.json.get('prompt'))
        return 3 + len(text) // 4, 2 + self.plan.number('words', 5)

    def piece(self, text='', thinking=None, calls=None):
        """One line's answer: of a chat a message, of a prompt the text."""
        if self.seen.path == '/api/generate':
            return {'response': text, **({'thinking': thinking} if thinking else {})}
        return {'message': {'role': 'assistant', 'content': text, **({'thinking': thinking} if thinking else {}),
                            **({'tool_calls': calls} if calls else {})}}

    def line(self, piece, done=False):
        value = {'model': self.seen.model, 'created_at': '2025-11-05T09:12:33.123456789Z', **piece, 'done': done}
        if done:
            tokens_in, tokens_out = self.counts()
            value |= {'done_reason': 'length' if self.plan.has('length') else 'stop', 'total_duration': 4935886791,
                      'load_duration': 534986708, 'prompt_eval_count': tokens_in, 'prompt_eval_duration': 107345000,
                      'eval_count': tokens_out, 'eval_duration': 4289432000}
        return json.dumps(value, ensure_ascii=False, separators=(',', ':')).encode()

    def message(self):
        if self.plan.has('early'):
            self.early_whole()
            return
        calls = self.calls()
        text = '' if calls else ''.join(self.words())
        self.whole(200, self.line(self.piece(text, ''.join(self.thoughts()), calls), True),
                   content_type='application/json; charset=utf-8', usage=(*self.counts(), 0, 0))

    def pieces(self):
        for thought in self.thoughts():
            yield self.piece('', thought)
        calls = self.calls()
        for call in calls:
            yield self.piece(calls=[call])
        for word in [] if calls else self.words():
            yield self.piece(word)

    def stream(self):
        self.head(200, [('Content-Type', 'application/x-ndjson')])
        if self.plan.has('early'):
            self.early()
            return
        for n, piece in enumerate(self.pieces()):
            if n == 2 and self.plan.has('error_line'):
                self.data(json.dumps({'error': self.said('The fake broke off')}).encode() + b'\n')
                self.end()
                return
            if n == 2 and self.plan.text('fault') == 'close':
                self.fail('close')
            self.data(self.line(piece) + b'\n')
            self.peer.watch(self.plan.number('gap') / 1000)
        self.data(self.line(self.piece(), True) + b'\n')
        self.end((*self.counts(), 0, 0))

    def embed(self):
        body = self.seen.json
        texts = [body['input']] if isinstance(body['input'], str) else body['input']
        require(texts and all(isinstance(t, str) for t in texts), 'invalid input type')
        require(isinstance(body.get('truncate', True), bool), 'truncate is no bool')
        require(isinstance(body.get('dimensions', 0), int), 'dimensions is no number')
        vectors = [[0.25 * (i + 1), -1.5, 0.0, 3.0] for i in range(len(texts))]
        count = sum(len(t) for t in texts)
        self.whole(200, json.dumps({'model': self.seen.model, 'embeddings': vectors, 'total_duration': 14143917,
                                    'load_duration': 1019500, 'prompt_eval_count': count}).encode(),
                   content_type='application/json; charset=utf-8', usage=(count, 0, 0, 0))


class OllamaUpstream(FakeUpstream):
    def __init__(self, key='ol-fake', **more):
        super().__init__(key=key, **more)

    @property
    def base_url(self):
        return f'http://{self.authority}'

    def answer(self, peer, seen):
        answer = OllamaAnswer(peer, seen)
        if seen.path.startswith('/_control/'):
            self.control(answer)
            return
        try:
            seen.json = json.loads(seen.body)
            seen.model = seen.json['model']
        except (ValueError, KeyError, TypeError):
            raise Refused('passed on a body that is not a request: ' + repr(seen.body[:200])) from None
        answer.plan = Plan(seen.model)
        self.told()
        answer.run()


def main():
    parser = argparse.ArgumentParser(description='A stand-in for an Ollama.')
    parser.add_argument('--port', type=int, default=0)
    args = parser.parse_args()
    fake = OllamaUpstream(port=args.port).start()
    print(fake.base_url, flush=True)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        fake.stop()


if __name__ == '__main__':
    main()
