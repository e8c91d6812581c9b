#!/usr/bin/env python3
# A stand-in for Anthropic's API: it refuses what the real one refuses, in its words, and answers in its shapes.
#
# In a test: AnthropicUpstream().start(), then as openai_upstream.py. By itself: anthropic_upstream.py [--port N].
#
# How to answer is said by the model's name, as there: "anything;option=value;flag". Besides delay, status, retry_after,
# fault, when, events, gap, words, write, eol, comments, html, echo and type:
#   tools: calls the first tool    parallel: calls it twice    noargs: calls it without arguments
#   thinking, redacted: thinks first    cache: tells of cached input    citations, server_tool
#   stop=REASON: why it ended    error_event: breaks off with an error    cut: ends without its last events
# A request with output_config.format is answered with JSON. A name with opus-4-7 or a later version in it stands for a
# model that takes neither sampling nor a budget.
import argparse
import base64
import json
import re
import threading

from openai_upstream import WORDS, Answer, FakeUpstream, Plan, Refused, json_text

SIGNATURE = 'EqQBCgIYAhIM1gbcDa9GJwZA2b3hGgxBdjrkzLoky3dl1pkiMOYds/QWVwk+aGfw=='
REDACTED = 'EmwKAhgBEgy3va3pzix/LafPsn4aDFIT2Xlxh0L5L8rLVyIwxtE3rAFBa8cr3qpPkNRj2YfWXGmKDxH4mPnZ5sQ7vB9URj2pLmN3kF8='
THOUGHTS = ['First, the "tide".\n', ' Then the moon 🌊.']
ARGUMENTS = '{"city": "Zürich", "unit": "°C", "n": 1.50}'
CITATION = {'type': 'char_location', 'cited_text': 'The tide rises.', 'document_index': 0, 'document_title': 'Tides',
            'start_char_index': 0, 'end_char_index': 15}
ERROR_TYPES = {400: 'invalid_request_error', 401: 'authentication_error', 402: 'billing_error', 403: 'permission_error',
               404: 'not_found_error', 413: 'request_too_large', 429: 'rate_limit_error', 504: 'timeout_error',
               529: 'overloaded_error'}
MEMBERS = {'model', 'messages', 'max_tokens', 'system', 'tools', 'tool_choice', 'stream', 'temperature', 'top_p', 'top_k',
           'stop_sequences', 'metadata', 'service_tier', 'thinking', 'output_config', 'container', 'cache_control',
           'inference_geo', 'context_management', 'mcp_servers', 'output_format', 'speed', 'diagnostics'}
NAME = re.compile(r'^[a-zA-Z0-9_-]{1,128}$')
UNSUPPORTED = {'minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf', 'minLength', 'maxLength',
               'maxItems', 'uniqueItems', 'oneOf', 'minProperties', 'maxProperties'}


class Wrong(Exception):
    """The real API would answer 400 with this message."""


def need(condition, message):
    if not condition:
        raise Wrong(message)


