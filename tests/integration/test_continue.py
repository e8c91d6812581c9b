#!/usr/bin/env python3
# A stream that breaks off in the middle of its text, gone on with by the next target: one message, whatever the client speaks.
import json

from harness import Suite, chat_body, eventually, fake_provider, main, request_bytes
from anthropic_upstream import AnthropicUpstream
from gemini_upstream import GeminiUpstream
from responses_upstream import ResponsesFake
from test_opening import CLIENTS

FIRST = ' strömt durch'  # before it breaks
BREAKS = {'reset': 'events=6;gap=10;fault=reset;when=body', 'error': 'events=6;gap=10;error_event_at=3', 'hang': 'events=6;fault=hang;when=body'}


def sse(reply):
    return [json.loads(e) for e in reply.events() if e != '[DONE]']


def text_openai(test, reply):
    chunks = sse(reply)
    test.assertEqual(len({c['id'] for c in chunks}), 1)
    test.assertEqual(reply.events()[-1], '[DONE]')
    deltas = [c['choices'][0]['delta'] for c in chunks if c['choices']]
    test.assertEqual([d['role'] for d in deltas if d.get('role')], ['assistant'])
    test.assertEqual([c['choices'][0]['finish_reason'] for c in chunks if c['choices'] and c['choices'][0]['finish_reason']], ['stop'])
    return ''.join(d.get('content') or '' for d in deltas)


def text_anthropic(test, reply):
    events = sse(reply)
    kinds = [e['type'] for e in events if e['type'] != 'ping']
    test.assertEqual((kinds[0], kinds[-2:]), ('message_start', ['message_delta', 'message_stop']))
    test.assertEqual((kinds.count('message_start'), kinds.count('content_block_start'), kinds.count('content_block_stop')), (1, 1, 1))
    return ''.join(e['delta']['text'] for e in events if e['type'] == 'content_block_delta')


def text_responses(test, reply):
    events = sse(reply)
    test.assertEqual([e['sequence_number'] for e in events], list(range(len(events))))
    kinds = [e['type'] for e in events]
    test.assertEqual((kinds.count('response.created'), kinds.count('response.completed')), (1, 1))
    test.assertEqual(len({e['response']['id'] for e in events if 'response' in e}), 1)
    text = ''.join(e['delta'] for e in events if e['type'] == 'response.output_text.delta')
    test.assertEqual(events[-1]['response']['output'][-1]['content'][0]['text'], text)
    return text


def text_gemini(test, reply):
    candidates = [e['candidates'][0] for e in sse(reply) if e.get('candidates')]
    test.assertEqual([c['finishReason'] for c in candidates if c.get('finishReason')], ['STOP'])
    return ''.join(p.get('text', '') for c in candidates for p in c.get('content', {}).get('parts', []))


def text_ollama(test, reply):
    lines = [json.loads(line) for line in reply.body.decode().split('\n') if line]
    test.assertEqual([line['done'] for line in lines], [False] * (len(lines) - 1) + [True])
    return ''.join(line['message']['content'] for line in lines)


TEXTS = {'openai': text_openai, 'anthropic': text_anthropic, 'responses': text_responses, 'gemini': text_gemini, 'ollama': text_ollama}


