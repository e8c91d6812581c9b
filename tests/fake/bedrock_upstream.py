#!/usr/bin/env python3
# A stand-in for Amazon Bedrock: Converse and ConverseStream, signatures checked, requests held to the API's rules.
#
# As openai_upstream.py; the model's name in the path carries the options of its Plan. Those that mean something here:
# status=N (retry_after=S), words=N, tools, parallel (calls the first tool twice), thinking, stop=REASON, gap=MS, delay=MS,
# exception=NAME (in a stream), fault=close (in the middle of a stream), damage (a wrong checksum), cached=N.
import argparse
import base64
import hashlib
import hmac
import json
import re
import struct
import threading
import time
import urllib.parse
import zlib

from openai_upstream import WORDS, Answer, FakeUpstream, Plan, Refused

TOP = {'messages', 'system', 'inferenceConfig', 'toolConfig', 'additionalModelRequestFields', 'requestMetadata',
       'serviceTier', 'outputConfig', 'guardrailConfig', 'performanceConfig', 'additionalModelResponseFieldPaths'}
BLOCKS = {'text', 'image', 'document', 'video', 'audio', 'toolUse', 'toolResult', 'reasoningContent', 'cachePoint'}
REASONING_MODELS = re.compile(r'claude|gpt-oss|nova-2')


def header(name, value):
    name, value = name.encode(), value.encode()
    return bytes([len(name)]) + name + b'\x07' + struct.pack('>H', len(value)) + value


def frame(headers, payload):
    """One message of application/vnd.amazon.eventstream."""
    fields = b''.join(header(k, v) for k, v in headers)
    prelude = struct.pack('>II', 16 + len(fields) + len(payload), len(fields))
    body = prelude + struct.pack('>I', zlib.crc32(prelude)) + fields + payload
    return body + struct.pack('>I', zlib.crc32(body))


def event(kind, payload):
    text = json.dumps(payload, ensure_ascii=False, separators=(',', ':')).encode()
    return frame([(':event-type', kind), (':content-type', 'application/json'), (':message-type', 'event')], text)


def exception(kind, message):
    text = json.dumps({'message': message}).encode()
    return frame([(':exception-type', kind), (':content-type', 'application/json'), (':message-type', 'exception')], text)


class Invalid(Exception):
    """What the API answers with ValidationException."""


def require(condition, message):
    if not condition:
        raise Invalid(message)