class Check:
    """One request, looked at as the real API does."""

    def __init__(self, q, name, counting, version):
        self.q, self.counting, self.version = q, counting, version
        self.new = bool(re.search(r'(opus-4-[78]|opus-5|sonnet-5|haiku-5|fable|mythos)', name))
        self.marks = 0

    def run(self):
        q = self.q
        for name in q:
            need(name in MEMBERS, f'{name}: Extra inputs are not permitted')
        need('model' in q and isinstance(q['model'], str), 'model: Field required')
        need(self.counting or 'max_tokens' in q, 'max_tokens: Field required')
        need(self.counting or (isinstance(q['max_tokens'], int) and q['max_tokens'] >= 0),
             'max_tokens: Input should be a valid integer')
        need(isinstance(q.get('messages'), list) and q['messages'], 'messages: at least one message is required')
        self.tools()
        self.system()
        self.messages()
        self.thinking()
        self.sampling()
        self.format()
        need(self.marks <= 4, f'A maximum of 4 blocks with cache_control may be provided. Found {self.marks}.')
        for stop in q.get('stop_sequences', []):
            need(stop.strip(), 'stop_sequences: each stop sequence must contain non-whitespace')
        need(set(q.get('metadata', {})) <= {'user_id'}, 'metadata: Extra inputs are not permitted')
        need(q.get('service_tier', 'auto') in ('auto', 'standard_only'), 'service_tier: Input should be auto or standard_only')

    def mark(self, block):
        cache = block.get('cache_control')
        if cache is None:
            return
        self.marks += 1
        need(cache.get('type') == 'ephemeral' and cache.get('ttl', '5m') in ('5m', '1h'), 'cache_control: invalid')

    def tools(self):
        tools, names = self.q.get('tools'), set()
        choice = self.q.get('tool_choice')
        need(choice is None or tools, 'tool_choice may only be specified while providing tools')
        for i, tool in enumerate(tools or []):
            self.mark(tool)
            need(tool.get('name') not in names, 'tools: Tool names must be unique.')
            names.add(tool.get('name'))
            if tool.get('type', 'custom') != 'custom':
                need(re.search(r'_\d{8}$', tool['type']), f'tools.{i}: Input tag {tool["type"]!r} found is unknown')
                continue
            need(NAME.match(tool.get('name', '')), f"tools.{i}.custom.name: String should match pattern '{NAME.pattern}'")
            need('input_schema' in tool, f'tools.{i}.custom.input_schema: Field required')
            need(tool['input_schema'].get('type') == 'object', f'tools.{i}.custom.input_schema.type: Field required')
            need(set(tool) <= {'type', 'name', 'description', 'input_schema', 'cache_control', 'strict'},
                 f'tools.{i}.custom: Extra inputs are not permitted')
            if tool.get('strict'):
                self.closed(tool['input_schema'])
        if choice is not None:
            need(choice.get('type') in ('auto', 'any', 'tool', 'none'), 'tool_choice: invalid type')
            need(choice['type'] != 'tool' or choice.get('name') in names, "Tool '%s' not found in provided tools" %
                 choice.get('name'))

    def system(self):
        system = self.q.get('system', [])
        for i, block in enumerate([] if isinstance(system, str) else system):
            need(block.get('type') == 'text', f'system.{i}.type: Input should be text')
            need(block['text'], 'system: text content blocks must be non-empty')
            self.mark(block)

    def messages(self):
        before, open_calls, calls = None, [], False
        for i, message in enumerate(self.q['messages']):
            role, content = message.get('role'), message.get('content')
            need(role in ('user', 'assistant') or (role == 'system' and self.new and before == 'user'),
                 f'messages.{i}: Unexpected role "{role}". The Messages API accepts a top-level `system` parameter')
            need(before or role == 'user', 'messages: first message must use the "user" role')
            need(role != before, 'messages: roles must alternate between "user" and "assistant"')
            need(content, f'messages.{i}: all messages must have non-empty content')
            blocks = [{'type': 'text', 'text': content}] if isinstance(content, str) else content
            results = [b['tool_use_id'] for b in blocks if b.get('type') == 'tool_result']
            if role == 'user':
                need(sorted(results) == sorted(open_calls), f'messages.{i}: `tool_use` ids were found without `tool_result` '
                     'blocks immediately after, or the reverse')
                need(all(b.get('type') == 'tool_result' for b in blocks[:len(results)]),
                     f'messages.{i}: tool_result blocks come first')
            for k, block in enumerate(blocks):
                self.block(f'messages.{i}.content.{k}', role, block)
            open_calls = [b['id'] for b in blocks if b.get('type') == 'tool_use'] if role == 'assistant' else []
            calls = calls or bool(open_calls) or bool(results)
            before = role
            if role == 'assistant' and i + 1 == len(self.q['messages']):
                need(not self.new, 'This model does not support assistant message prefill.')
                need(blocks[-1].get('type') != 'text' or blocks[-1]['text'] == blocks[-1]['text'].rstrip(),
                     'messages: final assistant content cannot end with trailing whitespace')
        need(not calls or self.q.get('tools'), 'Requests which include `tool_use` or `tool_result` blocks must define tools')

    def block(self, where, role, block):
        kind = block.get('type')
        self.mark(block)
        if kind == 'text':
            need(block['text'].strip(), f'{where}: text content blocks must contain non-whitespace text')
        elif kind == 'image':
            self.source(where, block['source'], ('image/png', 'image/jpeg', 'image/gif', 'image/webp'))
        elif kind == 'document':
            self.source(where, block['source'], ('application/pdf',))
        elif kind == 'tool_use':
            need(role == 'assistant', f'{where}: tool_use blocks can only be in assistant messages')
            need(NAME.match(block['id']), f"{where}.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'")
            need(NAME.match(block['name']), f'{where}.tool_use.name: String should match pattern')
            need(isinstance(block['input'], dict), f'{where}.tool_use.input: Input should be a valid dictionary')
        elif kind == 'tool_result':
            inner = block.get('content', [])
            for b in [] if isinstance(inner, str) else inner:
                need(b.get('type') in ('text', 'image', 'document', 'search_result'), f'{where}: not in a tool_result')
                self.block(where, role, b)
        elif kind == 'thinking':
            need(block.get('signature') == SIGNATURE, f'{where}: Invalid `signature` in `thinking` block')
            need(block['thinking'] == ''.join(THOUGHTS), f'{where}: `thinking` blocks cannot be modified')
        elif kind == 'redacted_thinking':
            need(block['data'] == REDACTED, f'{where}: Invalid data in `redacted_thinking` block')
        else:
            need(kind in ('server_tool_use', 'web_search_tool_result', 'search_result'),
                 f'{where}: Input tag {kind!r} found using type does not match any of the expected tags')

    @staticmethod
    def source(where, source, types):
        kind = source.get('type')
        if kind == 'base64':
            need(source['media_type'] in types, f'{where}.source.base64.media_type: Input should be one of {types}')
            try:
                data = base64.b64decode(source['data'], validate=True)
            except ValueError:
                raise Wrong(f'{where}.source.base64.data: invalid base64 data') from None
            need(data[:4] != b'\x89PNG' or source['media_type'] == 'image/png', f'{where}: Image does not match the '
                 'provided media type')
        else:
            need(kind in ('url', 'file', 'text', 'content'), f'{where}.source: Input tag {kind!r} is unknown')

    def thinking(self):
        q, thinking = self.q, self.q.get('thinking')
        kind = (thinking or {}).get('type')
        if kind == 'enabled':
            need(not self.new, '"thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive"')
            need(thinking['budget_tokens'] >= 1024, 'thinking.enabled.budget_tokens: Input should be greater than or equal '
                 'to 1024')
            need(thinking['budget_tokens'] < q['max_tokens'], '`max_tokens` must be greater than `thinking.budget_tokens`')
            last = [m for m in q['messages'] if m['role'] == 'assistant'][-1:]
            blocks = last[0]['content'] if last and isinstance(last[0]['content'], list) else []
            need(not any(b['type'] == 'tool_use' for b in blocks) or 'thinking' in blocks[0]['type'],
                 'messages: Expected `thinking` or `redacted_thinking`, but found `tool_use`')
        elif kind is not None:
            need(kind in ('disabled', 'adaptive'), 'thinking: Input tag is unknown')
            need(kind != 'adaptive' or self.new, 'adaptive thinking is not supported on this model')
        if kind in ('enabled', 'adaptive'):
            need(q.get('temperature', 1) == 1, '`temperature` may only be set to 1 when thinking is enabled')
            need('top_k' not in q, '`top_k` must be unset when thinking is enabled')
            need(q.get('top_p', 1) >= 0.95, '`top_p` must be greater than or equal to 0.95 when thinking is enabled')
            need(q.get('tool_choice', {}).get('type') not in ('any', 'tool'),
                 'Thinking may not be enabled when tool_choice forces tool use.')

    def sampling(self):
        q = self.q
        old = not self.new and self.version == '2023-06-01'
        need(old or not any(n in q for n in ('temperature', 'top_p', 'top_k')),
             '`temperature` is deprecated for this model.')
        need(0 <= q.get('temperature', 1) <= 1, 'temperature: range: 0..1')

    def format(self):
        config = self.q.get('output_config', {})
        need(config.get('effort', 'low') in ('low', 'medium', 'high', 'xhigh', 'max'), 'output_config.effort: invalid')
        if 'format' in config:
            need(config['format'].get('type') == 'json_schema', 'output_config.format.type: invalid')
            self.closed(config['format']['schema'])

    def closed(self, schema):
        if not isinstance(schema, dict):
            return
        bad = UNSUPPORTED & set(schema)
        need(not bad, f'output_config.format.schema: For this type, properties {sorted(bad)} are not supported')
        if schema.get('type') == 'object':
            need(schema.get('additionalProperties') is False,
                 "output_config.format.schema: For 'object' type, 'additionalProperties' must be explicitly set to false")
        for name in ('properties', '$defs'):
            for inner in schema.get(name, {}).values():
                self.closed(inner)
        for inner in schema.get('anyOf', []) + schema.get('allOf', []) + [schema.get('items')]:
            self.closed(inner)