class Continuing(Suite):
    @classmethod
    def config(cls):
        cls.fakes = {'anthropic': AnthropicUpstream(), 'gemini': GeminiUpstream(), 'responses': ResponsesFake(), 'openai': cls.fake}
        for name, fake in cls.fakes.items():
            if name != 'openai':
                fake.start()
                cls.addClassCleanup(fake.stop)

        def model(name, *targets, go_on=1, **routing):
            return {'name': name, 'strategy': 'priority', 'price': {'input': 1000, 'output': 1000},
                    'targets': [{'provider': p, 'model': m} for p, m in targets],
                    'routing': {'continue': go_on, 'breaker': {'failures': 0, 'min_requests': 1000}, 'retry': {'share': 1}, **routing}}

        seconds = {'openai': ('openai', 'second;events=3'), 'prefill': ('anthropic', 'claude-sonnet-4-5'),
                   'modern': ('anthropic', 'claude-opus-5'), 'gemini': ('gemini', 'gemini-2'), 'responses': ('responses', 'r')}
        cut = ('openai', 'cut;' + BREAKS['reset'])
        told = ('anthropic', 'claude-sonnet-4-5;events=5;fault=reset;when=body')  # tells of its input as it begins
        models = [model(f'{name}-{second}', ('openai', f'{name};{how}'), seconds[second],
                        **({'timeouts': {'inter_token': '300ms'}} if name == 'hang' else {}))
                  for name, how in BREAKS.items() for second in seconds]
        models += [model(f'from-{name}', (name, how), seconds['openai']) for name, how in
                   (told, ('gemini', 'gemini-2;events=5;fault=reset;when=body'),
                    ('responses', 'r;words=9;fault=reset'))]
        models += [model('off', cut, seconds['openai'], go_on=0), model('well', ('openai', 'well;events=5'), seconds['openai']),
                   model('alone', cut), model('twice', cut, ('openai', 'cut2;' + BREAKS['reset']), seconds['openai'], go_on=2),
                   model('once', cut, ('openai', 'cut2;' + BREAKS['reset']), seconds['openai']),
                   model('ill', cut, ('openai', 'ill;status=500'), ('openai', 'ill2;early=overloaded'), seconds['openai']),
                   model('all-ill', cut, ('openai', 'ill3;status=500'), ('openai', 'ill4;status=400')),
                   model('whole', cut, ('openai', 'json;type=application/json;events=3')),
                   model('tools', ('openai', 'calls;tools=1;events=6;fault=reset;when=body'), seconds['openai']),
                   model('thoughts', ('openai', 'thinks;reasoning=reasoning_content;events=2;fault=reset;when=body'), seconds['openai']),
                   model('nothing', ('openai', 'role;events=6;gap=10;error_event_at=1'), seconds['openai']),
                   model('hurried', cut, ('openai', 'late;after_head=20000'), seconds['openai'], timeouts={'first_token': '300ms'}),
                   model('counts', told, ('openai', 'x;status=400')), model('counts-late', told, ('openai', 'late2;after_head=20000')),
                   model('counts-twice', cut, told),
                   model('begun', ('anthropic', 'claude-sonnet-4-5;fault=reset;when=block'), ('openai', 'late3;after_head=20000')),
                   model('ill-whole', cut, ('openai', 'tells;body=error'), seconds['openai']),
                   model('torn', ('openai', 'torn;events=2;gap=10;torn'), seconds['openai']),
                   model('late-error', ('openai', 'late;events=2;gap=10;error_event_at=3'), seconds['openai']),
                   model('done', ('openai', 'done;events=1;gap=10;fault=reset;when=body'), seconds['openai'])]
        cls.made = {'providers': [fake_provider(cls.fake, 'openai'),
                              {**fake_provider(cls.fakes['responses'], 'responses'), 'dialect': 'responses'},
                              {'name': 'anthropic', 'kind': 'anthropic', 'base_url': cls.fakes['anthropic'].base_url, 'api_key': 'sk-ant-fake'},
                              {'name': 'gemini', 'kind': 'gemini', 'base_url': cls.fakes['gemini'].base_url, 'api_key': cls.fakes['gemini'].key}],
                'models': models, 'log': {'level': 'debug', 'format': 'json'}}
        return cls.made

    def setUp(self):
        super().setUp()
        for fake in self.fakes.values():
            fake.reset()

    def ask(self, client, model, **more):
        path, body = CLIENTS[client](model, True)
        reply = self.server.post(path, json.dumps({**body, **more}).encode())
        self.assertEqual(reply.status, 200, reply)
        return reply

    def line(self, reply):
        return eventually(lambda: [l for l in self.server.log_lines() if l.get('request_id') == reply.request_id and l['msg'] == 'request'])[0]

    def test_every_dialect(self):
        """Each break, each client, each kind of second target."""
        for how in BREAKS:
            for second, words in (('openai', ' strömt durch'), ('prefill', 'Wasser strömt durch'), ('modern', 'Wasser strömt durch'),
                                  ('gemini', 'Wasser strömt durch'), ('responses', 'Wasser strömt durch das')):
                for client in CLIENTS if how != 'hang' else ('openai', 'responses'):
                    if how != 'reset' and second != 'openai':
                        continue
                    with self.subTest(how, second=second, client=client):
                        reply = self.ask(client, f'{how}-{second}')
                        self.assertEqual(TEXTS[client](self, reply), FIRST + words)
                        record = self.record_of(reply.request_id)
                        self.assertEqual((record['status'], record['error'], record['attempts']), (200, None, 1))
        for name, fake in self.fakes.items():
            self.assertEqual([v for v in fake.violations if 'bytes came' not in v], [], name)

    def test_from_every_dialect(self):
        for name in ('anthropic', 'gemini', 'responses'):
            for client in CLIENTS:
                with self.subTest(name, client=client):
                    text = TEXTS[client](self, self.ask(client, f'from-{name}'))
                    self.assertRegex(text, '^Wasser.* strömt durch$')

    def test_what_the_second_is_asked(self):
        self.ask('openai', 'reset-prefill')
        messages = self.fakes['anthropic'].seen[-1].json['messages']
        self.assertEqual([m['role'] for m in messages], ['user', 'assistant'])
        self.assertIn(FIRST, json.dumps(messages[-1], ensure_ascii=False))
        self.ask('openai', 'reset-modern', max_tokens=100)
        sent = self.fakes['anthropic'].seen[-1].json
        self.assertEqual([m['role'] for m in sent['messages']], ['user', 'assistant', 'user'])
        self.assertIn('broke off', json.dumps(sent['messages'][-1]))
        self.assertLess(sent['max_tokens'], 100)
        self.ask('openai', 'reset-openai', temperature=0.5, tools=[{'type': 'function', 'function': {'name': 'f', 'parameters': {'type': 'object'}}}])
        sent = self.fake.seen[-1].json
        self.assertEqual([m['role'] for m in sent['messages']], ['user', 'assistant', 'user'])
        self.assertEqual((sent['messages'][1]['content'], sent['temperature'], len(sent['tools'])), (FIRST, 0.5, 1))

    def test_each_is_accounted_for(self):
        before = self.server.metrics()
        reply = self.ask('openai', 'reset-prefill', stream_options={'include_usage': True})
        told = [e for e in sse(reply) if e.get('usage')][-1]['usage']
        last = self.record_of(reply.request_id)
        rows = [r for r in self.server.usage() if r['model'] == 'reset-prefill' and r['error'] == 'upstream_reset']
        part = rows[-1]
        self.assertEqual((last['provider'], last['status'], last['attempts'], last['error']), ('anthropic', 200, 1, None))
        self.assertEqual((part['provider'], part['status'], part['attempts']), ('openai', 502, 1))
        self.assertGreater(part['output_tokens'], 0)
        self.assertGreater(part['cost_usd'], 0)
        self.assertEqual(told['completion_tokens'], part['output_tokens'] + last['output_tokens'])
        self.assertEqual(told['prompt_tokens'], part['input_tokens'] + last['input_tokens'])
        self.assertEqual(last['output_tokens'], 5)
        after = self.server.metrics()
        grown = {k: after[k] - before.get(k, 0) for k in after if k.startswith('penstock_tokens_total') and 'reset-prefill' in k}
        self.assertEqual({('openai' if '"openai"' in k else 'anthropic'): v for k, v in grown.items() if '"output"' in k},
                         {'openai': part['output_tokens'], 'anthropic': 5})

    def rows_of(self, model, count):
        return eventually(lambda: (lambda rows: rows if len(rows) >= count else None)([r for r in self.server.usage() if r['model'] == model]))

    def test_tokens_are_counted_once(self):
        reply = self.server.chat('counts', stream=True)
        self.check_error_event(reply, None)
        part, last = sorted(self.rows_of('counts', 2), key=lambda r: r['request_id'] == reply.request_id)
        self.assertEqual((part['provider'], last['provider']), ('anthropic', 'openai'))
        self.assertGreater(part['input_tokens'], 0)
        self.assertEqual((last['input_tokens'], last['output_tokens'], last['cost_usd']), (0, 0, 0))
        well = self.record_of(self.server.chat('reset-prefill', stream=True).request_id)
        reply = self.server.chat('counts-twice', stream=True)
        self.check_error_event(reply, None)
        part, last = sorted(self.rows_of('counts-twice', 2), key=lambda r: r['request_id'] == reply.request_id)
        self.assertEqual((part['provider'], last['provider']), ('openai', 'anthropic'))
        self.assertGreater(part['input_tokens'], 0)
        self.assertEqual(last['input_tokens'], well['input_tokens'])
        self.assertLess(last['output_tokens'], well['output_tokens'])

    def test_a_part_is_no_request(self):
        """Where requests are added up: from the log's segments, from the records, from what they add up to, and of budgets."""
        server = self.spawn({k: self.made[k] for k in ('providers', 'models')})
        self.assertEqual(server.cli('budget', 'create', 'name=few', 'metric=requests', 'period=day', 'amount=100').returncode, 0)
        for _ in range(3):
            self.assertEqual(server.chat('reset-prefill', stream=True).status, 200)
        records = eventually(lambda: (lambda rows: rows if len(rows) == 6 else None)(server.usage('--records')))
        self.assertEqual(sorted(r['part'] for r in records), [False] * 3 + [True] * 3)

        def check(by):
            rows = server.usage('--by', by)
            self.assertEqual(sum(r['requests'] for r in rows), 3, rows)
            self.assertEqual(sum(r['errors'] for r in rows), 0, rows)
            self.assertAlmostEqual(sum(r['cost_usd'] for r in rows), sum(r['cost_usd'] for r in records))
            self.assertEqual(sum(r['output_tokens'] for r in rows), sum(r['output_tokens'] for r in records))
        for again in (False, True):
            for by in ('model', 'provider', 'error', 'hour', 'day', 'key'):
                with self.subTest(by, again=again):
                    check(by)
            self.assertEqual([r['requests'] for r in server.usage('--by', 'provider') if r['provider'] == 'openai'], [0])
            budget = [b for b in server.cli_json('budget', 'list') if b['name'] == 'few'][0]
            self.assertEqual(budget['used'], 3, budget)
            server.stop()
            server.start()

    def test_several_times(self):
        reply = self.ask('anthropic', 'twice')
        self.assertEqual(text_anthropic(self, reply), FIRST * 3)
        self.assertEqual(self.line(reply)['continued'], 2)
        self.assertEqual(self.fake.seen[-1].json['messages'][1]['content'], FIRST * 2)

    def test_who_comes_next_is_ill(self):
        reply = self.ask('anthropic', 'ill')
        self.assertEqual(text_anthropic(self, reply), FIRST * 2)
        line = self.line(reply)
        self.assertEqual((line['continued'], line['attempts']), (1, 4))
        self.assertEqual(self.record_of(reply.request_id)['attempts'], 3)

    def test_who_comes_next_tells_an_error_in_place_of_a_stream(self):
        reply = self.ask('openai', 'ill-whole')
        self.assertEqual(text_openai(self, reply), FIRST * 2)
        self.assertEqual([s.model.split(';')[0] for s in self.fake.seen], ['cut', 'tells', 'second'])
        rows = self.rows_of('ill-whole', 2)
        self.assertEqual(sorted(r['error'] or '' for r in rows), ['', 'upstream_reset'])

    def test_who_comes_next_is_late(self):
        self.assertEqual(text_openai(self, self.ask('openai', 'hurried')), FIRST * 2)

    def broken(self, model, text=FIRST, **more):
        reply = self.server.chat(model, stream=True, **more)
        self.assertEqual(reply.status, 200, reply)
        self.check_error_event(reply, text)

    def check_error_event(self, reply, text):
        events = [e for e in reply.events() if e != '[DONE]']
        self.assertIn('error', json.loads(events[-1]), events)
        chunks = [json.loads(e) for e in events[:-1]]
        if text is not None:
            self.assertEqual(''.join(c['choices'][0]['delta'].get('content') or '' for c in chunks if c['choices']), text)
        self.assertFalse([c for c in chunks if c['choices'] and c['choices'][0]['finish_reason']])
        self.assertIsNotNone(self.record_of(reply.request_id)['error'])

    def test_the_honest_error(self):
        self.broken('off')
        self.broken('alone')
        self.broken('all-ill')
        self.broken('once', FIRST * 2)
        self.broken('tools', None, tools=[{'type': 'function', 'function': {'name': 'f', 'parameters': {'type': 'object'}}}])
        self.broken('thoughts', '')
        self.assertFalse([s for s in self.fake.seen if s.model.startswith('second')])

    def test_what_is_not_plain(self):
        for more in ({'response_format': {'type': 'json_object'}}, {'n': 2}, {'logprobs': True, 'top_logprobs': 2}, {'unknown_member': 1}):
            with self.subTest(more):
                self.fake.reset()
                reply = self.server.chat('reset-openai', stream=True, **more)
                self.check_error_event(reply, None)
                self.assertEqual(len(self.fake.seen), 1)

    def test_nothing_was_said_yet(self):
        reply = self.ask('openai', 'nothing')
        self.assertEqual(text_openai(self, reply), FIRST)

    def test_all_was_said(self):
        reply = self.ask('openai', 'done')
        self.assertEqual(text_openai(self, reply), '')
        self.assertEqual(len(self.fake.seen), 1)

    def test_what_follows_the_end(self):
        for model in ('torn', 'late-error'):
            for client in CLIENTS:
                with self.subTest(model, client=client):
                    self.fake.reset()
                    reply = self.ask(client, model)
                    self.assertEqual(TEXTS[client](self, reply), ' strömt')
                    self.assertEqual(len(self.fake.seen), 1)
                    self.assertIsNone(self.record_of(reply.request_id)['error'])

    def test_the_key_of_a_repetition_stays_with_the_first(self):
        self.server.chat('reset-openai', stream=True, headers={'Idempotency-Key': 'once'})
        self.assertEqual([s.header('idempotency-key') for s in self.fake.seen], ['once', None])

    def test_an_abandoned_attempt_is_not_the_next_ones(self):
        path, body = CLIENTS['gemini']('begun', True)
        with self.server.conn() as c:
            c.send(request_bytes('POST', path, json.dumps(body).encode(), key=self.server.key))
            self.assertTrue(self.fake.wait(lambda: self.fake.seen))
            c.reset()
        row = self.rows_of('begun', 1)[0]
        self.assertEqual((row['provider'], row['error'], row['attempts'], row['output_tokens']), ('openai', 'client_closed_request', 2, 0), row)

    def test_nothing_breaks(self):
        for client in CLIENTS:
            with self.subTest(client):
                reply = self.ask(client, 'well')
                self.assertEqual(TEXTS[client](self, reply), ' strömt durch das Tor')
                record = self.record_of(reply.request_id)
                self.assertEqual((record['status'], record['attempts'], record['error']), (200, 1, None))
        self.assertNotIn('continued', self.line(reply))

    def test_client_leaves_meanwhile(self):
        for model, late in (('hurried', 'late'), ('counts-late', 'late2')):
            with self.subTest(model):
                self.leave(model, late)

    def leave(self, model, late):
        def second():
            return [s for s in self.fake.seen if s.model.startswith(late + ';')]

        with self.server.conn() as c:
            c.send(request_bytes('POST', '/v1/chat/completions', chat_body(model, 'leaving', stream=True), key=self.server.key))
            self.assertTrue(self.fake.wait(second))
            c.reset()
        self.assertTrue(self.fake.wait(lambda: second()[-1].gone_at))
        rows = eventually(lambda: (lambda rows: len(rows) == 2 and rows)([r for r in self.server.usage() if r['model'] == model and r['error']][-2:]))
        self.assertEqual(sorted((r['error'], r['output_tokens'] > 0, r['input_tokens'] > 0) for r in rows),
                         [('client_closed_request', False, False), ('upstream_reset', True, True)])


if __name__ == '__main__':
    main()
