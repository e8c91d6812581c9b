#!/usr/bin/env python3
# Anthropic's interface: its clients against providers of its own dialect, whose bytes pass through, and of OpenAI's;
# OpenAI's clients against Anthropic; errors, streams, what is dropped, strict mode, models, counting of tokens.
import json

from harness import Suite, eventually, fake_provider, main, run_cli

from anthropic_upstream import REDACTED, SIGNATURE, THOUGHTS, AnthropicUpstream

ARGUMENTS = {'city': 'Zürich', 'unit': '°C', 'n': 1.5}
SCHEMA = {'type': 'object', 'properties': {'city': {'type': 'string'}}}
WEATHER = {'name': 'weather', 'description': 'The weather', 'input_schema': SCHEMA}
WEATHER_OPENAI = {'type': 'function', 'function': {'name': 'weather', 'parameters': SCHEMA}}
PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='
VERSION = {'anthropic-version': '2023-06-01'}


def sse(body):
    """Name and data of each event."""
    out = []
    for event in body.decode().split('\n\n'):
        lines = dict(line.split(': ', 1) for line in event.split('\n') if ': ' in line)
        if lines:
            out.append((lines.get('event'), json.loads(lines['data'])))
    return out


def gathered(events):
    """The message that a stream tells, checked for the order that its clients rely on."""
    assert events[0][0] == 'message_start', events[0]
    message, open_block = events[0][1]['message'], None
    for name, data in events[1:]:
        assert name == data['type'], (name, data)
        if name == 'content_block_start':
            assert open_block is None and data['index'] == len(message['content']), 'blocks overlap'
            open_block = data['content_block']
            message['content'].append(open_block)
            open_block['json'] = ''
        elif name == 'content_block_delta':
            assert open_block is not None and data['index'] == len(message['content']) - 1
            delta = data['delta']
            if delta['type'] == 'text_delta':
                open_block['text'] += delta['text']
            elif delta['type'] == 'thinking_delta':
                open_block['thinking'] += delta['thinking']
            elif delta['type'] == 'signature_delta':
                open_block['signature'] = delta['signature']
            elif delta['type'] == 'input_json_delta':
                open_block['json'] += delta['partial_json']
            elif delta['type'] == 'citations_delta':
                open_block.setdefault('citations', []).append(delta['citation'])
        elif name == 'content_block_stop':
            if open_block['type'] == 'tool_use':
                open_block['input'] = json.loads(open_block['json'] or '{}')
            del open_block['json']
            open_block = None
        elif name == 'message_delta':
            assert open_block is None
            message.update(data['delta'])
            message['usage'].update(data['usage'])
    assert open_block is None and events[-1][0] == 'message_stop', events[-1]
    return message