class AnthropicAnswer(Answer):
    id_field = 'request-id'

    def error(self, status, message, fields=()):
        if self.plan.has('html'):
            super().error(status, message, fields)
            return
        if self.plan.has('echo'):
            message += ': ' + self.seen.header('x-api-key')
        error = {'type': 'error', 'error': {'type': ERROR_TYPES.get(status, 'api_error'), 'message': message},
                 'request_id': f'req_fake{self.seen.n}'}
        self.whole(status, json_text(error).encode(), fields=fields)

    def head(self, status, fields, length=None):
        super().head(status, [('anthropic-ratelimit-requests-remaining', '49'), *fields], length)

    def run(self):
        plan, seen = self.plan, self.seen
        if seen.header('x-api-key') != self.fake.key or seen.header('authorization'):
            self.fake.violation(f'x-api-key is {seen.header("x-api-key")!r}')
            self.error(401, 'invalid x-api-key')
            return
        version = seen.header('anthropic-version')
        if version not in ('2023-06-01', '2026-10-21'):
            self.fake.violation(f'anthropic-version is {version!r}')
            self.error(400, 'anthropic-version: header is required')
            return
        self.peer.step = plan.number('write')
        self.peer.watch(plan.number('delay') / 1000)
        fault = plan.text('fault')
        if fault and plan.text('when', 'request') == 'request':
            self.fail(fault)
        counting = seen.path.endswith('/count_tokens')
        if not counting and not seen.path.endswith('/messages'):
            self.error(404, 'Not found')
            return
        if plan.has('status'):
            fields = [('Retry-After', plan.text('retry_after'))] if plan.has('retry_after') else []
            messages = {529: 'Overloaded', 400: 'prompt is too long: 210000 tokens > 200000 maximum'}
            self.error(plan.number('status'), messages.get(plan.number('status'), 'The fake was told to fail'), fields)
            return
        try:
            Check(seen.json, plan.name, counting, version).run()
        except Wrong as wrong:
            if not plan.has('loose'):
                self.fake.violation('the real API would refuse: ' + str(wrong))
            self.error(400, str(wrong))
            return
        if plan.has('early') and not seen.json.get('stream'):
            self.early_whole()
        elif counting:
            self.whole(200, json_text({'input_tokens': self.counts(0)[0]}).encode())
        elif seen.json.get('stream'):
            self.stream()
        else:
            self.message()

    def early_error(self, kind):
        name = {'overloaded': 'overloaded_error', 'limit': 'rate_limit_error', 'invalid': 'invalid_request_error'}[kind]
        return {'type': 'error', 'error': {'type': name, 'message': self.said(f'The fake says: {kind}')}}

    def early_event(self, kind):
        return self.event('error', self.early_error(kind))

    def early_prelude(self):
        return self.event('message_start', {'message': self.frame((9, 1, 0, 0))}) + self.event('ping', {})

    # --- what is answered ---

    def counts(self, words):
        """In, out, cached, reasoning, as all of them see it; Anthropic's own input leaves out what is cached."""
        tokens_in = 3 + len(json.dumps(self.seen.json['messages'])) // 4
        return tokens_in + (2300 if self.plan.has('cache') else 0), words + 2, 2000 if self.plan.has('cache') else 0, 0

    def usage(self, counts):
        cached, written = counts[2], 300 if counts[2] else 0
        usage = {'input_tokens': counts[0] - cached - written, 'cache_creation_input_tokens': written,
                 'cache_read_input_tokens': cached, 'output_tokens': counts[1], 'service_tier': 'standard'}
        if written:
            usage['cache_creation'] = {'ephemeral_5m_input_tokens': 100, 'ephemeral_1h_input_tokens': 200}
        return usage

    def tool_name(self):
        return (self.seen.json.get('tools') or [{'name': 'none'}])[0]['name']

    def is_forced_json(self):
        return self.seen.json.get('tool_choice', {}).get('name') == '_json_answer'

    def blocks(self):
        """The content, each block with the pieces that a stream tells it in."""
        plan, q = self.plan, self.seen.json
        if plan.has('thinking'):
            yield {'type': 'thinking', 'thinking': ''.join(THOUGHTS), 'signature': SIGNATURE}, THOUGHTS
        if plan.has('redacted'):
            yield {'type': 'redacted_thinking', 'data': REDACTED}, []
        if plan.has('server_tool'):
            yield {'type': 'server_tool_use', 'id': 'srvtoolu_1', 'name': 'web_search', 'input': {'query': 'tides'}}, \
                ['', '{"query":', '"tides"}']
            yield {'type': 'web_search_tool_result', 'tool_use_id': 'srvtoolu_1', 'content': [
                {'type': 'web_search_result', 'title': 'Tides', 'url': 'https://example.com', 'encrypted_content': 'EqgfC',
                 'page_age': None}]}, []
        if plan.has('tools') or plan.has('parallel') or plan.has('noargs') or self.is_forced_json():
            arguments = '{}' if plan.has('noargs') else '{"tide": "high"}' if self.is_forced_json() else ARGUMENTS
            for i in range(2 if plan.has('parallel') else 1):
                call = {'type': 'tool_use', 'id': f'toolu_{self.seen.n}_{i}', 'name': self.tool_name(),
                        'input': json.loads(arguments)}
                yield call, [''] + ([] if plan.has('noargs') else
                                    [arguments[k:k + 3] for k in range(0, len(arguments), 3)])
            return
        if 'format' in q.get('output_config', {}):
            yield {'type': 'text', 'text': '{"tide": "high"}'}, ['{"tide": ', '"high"}']
            return
        words = [WORDS[i % len(WORDS)] for i in range(plan.number('events', 3) if q.get('stream') else
                                                      plan.number('words', 5))]
        block = {'type': 'text', 'text': ''.join(words)}
        if plan.has('citations'):
            block['citations'] = [CITATION]
        yield block, words

    def reason(self, content):
        if self.plan.has('stop'):
            return self.plan.text('stop')
        return 'tool_use' if content and content[-1]['type'] == 'tool_use' else 'end_turn'

    def frame(self, counts):
        return {'id': f'msg_fake{self.seen.n}', 'type': 'message', 'role': 'assistant', 'model': self.plan.name,
                'content': [], 'stop_reason': None, 'stop_sequence': None, 'usage': self.usage(counts)}

    def message(self):
        content = [block for block, _ in self.blocks()]
        counts = self.counts(len(content))
        message = self.frame(counts)
        message['content'] = content
        message['stop_reason'] = self.reason(content)
        if message['stop_reason'] == 'stop_sequence':
            message['stop_sequence'] = self.seen.json['stop_sequences'][0]
        self.whole(200, json_text(message).encode(), usage=counts)

    # --- streams ---

    def event(self, name, value):
        end = '\r\n' if self.plan.text('eol') == 'crlf' else '\n'
        text = f'event: {name}{end}data: {json.dumps({"type": name, **value}, ensure_ascii=False)}{end}{end}'
        return ((': keep-alive' + end + end if self.plan.has('comments') else '') + text).encode()

    def tell(self, name, value):
        self.data(self.event(name, value))
        if self.plan.number('gap'):
            self.peer.watch(self.plan.number('gap') / 1000)

    def tell_block(self, i, block, pieces):
        kind = block['type']
        empty = {'text': {'text': ''}, 'thinking': {'thinking': '', 'signature': ''}, 'tool_use': {'input': {}},
                 'server_tool_use': {'input': {}}}.get(kind, {})
        start = {**block, **empty}
        start.pop('citations', None)
        self.tell('content_block_start', {'index': i, 'content_block': start})
        if i == 0:
            self.tell('ping', {})
        if self.plan.text('fault') and self.plan.text('when') == 'block':  # it has begun, and says nothing
            self.fail(self.plan.text('fault'))
        delta = {'text': ('text_delta', 'text'), 'thinking': ('thinking_delta', 'thinking')}.get(
            kind, ('input_json_delta', 'partial_json'))
        for k, piece in enumerate(pieces):
            self.tell('content_block_delta', {'index': i, 'delta': {'type': delta[0], delta[1]: piece}})
            if self.plan.has('error_event') and k == 1:
                self.tell('error', {'error': {'type': 'overloaded_error', 'message': self.said('Overloaded')}})
                return False
            if self.plan.text('fault') and self.plan.text('when') == 'body' and k == 1:
                self.fail(self.plan.text('fault'))
        for citation in block.get('citations', []):
            self.tell('content_block_delta', {'index': i, 'delta': {'type': 'citations_delta', 'citation': citation}})
        if kind == 'thinking':
            self.tell('content_block_delta', {'index': i, 'delta': {'type': 'signature_delta', 'signature': SIGNATURE}})
        if self.plan.has('cut'):
            return False
        self.tell('content_block_stop', {'index': i})
        return True

    def stream(self):
        self.head(200, [('Content-Type', self.plan.text('type', 'text/event-stream; charset=utf-8')),
                        ('Cache-Control', 'no-cache')])
        self.peer.watch(self.plan.number('after_head') / 1000)
        if self.plan.has('early'):
            self.early()
            return
        blocks = list(self.blocks())
        counts = self.counts(sum(len(pieces) for _, pieces in blocks))
        self.tell('message_start', {'message': self.frame((*counts[:1], 1, *counts[2:]))})
        if self.plan.has('endless'):
            self.tell('content_block_start', {'index': 0, 'content_block': {'type': 'text', 'text': ''}})
            while True:
                self.tell('content_block_delta', {'index': 0, 'delta': {'type': 'text_delta', 'text': 'drip '}})
                self.body.clear()
        for i, (block, pieces) in enumerate(blocks):
            if not self.tell_block(i, block, pieces):
                self.end()
                return
        reason = self.reason([block for block, _ in blocks])
        stop = self.seen.json['stop_sequences'][0] if reason == 'stop_sequence' else None
        self.tell('message_delta', {'delta': {'stop_reason': reason, 'stop_sequence': stop},
                                    'usage': {'output_tokens': counts[1]}})
        if self.plan.text('when') == 'finish':
            self.fail(self.plan.text('fault'))
        self.data(self.event('message_stop', {}))
        self.end(counts)