def sign(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


class Validator:
    """The rules of Converse."""

    def __init__(self, body, model):
        self.body, self.model = body, model
        self.tool_blocks = False
        self.marks = 0

    def check(self):
        unknown = set(self.body) - TOP
        require(not unknown, f'unknown members {sorted(unknown)}')
        self.messages(self.body.get('messages'))
        for block in self.body.get('system', []):
            require(len(block) == 1 and set(block) <= {'text', 'cachePoint', 'guardContent'}, f'system block {block}')
            self.text_or_mark(block)
        self.inference(self.body.get('inferenceConfig', {}))
        self.tools(self.body.get('toolConfig'))
        require(self.marks <= 4, 'too many cache points')
        fields = self.body.get('additionalModelRequestFields', {})
        thinking = fields.get('thinking', {})
        if thinking.get('type') == 'enabled':
            require(1024 <= thinking['budget_tokens'] < self.body['inferenceConfig']['maxTokens'], 'budget_tokens')
            require('temperature' not in self.body['inferenceConfig'], 'temperature may only be 1 with thinking')
        if 'outputConfig' in self.body:
            schema = self.body['outputConfig']['textFormat']
            require(schema['type'] == 'json_schema', 'textFormat')
            require(isinstance(json.loads(schema['structure']['jsonSchema']['schema']), dict), 'schema')

    def inference(self, config):
        require(set(config) <= {'maxTokens', 'temperature', 'topP', 'stopSequences'}, f'inferenceConfig {config}')
        require(all(isinstance(config.get(k, 0), (int, float)) for k in ('maxTokens', 'temperature', 'topP')), 'number')
        require(config.get('maxTokens', 1) >= 1, 'maxTokens')

    def tools(self, config):
        require(config is not None or not self.tool_blocks,
                'The toolConfig field must be defined when using toolUse and toolResult content blocks.')
        if config is None:
            return
        require(set(config) <= {'tools', 'toolChoice'} and config['tools'], 'toolConfig')
        for tool in config['tools']:
            require(len(tool) == 1, 'tool')
            if 'cachePoint' in tool:
                self.marks += 1
                continue
            spec = tool['toolSpec']
            require(set(spec) <= {'name', 'description', 'inputSchema', 'strict'}, f'toolSpec {sorted(spec)}')
            require(re.fullmatch('[a-zA-Z0-9_-]{1,64}', spec['name']), 'tool name')
            require(spec.get('description', 'x'), 'description')
            require(spec['inputSchema']['json'].get('type') == 'object', 'inputSchema')
        choice = config.get('toolChoice', {'auto': {}})
        require(len(choice) == 1 and set(choice) <= {'auto', 'any', 'tool'}, 'toolChoice')

    def text_or_mark(self, block):
        if 'text' in block:
            require(block['text'].strip(), 'The text field in the ContentBlock object is blank.')
        if 'cachePoint' in block:
            require(block['cachePoint']['type'] == 'default' and set(block['cachePoint']) <= {'type', 'ttl'}, 'cachePoint')
            self.marks += 1

    def messages(self, messages):
        require(messages, 'messages')
        require(messages[0]['role'] == 'user', 'A conversation must start with a user message.')
        calls = []
        names = []
        for i, message in enumerate(messages):
            require(set(message) == {'role', 'content'}, f'messages.{i}')
            require(message['role'] == ('assistant' if i % 2 else 'user'), 'roles must alternate')
            require(message['content'], f'messages.{i}.content is empty')
            results = [b['toolResult']['toolUseId'] for b in message['content'] if 'toolResult' in b]
            require(len(results) <= len(calls),
                    f'The number of toolResult blocks at messages.{i}.content exceeds the number of toolUse blocks of '
                    'previous turn.')
            require(sorted(results) == sorted(calls), f'Expected toolResult blocks at messages.{i}.content for {calls}')
            calls = [b['toolUse']['toolUseId'] for b in message['content'] if 'toolUse' in b]
            require(len(set(calls)) == len(calls), 'duplicate toolUse ids')
            self.tool_blocks = self.tool_blocks or bool(results or calls)
            for block in message['content']:
                self.block(block, names)
        require(not calls or messages[-1]['role'] == 'assistant', 'calls without results')
        require(len(set(names)) == len(names), 'document names are alike')

    def block(self, block, names):
        require(len(block) == 1 and set(block) <= BLOCKS, f'content block {sorted(block)}')
        (kind, value), = block.items()
        self.text_or_mark(block)
        if kind in ('image', 'video', 'audio', 'document'):
            require(value['format'] in ('png', 'jpeg', 'gif', 'webp', 'pdf', 'txt', 'md', 'csv', 'html', 'docx', 'mp4', 'wav',
                                        'mp3'), 'format')
            require(len(value['source']) == 1, 'source')
            if 'bytes' in value['source']:
                base64.b64decode(value['source']['bytes'], validate=True)
        if kind == 'document':
            require(re.fullmatch(r'[A-Za-z0-9()\[\] -]{1,200}', value['name']), 'document name ' + value['name'])
            require('  ' not in value['name'], 'document name')
            names.append(value['name'])
        if kind == 'toolUse':
            require(set(value) == {'toolUseId', 'name', 'input'}, 'toolUse')
            require(re.fullmatch('[a-zA-Z0-9_-]{1,64}', value['toolUseId']), 'toolUseId')
            require(isinstance(value['input'], dict), 'input must be an object')
        if kind == 'toolResult':
            require(set(value) <= {'toolUseId', 'content', 'status'}, 'toolResult')
            require(re.fullmatch('[a-zA-Z0-9_-]{1,64}', value['toolUseId']), 'toolUseId')
            require(value['content'], 'toolResult is empty')
            for part in value['content']:
                require(len(part) == 1 and set(part) <= {'text', 'json', 'image', 'document', 'video'}, 'result part')
                self.text_or_mark(part)
        if kind == 'reasoningContent':
            require(REASONING_MODELS.search(self.model), 'this model takes no reasoningContent')
            require(len(value) == 1, 'reasoningContent')
            if 'reasoningText' in value:
                require(value['reasoningText'].get('signature'), 'reasoningText without its signature')


class BedrockAnswer(Answer):
    def problem(self, status, kind, message, fields=()):
        self.whole(status, json.dumps({'message': message}).encode(), fields=[('x-amzn-ErrorType', kind + ':'), *fields])

    def signed(self):
        """Whether the signature is right, worked out here from what came over the wire."""
        seen, fake = self.seen, self.fake
        given = seen.header('authorization') or ''
        if fake.bearer:
            return given == 'Bearer ' + fake.bearer and not seen.header('x-amz-date')
        match = re.fullmatch(r'AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/bedrock/aws4_request, '
                             r'SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})', given)
        if not match:
            return False
        key, day, region, names, signature = match.groups()
        date = seen.header('x-amz-date') or ''
        skew = abs(time.time() - time.mktime(time.strptime(date, '%Y%m%dT%H%M%SZ')) + time.timezone)
        names_list = names.split(';')
        if key != fake.access_key or region != fake.region or not date.startswith(day) or skew > 300:
            return False
        if not {'host', 'x-amz-date'} <= set(names_list) or names_list != sorted(names_list):
            return False
        if fake.token != seen.header('x-amz-security-token') or (fake.token and 'x-amz-security-token' not in names_list):
            return False
        path, _, query = seen.path.partition('?')
        canonical = '\n'.join([seen.method, urllib.parse.quote(path, safe='/-._~'), query,
                               *(f'{n}:{" ".join(seen.header(n).split())}' for n in names_list), '', names,
                               hashlib.sha256(seen.body).hexdigest()])
        scope = f'{day}/{region}/bedrock/aws4_request'
        text = '\n'.join(['AWS4-HMAC-SHA256', date, scope, hashlib.sha256(canonical.encode()).hexdigest()])
        secret = ('AWS4' + fake.secret).encode()
        for part in day, region, 'bedrock', 'aws4_request':
            secret = sign(secret, part)
        return hmac.compare_digest(sign(secret, text).hex(), signature)

    def run(self):
        plan, seen = self.plan, self.seen
        if not self.signed():
            if not self.fake.problem_text:
                self.fake.violation('the signature is wrong: ' + str(seen.header('authorization')))
            self.problem(403, 'InvalidSignatureException',
                         self.fake.problem_text or 'The request signature we calculated does not match')
            return
        self.peer.watch(plan.number('delay') / 1000)
        if plan.has('status'):
            fields = [('Retry-After', plan.text('retry_after'))] if plan.has('retry_after') else []
            kind = {429: 'ThrottlingException', 400: 'ValidationException'}.get(plan.number('status'), 'InternalServerException')
            self.problem(plan.number('status'), kind, 'The fake was told to fail', fields)
            return
        try:
            Validator(seen.json, seen.model).check()
        except (Invalid, KeyError, TypeError, ValueError) as e:
            self.fake.violation(f'not a request that Converse takes: {e!r}')
            self.problem(400, 'ValidationException', str(e))
            return
        self.stream() if seen.path.endswith('/converse-stream') else self.converse()

    def blocks(self):
        """Kind, pieces of each block, and what is said of it."""
        if self.plan.has('thinking'):
            yield 'thinking', ['The tide ', 'goes out.'], 'EqQBCgIYAhIM'
        words = [WORDS[i % len(WORDS)] for i in range(self.plan.number('words', 5))]
        if 'outputConfig' in self.seen.json:
            words = ['{"tide"', ': "high"}']
        if self.is_forced_json():
            yield 'tool', ['', '{"tide": ', '"high"}'], ('tooluse_J1', '_json_answer')
            return
        if words:
            yield 'text', words, None
        if self.calls():
            specs = [t['toolSpec']['name'] for t in self.seen.json.get('toolConfig', {}).get('tools', []) if 'toolSpec' in t]
            arguments = '{"city": "Zürich", "unit": "°C", "n": 1.50}'
            pieces = [arguments[i:i + 5] for i in range(0, len(arguments), 5)]
            yield 'tool', pieces, ('tooluse_A1', (specs or ['none'])[0])
            if self.plan.has('parallel'):
                yield 'tool', ['', *pieces], ('tooluse_B2', (specs or ['none'])[0])
            elif len(specs) > 1:
                yield 'tool', [], ('tooluse_B2', specs[1])

    def is_forced_json(self):
        return self.seen.json.get('toolConfig', {}).get('toolChoice', {}).get('tool', {}).get('name') == '_json_answer'

    def calls(self):
        return self.plan.has('tools') or self.plan.has('parallel') or self.is_forced_json()

    def usage(self):
        text = json.dumps(self.seen.json['messages'])
        cached = self.plan.number('cached')
        counts = {'inputTokens': 3 + len(text) // 4, 'outputTokens': 2 + self.plan.number('words', 5)}
        counts['totalTokens'] = sum(counts.values()) + cached
        if cached:
            counts.update(cacheReadInputTokens=cached, cacheWriteInputTokens=0)
        return counts

    def reason(self):
        return self.plan.text('stop') or ('tool_use' if self.calls() else 'end_turn')

    def counted(self):
        u = self.usage()
        return u['inputTokens'] + u.get('cacheReadInputTokens', 0), u['outputTokens'], u.get('cacheReadInputTokens', 0), 0

    def converse(self):
        content = []
        for kind, pieces, more in self.blocks():
            text = ''.join(pieces)
            if kind == 'thinking':
                content.append({'reasoningContent': {'reasoningText': {'text': text, 'signature': more}}})
            elif kind == 'tool':
                content.append({'toolUse': {'toolUseId': more[0], 'name': more[1], 'input': json.loads(text or '{}')}})
            else:
                content.append({'text': text})
        self.whole(200, json.dumps({'output': {'message': {'role': 'assistant', 'content': content}},
                                    'stopReason': self.reason(), 'usage': self.usage(), 'metrics': {'latencyMs': 7}},
                                   ensure_ascii=False).encode(), usage=self.counted())

    def events(self):
        yield event('messageStart', {'role': 'assistant', 'p': 'abcd'})
        for i, (kind, pieces, more) in enumerate(self.blocks()):
            if kind == 'tool':
                yield event('contentBlockStart', {'contentBlockIndex': i, 'start': {
                    'toolUse': {'toolUseId': more[0], 'name': more[1]}}})
            for piece in pieces:
                delta = {'thinking': {'reasoningContent': {'text': piece}}, 'text': {'text': piece},
                         'tool': {'toolUse': {'input': piece}}}[kind]
                yield event('contentBlockDelta', {'contentBlockIndex': i, 'delta': delta, 'p': 'ab'})
            if kind == 'thinking':
                yield event('contentBlockDelta', {'contentBlockIndex': i, 'delta': {'reasoningContent': {'signature': more}}})
            yield event('contentBlockStop', {'contentBlockIndex': i})
        yield event('messageStop', {'stopReason': self.reason()})
        yield event('metadata', {'usage': self.usage(), 'metrics': {'latencyMs': 9}})

    def stream(self):
        plan = self.plan
        self.head(200, [('Content-Type', 'application/vnd.amazon.eventstream')])
        for n, data in enumerate(self.events()):
            if n == 3 and plan.has('exception'):
                self.data(exception(plan.text('exception'), 'The fake broke off'))
                self.end()
                return
            if n == 3 and plan.text('fault') == 'close':
                self.fail('close')
            if n == 3 and plan.has('damage'):
                data = data[:-1] + bytes([data[-1] ^ 1])
            self.data(data)
            if plan.has('gap'):
                self.peer.watch(plan.number('gap') / 1000)
        self.end(self.counted())


class BedrockUpstream(FakeUpstream):
    def __init__(self, access_key='AKIDFAKE', secret='bedrock/secret+fake', token=None, bearer=None, region='eu-central-1',
                 **more):
        super().__init__(key=None, **more)
        self.problem_text = None  # what a wrong key is told, when that is no fault of the client's
        self.access_key, self.secret, self.token, self.bearer, self.region = access_key, secret, token, bearer, region

    @property
    def base_url(self):
        return f'http://{self.authority}'

    def answer(self, peer, seen):
        answer = BedrockAnswer(peer, seen)
        if seen.path.startswith('/_control/'):
            self.control(answer)
            return
        match = re.fullmatch(r'/model/([^/]+)/(converse|converse-stream)', seen.path)
        if seen.method != 'POST' or not match:
            raise Refused('no such operation: ' + seen.method + ' ' + seen.path)
        if seen.header('content-type') != 'application/json':
            raise Refused('content-type is ' + str(seen.header('content-type')))
        seen.model = urllib.parse.unquote(match.group(1))
        try:
            seen.json = json.loads(seen.body)
        except ValueError:
            raise Refused('not JSON: ' + repr(seen.body[:200])) from None
        answer.plan = Plan(seen.model)
        self.told()
        answer.run()


def main():
    parser = argparse.ArgumentParser(description='A stand-in for Amazon Bedrock.')
    parser.add_argument('--port', type=int, default=0)
    args = parser.parse_args()
    fake = BedrockUpstream(port=args.port).start()
    print(fake.base_url, flush=True)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        fake.stop()


if __name__ == '__main__':
    main()