class Anthropic(Suite):
    @classmethod
    def config(cls):
        cls.claude = AnthropicUpstream().start()
        cls.addClassCleanup(cls.claude.stop)
        claude = {'api_key': 'sk-ant-fake', 'base_url': cls.claude.base_url}
        return {'providers': [fake_provider(cls.fake), {'name': 'claude', 'kind': 'anthropic', **claude},
                              fake_provider(cls.fake, 'compatible', kind='anthropic', dialect='openai'),
                              {'name': 'other', 'kind': 'vllm', 'dialect': 'anthropic', **claude}]}

    def setUp(self):
        super().setUp()
        self.claude.reset()

    def tearDown(self):
        self.assertEqual(self.claude.violations, [])
        super().tearDown()

    def messages(self, model, content='Hello', headers=None, **more):
        body = {'model': model, 'max_tokens': 100, 'messages': [{'role': 'user', 'content': content}], **more}
        return self.server.post('/v1/messages', json.dumps(body).encode(),
                                {'x-api-key': self.server.key, 'Authorization': None, **VERSION, **(headers or {})})

    def seen(self, fake=None):
        return (fake or self.claude).seen[-1]

    # --- Anthropic's client, Anthropic's provider ---

    def test_bytes_pass_through(self):
        body = ('{ "max_tokens" :100,"model":"claude/x;thinking" , "metadata":{"user_id":"\\u00fc"},"messages":[{"role":'
                '"user","content":[{"type":"text","text":"a","cache_control":{"ttl":"1h","type":"ephemeral"}}]}],'
                '"inference_geo":"eu"}')
        reply = self.server.post('/v1/messages', body.encode(), {**VERSION, 'anthropic-beta': 'some-2026-01-01'})
        self.assertEqual(reply.status, 200, reply)
        self.assertEqual(self.seen().body.decode(), body.replace('claude/x;thinking', 'x;thinking'))
        self.assertEqual(reply.body, self.seen().answer_body)
        self.assertEqual(self.seen().header('anthropic-beta'), 'some-2026-01-01')
        self.assertEqual(self.seen().header('anthropic-version'), '2023-06-01')
        self.assertEqual(reply.header('request-id'), reply.request_id)
        self.assertEqual(reply.header('x-penstock-upstream-request-id'), 'fake_0')
        self.assertEqual(reply.header('anthropic-ratelimit-requests-remaining'), '49')

    def test_streams_pass_through(self):
        for options in ('thinking;tools', 'redacted', 'server_tool', 'citations', 'cache', 'write=1', 'eol=crlf', 'comments',
                        'cut', 'error_event'):
            reply = self.messages('claude/x;' + options, stream=True, tools=[WEATHER])
            self.assertEqual(reply.body, self.seen().answer_body, options)

    def test_usage_is_recorded(self):
        for stream in (False, True):
            reply = self.messages('claude/x;cache', stream=stream)
            counts = self.seen().usage
            rows = eventually(lambda: [r for r in self.server.usage('--limit', '3')
                                       if r['request_id'] == reply.request_id])
            self.assertEqual([rows[0][k] for k in ('input_tokens', 'output_tokens', 'cached_tokens', 'cache_write_tokens')],
                             [*counts[:3], 300])

    def test_max_tokens_is_supplied(self):
        reply = self.server.post('/v1/messages', b'{"model":"claude/claude-3-haiku-x","messages":[{"role":"user","content":"a"}]}',
                                 VERSION)
        self.assertEqual(reply.status, 200, reply)
        self.assertEqual(self.seen().json['max_tokens'], 4096)

    def test_tokens_are_counted_by_the_provider(self):
        body = b'{"model":"claude/x","messages":[{"role":"user","content":"abc"}]}'
        reply = self.server.post('/v1/messages/count_tokens', body, VERSION)
        self.assertEqual(reply.body, self.seen().answer_body)
        self.assertEqual(self.seen().path, '/v1/messages/count_tokens')
        self.assertEqual(reply.header('x-penstock-cost-usd'), '0')

    # --- Anthropic's client, OpenAI's provider ---

    def test_translated(self):
        reply = self.messages('fake/x', system='Be brief', temperature=0.5, stop_sequences=['END'],
                              metadata={'user_id': 'u'}, headers={'anthropic-beta': 'x'})
        self.assertEqual(reply.status, 200, reply)
        message = reply.json()
        self.assertEqual(message['content'], [{'type': 'text', 'text': 'Wasser strömt durch das Tor'}])
        self.assertEqual((message['type'], message['role'], message['stop_reason']), ('message', 'assistant', 'end_turn'))
        self.assertRegex(message['id'], '^msg_')
        self.assertEqual(message['model'], 'fake/x')
        seen = self.fake.seen[-1]
        self.assertEqual(message['usage']['input_tokens'] + message['usage']['cache_read_input_tokens'], seen.usage[0])
        self.assertEqual(message['usage']['output_tokens'], seen.usage[1])
        self.assertEqual(seen.json['messages'], [{'role': 'system', 'content': 'Be brief'},
                                                 {'role': 'user', 'content': 'Hello'}])
        self.assertEqual(seen.json['stop'], ['END'])
        self.assertEqual(seen.path, '/v1/chat/completions')

    def test_translated_tools(self):
        results = [{'role': 'user', 'content': 'Hi'},
                   {'role': 'assistant', 'content': [{'type': 'text', 'text': 'Look'}, {
                       'type': 'tool_use', 'id': 'toolu_1', 'name': 'weather', 'input': ARGUMENTS}]},
                   {'role': 'user', 'content': [{'type': 'tool_result', 'tool_use_id': 'toolu_1', 'content': 'rain ☔'},
                                                {'type': 'text', 'text': 'and?'}]}]
        for stream in (False, True):
            reply = self.messages('fake/x;tools', tools=[WEATHER], messages=results, stream=stream,
                                  tool_choice={'type': 'any', 'disable_parallel_tool_use': True})
            self.assertEqual(reply.status, 200, reply)
            message = gathered(sse(reply.body)) if stream else reply.json()
            call = message['content'][-1]
            self.assertEqual((call['type'], call['name'], call['input']), ('tool_use', 'weather', ARGUMENTS))
            self.assertEqual(message['stop_reason'], 'tool_use')
            q = self.fake.seen[-1].json
            self.assertEqual([m['role'] for m in q['messages']], ['user', 'assistant', 'tool', 'user'])
            self.assertEqual(json.loads(q['messages'][1]['tool_calls'][0]['function']['arguments']), ARGUMENTS)
            self.assertEqual(q['messages'][2]['tool_call_id'], 'toolu_1')
            self.assertEqual(q['tool_choice'], 'required')
            self.assertEqual(q['parallel_tool_calls'], False)
            self.assertEqual(q['tools'][0]['function']['name'], 'weather')

    def test_translated_streams(self):
        for options in ('x', 'x;write=1', 'x;eol=crlf', 'x;comments', 'x;usage=none', 'x;nodone', 'x;multiline'):
            reply = self.messages('fake/' + options, stream=True)
            self.assertEqual(reply.header('content-type'), 'text/event-stream', options)
            message = gathered(sse(reply.body))
            self.assertEqual(message['content'], [{'type': 'text', 'text': ' strömt durch das'}], options)
            self.assertEqual(message['stop_reason'], 'end_turn')
            if 'none' not in options:
                counts = self.fake.seen[-1].usage
                told = message['usage']
                self.assertEqual(told['input_tokens'] + told['cache_read_input_tokens'], counts[0])
                self.assertEqual(told['output_tokens'], counts[1])

    def test_translated_pictures(self):
        reply = self.messages('fake/x', content=[
            {'type': 'text', 'text': 'What?'},
            {'type': 'image', 'source': {'type': 'base64', 'media_type': 'image/png', 'data': PNG}},
            {'type': 'image', 'source': {'type': 'url', 'url': 'https://example.com/a.png'}}])
        self.assertEqual(reply.status, 200, reply)
        content = self.fake.seen[-1].json['messages'][0]['content']
        self.assertEqual([p.get('image_url', {}).get('url') for p in content],
                         [None, 'data:image/png;base64,' + PNG, 'https://example.com/a.png'])

    def test_what_is_dropped_is_named(self):
        reply = self.messages('fake/x', top_k=5, container='c', tools=[{'type': 'web_search_20250305', 'name': 'web_search'}])
        self.assertEqual(reply.status, 200, reply)
        dropped = reply.header('x-penstock-dropped-params').split(', ')
        self.assertIn('top_k', dropped)
        self.assertIn('container', dropped)
        strict = self.messages('fake/x', top_k=5, headers={'x-penstock-strict': 'true'})
        self.assertEqual(strict.status, 400)
        self.assertEqual(strict.json()['error']['type'], 'invalid_request_error')
        self.assertIn('top_k', strict.json()['error']['message'])
        self.assertEqual(self.messages('fake/x', strict=True, top_k=5).status, 400)
        self.assertIsNone(self.messages('fake/x').header('x-penstock-dropped-params'))

    def test_tokens_are_counted_here(self):
        def count(**more):
            body = {'model': 'fake/x', 'messages': [{'role': 'user', 'content': 'The tide rises.'}], **more}
            reply = self.server.post('/v1/messages/count_tokens', json.dumps(body).encode(), VERSION)
            self.assertEqual(reply.status, 200, reply)
            self.assertEqual(list(reply.json()), ['input_tokens'])
            return reply.json()['input_tokens']
        few = count()
        self.assertTrue(5 <= few <= 20, few)
        self.assertGreater(count(system='Be brief'), few)
        self.assertGreater(count(tools=[WEATHER]), few + 10)
        many = count(messages=[{'role': 'user', 'content': 'The tide rises. ' * 20000}])
        self.assertTrue(70000 <= many <= 100000, many)
        self.assertEqual(self.fake.seen, [])
        wrong = self.server.post('/v1/messages/count_tokens', b'{"model":"fake/x","messages":[{"role":"x","content":"a"}]}',
                                 VERSION)
        self.assertEqual((wrong.status, wrong.json()['error']['type']), (400, 'invalid_request_error'))

    # --- OpenAI's client, Anthropic's provider ---

    def test_openai_client(self):
        reply = self.server.chat('claude/x', temperature=0.3, max_tokens=50, user='u', stop='END')
        self.assertEqual(reply.status, 200, reply)
        answer = reply.json()
        self.assertEqual(answer['choices'][0]['message']['content'], 'Wasser strömt durch das Tor')
        self.assertEqual(answer['choices'][0]['finish_reason'], 'stop')
        self.assertEqual(answer['usage']['prompt_tokens'], self.seen().usage[0])
        q = self.seen().json
        self.assertEqual((q['max_tokens'], q['temperature'], q['stop_sequences'], q['metadata']),
                         (50, 0.3, ['END'], {'user_id': 'u'}))
        self.assertEqual(self.seen().path, '/v1/messages')
        self.server.chat('claude/x')
        self.assertEqual(self.seen().json['max_tokens'], 8192)

    def test_openai_tools(self):
        messages = [{'role': 'system', 'content': 'a'}, {'role': 'user', 'content': 'b'},
                    {'role': 'assistant', 'content': None, 'tool_calls': [
                        {'id': 'call:1', 'type': 'function', 'function': {'name': 'weather', 'arguments': ''}},
                        {'id': 'call_2', 'type': 'function', 'function': {'name': 'weather', 'arguments': '{"city":"B"}'}}]},
                    {'role': 'tool', 'tool_call_id': 'call_2', 'content': 'rain'},
                    {'role': 'tool', 'tool_call_id': 'call:1', 'content': 'sun'}]
        for options in ('tools', 'parallel', 'noargs'):
            for stream in (False, True):
                body = json.dumps({'model': 'claude/x;' + options, 'messages': messages, 'tools': [WEATHER_OPENAI],
                                   'stream': stream}).encode()
                reply = self.server.post('/v1/chat/completions', body)
                self.assertEqual(reply.status, 200, reply)
                if stream:
                    calls = {}
                    for event in reply.events():
                        for choice in json.loads(event)['choices'] if event != '[DONE]' else []:
                            for piece in choice['delta'].get('tool_calls', []):
                                call = calls.setdefault(piece['index'], {'arguments': ''})
                                call.update({k: v for k, v in piece['function'].items() if k != 'arguments'})
                                call['arguments'] += piece['function'].get('arguments', '')
                            finish = choice.get('finish_reason')
                    calls = list(calls.values())
                else:
                    calls = [c['function'] for c in reply.json()['choices'][0]['message']['tool_calls']]
                    finish = reply.json()['choices'][0]['finish_reason']
                self.assertEqual(finish, 'tool_calls')
                self.assertEqual([json.loads(c['arguments']) for c in calls],
                                 [{} if options == 'noargs' else ARGUMENTS] * (2 if options == 'parallel' else 1))
        sent = self.seen().json['messages']
        self.assertEqual([m['role'] for m in sent], ['user', 'assistant', 'user'])
        self.assertEqual(sent[1]['content'][0], {'type': 'tool_use', 'id': '_enc_call_3a1', 'name': 'weather', 'input': {}})

    def test_openai_schema(self):
        schema = {'type': 'object', 'properties': {'tide': {'type': 'string', 'maxLength': 9}}, 'required': ['tide']}
        form = {'type': 'json_schema', 'json_schema': {'name': 'tides', 'strict': True, 'schema': schema}}
        for model in ('x', 'claude-3-5-sonnet-20241022'):
            for stream in (False, True):
                reply = self.server.chat('claude/' + model, response_format=form, stream=stream)
                self.assertEqual(reply.status, 200, reply)
                chunks = [json.loads(e) for e in reply.events() if e != '[DONE]'] if stream else []
                text = ''.join(c['delta'].get('content') or '' for k in chunks for c in k['choices']) if stream else \
                    reply.json()['choices'][0]['message']['content']
                self.assertEqual(json.loads(text), {'tide': 'high'})
                finish = [c['finish_reason'] for k in chunks for c in k['choices']][-1] if stream else \
                    reply.json()['choices'][0]['finish_reason']
                self.assertEqual(finish, 'stop', model)

    def test_openai_reasoning(self):
        reply = self.server.chat('claude/claude-opus-4-8;thinking', reasoning_effort='high', temperature=0.2)
        self.assertEqual(reply.status, 200, reply)
        self.assertEqual(self.seen().json['thinking'], {'type': 'adaptive', 'display': 'summarized'})
        self.assertEqual(self.seen().json['output_config'], {'effort': 'high'})
        self.assertEqual(reply.header('x-penstock-dropped-params'), 'temperature')
        reply = self.server.chat('claude/claude-sonnet-4-5;redacted', reasoning_effort='low', max_tokens=3000)
        self.assertEqual(self.seen().json['thinking'], {'type': 'enabled', 'budget_tokens': 2999})
        self.assertEqual(reply.json()['choices'][0]['message']['content'], 'Wasser strömt durch das Tor')

    # --- errors ---

    def test_errors(self):
        wrong = self.server.post('/v1/messages', b'{"model":"claude/x"}', {'x-api-key': 'ps-wrong', 'Authorization': None})
        self.assertEqual((wrong.status, wrong.json()['error']['type']), (401, 'authentication_error'))
        self.assertEqual(wrong.json()['type'], 'error')
        self.assertEqual(wrong.json()['request_id'], wrong.request_id)
        missing = self.messages('nothing')
        self.assertEqual((missing.status, missing.json()['error']['type']), (404, 'not_found_error'))
        invalid = self.messages('fake/x', content=[{'type': 'text'}])
        self.assertEqual((invalid.status, invalid.json()['error']['type']), (400, 'invalid_request_error'))
        self.assertIn('messages[0].content[0].text', invalid.json()['error']['message'])
        for status, kind in ((429, 'rate_limit_error'), (529, 'overloaded_error'), (400, 'invalid_request_error')):
            same = self.messages(f'claude/x;status={status};retry_after=3')
            self.assertEqual((same.status, same.body), (status, self.seen().answer_body))
            self.assertEqual(same.header('retry-after'), '3')
            other = self.messages(f'fake/x;status={status}')
            self.assertEqual((other.status, other.json()['error']['type']), (status, kind))
            self.assertEqual(other.json()['error']['message'], 'The fake was told to fail')
        openai = self.server.chat('claude/x;status=529')
        self.assertEqual((openai.status, openai.json()['error']['message']), (529, 'Overloaded'))
        echo = self.messages('claude/x;status=400;echo')
        self.assertNotIn(b'sk-ant-fake', echo.body)
        key = self.messages('claude/x;status=401')
        self.assertEqual(key.status, 502)

    def test_errors_amid_a_stream(self):
        reply = self.messages('fake/x;error_event', stream=True)
        events = sse(reply.body)
        self.assertEqual(events[-1][0], 'error')
        self.assertEqual(events[-1][1]['error']['message'], 'The fake broke off')
        for model in ('fake/x;fault=close;when=body', 'claude/x;fault=close;when=body'):
            events = sse(self.messages(model, stream=True).body)
            self.assertEqual((events[-1][0], events[-1][1]['type']), ('error', 'error'), model)
            self.assertEqual([name for name, _ in events].count('message_start'), 1, model)
        chunks = self.server.chat('claude/x;error_event', stream=True).events()
        self.assertEqual(json.loads(chunks[-1] if chunks[-1] != '[DONE]' else chunks[-2])['error']['message'], 'Overloaded')

    def test_a_stream_that_lacks_its_end(self):
        body = self.server.chat('claude/x;cut', stream=True)
        self.assertEqual(body.events()[-1], '[DONE]')
        self.assertEqual(json.loads(body.events()[-2])['choices'][0]['finish_reason'], 'stop')

    # --- models ---

    def test_models(self):
        listed = self.server.get('/v1/models', self.server.key, VERSION).json()
        self.assertEqual(set(listed), {'data', 'has_more', 'first_id', 'last_id'})
        self.assertEqual(listed['has_more'], False)
        names = [m['id'] for m in listed['data']]
        self.assertIn('claude-fake', names)
        self.assertEqual((listed['first_id'], listed['last_id']), (names[0], names[-1]))
        self.assertEqual(listed['data'][0]['type'], 'model')
        self.assertRegex(listed['data'][0]['created_at'], r'^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d')
        one = self.server.get('/v1/models/claude-fake', self.server.key, VERSION)
        self.assertEqual((one.json()['id'], one.json()['display_name']), ('claude-fake',) * 2)
        none = self.server.get('/v1/models/nothing', self.server.key, VERSION)
        self.assertEqual((none.status, none.json()['error']['type']), (404, 'not_found_error'))
        self.assertEqual(self.server.get('/v1/models', self.server.key).json()['object'], 'list')

    def test_pages_of_models(self):
        server = self.spawn({'providers': [fake_provider(self.fake)], 'models': [
            {'name': name, 'targets': [{'provider': 'fake', 'model': 'm'}]} for name in ('one', 'two', 'three')]})

        def page(query):
            reply = server.get('/v1/models?' + query, server.key, VERSION)
            self.assertEqual(reply.status, 200, reply)
            data = reply.json()
            names = [m['id'] for m in data['data']]
            self.assertEqual((data['first_id'], data['last_id']), (names[0], names[-1]) if names else (None, None))
            return names, data['has_more']
        self.assertEqual(page('limit=2'), (['one', 'two'], True))
        self.assertEqual(page('limit=2&after_id=two'), (['three'], False))
        self.assertEqual(page('limit=3'), (['one', 'two', 'three'], False))
        self.assertEqual(page('after_id=three'), ([], False))
        self.assertEqual(page('limit=1&before_id=three'), (['two'], True))
        self.assertEqual(page('limit=5&before_id=three'), (['one', 'two'], False))
        for wrong in 'limit=0', 'limit=x', 'limit=1001', 'after_id=nothing', 'before_id=four':
            reply = server.get('/v1/models?' + wrong, server.key, VERSION)
            self.assertEqual((reply.status, reply.json()['error']['type']), (400, 'invalid_request_error'), wrong)

    def test_the_dialect_is_said(self):
        for client in (self.messages, self.server.chat):
            self.assertEqual(client('compatible/x').status, 200)
            self.assertEqual(self.fake.seen[-1].path, '/v1/chat/completions')
            self.assertEqual(client('other/x').status, 200)
            self.assertEqual(self.seen().path, '/v1/messages')

    def test_a_provider_is_tried(self):
        """`config test` asks for its models as Anthropic wants to be asked."""
        done = run_cli('config', 'test', self.server.config_path)
        self.assertIn('claude', done.stdout)
        self.assertTrue(any(s.path == '/v1/models?limit=1000' for s in self.claude.seen), self.claude.seen)

    def test_thoughts_and_signatures_come_back(self):
        """What an answer says can be sent back byte for byte."""
        reply = self.messages('claude/x;thinking;redacted;tools', tools=[WEATHER],
                              thinking={'type': 'enabled', 'budget_tokens': 1024}, max_tokens=2000)
        content = reply.json()['content']
        self.assertEqual(content[0], {'type': 'thinking', 'thinking': ''.join(THOUGHTS), 'signature': SIGNATURE})
        self.assertEqual(content[1]['data'], REDACTED)
        again = self.messages('claude/x', tools=[WEATHER], thinking={'type': 'enabled', 'budget_tokens': 1024}, max_tokens=2000,
                              messages=[{'role': 'user', 'content': 'Hi'}, {'role': 'assistant', 'content': content},
                                        {'role': 'user', 'content': [{'type': 'tool_result', 'content': 'rain',
                                                                      'tool_use_id': content[2]['id']}]}])
        self.assertEqual(again.status, 200, again)


if __name__ == '__main__':
    main()