class AnthropicUpstream(FakeUpstream):
    not_for_providers = tuple(n for n in FakeUpstream.not_for_providers if n != 'x-api-key') + ('authorization',)

    def __init__(self, key='sk-ant-fake', **more):
        super().__init__(**more)
        self.key = key

    def answer(self, peer, seen):
        answer = AnthropicAnswer(peer, seen)
        if seen.path.startswith('/_control/'):
            self.control(answer)
            return
        if seen.method == 'GET':
            if seen.header('x-api-key') != self.key or not seen.header('anthropic-version'):
                self.violation(f'asked for models with {seen.headers}')
            answer.whole(200, json_text({'data': [{'type': 'model', 'id': 'claude-fake', 'display_name': 'Claude Fake',
                                                   'created_at': '2025-02-19T00:00:00Z'}], 'has_more': False,
                                         'first_id': 'claude-fake', 'last_id': 'claude-fake'}).encode())
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
    parser = argparse.ArgumentParser(description="A stand-in for Anthropic's API.")
    parser.add_argument('--port', type=int, default=0)
    parser.add_argument('--key', default='sk-ant-fake')
    args = parser.parse_args()
    fake = AnthropicUpstream(key=args.key, port=args.port).start()
    print(fake.base_url, flush=True)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        fake.stop()


if __name__ == '__main__':
    main()
