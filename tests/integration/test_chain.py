#!/usr/bin/env python3
# Models that are chains: steps in order, templates, failures, budgets, streams in every dialect, what is recorded.
import contextlib
import json
import time

from harness import Suite, chat_body, eventually, fake_provider, free_port, main, request_bytes

PRICE = {'input': 1, 'output': 2}


def model(name, upstream=None, **more):
    return {'name': name, 'targets': [{'provider': 'fake', 'model': upstream or name}], 'price': PRICE, **more}


def step(name, of, **more):
    return {'name': name, 'model': of, **more}


def last_text(seen):
    return seen.json['messages'][-1]['content']


class Chain(Suite):
    @classmethod
    def config(cls):
        three = [step('plan', 'a', prompt='Plan: {{input}}', max_tokens=50),
                 step('draft', 'b', prompt='{{input}} by {{plan}} {{ nothing }} {x}', system='Be brief. {{system}}'),
                 step('check', 'c', prompt='Check {{draft}}')]
        three[1]['prompt'] = '{{input}} by {{plan}} {{}} {x}'
        return {
            'providers': [fake_provider(cls.fake),
                          {'name': 'closed', 'kind': 'openai', 'base_url': f'http://127.0.0.1:{free_port()}/v1', 'api_key': 'x'}],
            'models': [
                model('a', 'a;words=2'), model('b', 'b;words=3'), model('c', 'c;words=4'), model('broken', 'd;status=500'),
                model('unpriced', 'e', price={}), model('slow', 'f;delay=20000'), model('dragging', 'g;gap=50;events=400'),
                model('tools', 'h;tools'), model('long', 'i;words=3000'),
                model('cutting', targets=[{'provider': 'fake', 'model': m} for m in ('cut;events=6;gap=10;error_event_at=3', 'j;events=3')],
                      strategy='priority', routing={'continue': 1, 'retry': {'share': 1}}),
                {'name': 'goes-on', 'chain': [step('plan', 'a'), step('say', 'cutting')]},
                {'name': 'three', 'chain': three},
                {'name': 'middle', 'chain': [three[0], {**three[1], 'answer': True}, three[2]]},
                {'name': 'whole', 'chain': [step('plan', 'a'), step('say', 'b', conversation=True, prompt='{{input}}! {{plan}}')]},
                {'name': 'same', 'chain': [step('say', 'tools', conversation=True)]},
                {'name': 'stops', 'chain': [step('plan', 'broken'), step('say', 'a')]},
                {'name': 'skips', 'chain': [step('plan', 'broken', on_failure='skip'), step('say', 'a', prompt='<{{plan}}>')]},
                {'name': 'falls', 'chain': [step('plan', 'broken', on_failure='fallback', fallback='b'),
                                            step('say', 'a', prompt='<{{plan}}>')]},
                {'name': 'falls-deep', 'chain': [step('plan', 'broken', on_failure='fallback', fallback='closed/x'),
                                                 step('say', 'a')]},
                {'name': 'skips-last', 'chain': [step('say', 'a'), step('more', 'broken', on_failure='skip')]},
                {'name': 'late', 'chain': [step('plan', 'slow', timeout='100ms', on_failure='skip'), step('say', 'a')]},
                {'name': 'too-late', 'chain': [step('plan', 'slow', on_failure='skip'), step('say', 'a')],
                 'chain_timeout': '100ms'},
                {'name': 'late-in-all', 'chain': [step('plan', 'slow', on_failure='skip'), step('say', 'a')],
                 'routing': {'timeouts': {'total': '100ms'}}},
                {'name': 'narrow', 'routing': {'queue': {'max_wait': '60s'}},
                 'targets': [{'provider': 'fake', 'model': 'n;delay=700', 'limits': {'concurrency': 1}}]},
                {'name': 'through', 'chain': [step('say', 'narrow')]},
                {'name': 'drags', 'chain': [step('say', 'dragging', timeout='300ms')]},
                {'name': 'dear', 'chain': [step('plan', 'a', max_cost=0.0001, on_failure='skip'), step('say', 'b')]},
                {'name': 'unknown-price', 'chain': [step('plan', 'unpriced', max_cost=1), step('say', 'b')]},
                {'name': 'poor', 'chain': [step('plan', 'long'), step('say', 'b')], 'chain_max_cost': 0.005},
                {'name': 'passes', 'chain': [step('say', 'a', pass_='Wasser'), ]},
                {'name': 'fails', 'chain': [step('say', 'a'), step('check', 'b', pass_='APPROVED')]},
                {'name': 'sometimes', 'chain': [step('plan', 'a', when='metadata.plan == "yes"'),
                                                step('say', 'b', prompt='<{{plan}}>')]},
                {'name': 'waits', 'chain': [step('plan', 'slow'), step('say', 'a')]},
                {'name': 'flows', 'chain': [step('plan', 'a'), step('say', 'dragging')]},
            ],
            'log': {'level': 'debug', 'format': 'json'},
        }

    @classmethod
    def setUpClass(cls):
        made = cls.config

        def config():
            out = made()
            for m in out['models']:
                for s in m.get('chain', []):
                    if 'pass_' in s:
                        s['pass'] = s.pop('pass_')
            return out
        cls.config = config
        super().setUpClass()

    def send(self, conn, body):
        conn.send(request_bytes('POST', '/v1/chat/completions', body, key=self.server.key))

    def texts(self):
        return [last_text(s) for s in self.fake.seen]

    # --- the way ---

    def test_steps_ask_one_after_the_other(self):
        reply = self.server.chat('three', text='Tides "now"\n{{plan}}', temperature=0.5)
        self.assertEqual(reply.status, 200, reply)
        self.assertEqual([s.model.split(';')[0] for s in self.fake.seen], ['a', 'b', 'c'])
        self.assertEqual(self.texts(), ['Plan: Tides "now"\n{{plan}}', 'Tides "now"\n{{plan}} by Wasser strömt {{}} {x}',
                                        'Check Wasser strömt durch'])
        self.assertEqual(self.fake.seen[1].json['messages'][0], {'role': 'system', 'content': 'Be brief. '})
        self.assertEqual([s.json.get('temperature') for s in self.fake.seen], [None, None, 0.5])
        limits = [s.json.get('max_tokens') or s.json.get('max_completion_tokens') for s in self.fake.seen]
        self.assertEqual(limits, [50, None, None])
        answer = reply.json()
        self.assertEqual(answer['model'], 'three')
        self.assertEqual(answer['choices'][0]['message']['content'], 'Wasser strömt durch das')

    def test_usage_is_the_sum_and_the_ledger_has_each_step_once(self):
        reply = self.server.chat('three')
        used = [s.usage for s in self.fake.seen]
        told = reply.json()['usage']
        self.assertEqual(told['prompt_tokens'], sum(u[0] for u in used))
        self.assertEqual(told['completion_tokens'], sum(u[1] for u in used))
        cost = float(reply.header('x-penstock-cost-usd'))
        outer = self.record_of(reply.request_id)
        self.assertEqual((outer['model'], outer['endpoint'], outer['input_tokens'], outer['output_tokens']),
                         ('three', 'chain', 0, 0), outer)
        trace = reply.header('x-penstock-chain')
        self.assertRegex(trace, r'^plan=a \d+\.\ds \d+t; draft=b \d+\.\ds \d+t; check=c \d+\.\ds \d+t$')
        self.assertGreater(cost, 0)
        line = eventually(lambda: [x for x in self.server.log_lines() if x.get('request_id') == reply.request_id])
        self.assertEqual(line[0]['chain'], trace)

    def test_a_part_that_broke_off_counts_as_well(self):
        reply = self.server.chat('goes-on', stream=True)
        self.assertEqual(reply.events()[-1], '[DONE]', reply)
        line = eventually(lambda: [l for l in self.server.log_lines() if l.get('request_id') == reply.request_id and l['msg'] == 'request'])[0]
        rows = [r for r in self.server.usage() if r['model'] == 'cutting']
        self.assertEqual(len(rows), 2)
        tokens = sum(r['input_tokens'] + r['output_tokens'] for r in rows)
        self.assertRegex(line['chain'], fr'; say=cutting \S+ {tokens}t$')

    def test_an_earlier_answer_may_be_the_chains(self):
        reply = self.server.chat('middle')
        self.assertEqual(reply.json()['choices'][0]['message']['content'], 'Wasser strömt durch')
        self.assertEqual(len(self.fake.seen), 3)
        self.assertEqual(reply.json()['usage']['completion_tokens'], sum(s.usage[1] for s in self.fake.seen))

    def test_the_conversation_goes_along_where_it_is_wanted(self):
        messages = [{'role': 'system', 'content': 'S'}, {'role': 'user', 'content': 'one'},
                    {'role': 'assistant', 'content': 'two'}, {'role': 'user', 'content': 'three'}]
        reply = self.server.post('/v1/chat/completions', json.dumps({'model': 'whole', 'messages': messages}).encode())
        self.assertEqual(reply.status, 200, reply)
        self.assertEqual(self.texts(), ['three', 'three! Wasser strömt'])
        self.assertEqual(self.fake.seen[0].json['messages'], [{'role': 'user', 'content': 'three'}])
        self.assertEqual(self.fake.seen[1].json['messages'][:3], messages[:3])

    def test_tools_are_for_a_step_with_the_conversation(self):
        tool = {'type': 'function', 'function': {'name': 'tide', 'parameters': {'type': 'object', 'properties': {}}}}
        reply = self.server.chat('same', tools=[tool])
        self.assertEqual(reply.status, 200, reply)
        self.assertTrue(reply.json()['choices'][0]['message']['tool_calls'])
        self.assertEqual(reply.json()['choices'][0]['finish_reason'], 'tool_calls')

    def test_a_step_may_be_left_out(self):
        reply = self.server.chat('sometimes')
        self.assertEqual(self.texts(), ['<>'])
        self.assertRegex(reply.header('x-penstock-chain'), '^plan=left-out; say=b')
        self.fake.reset()
        self.server.chat('sometimes', metadata={'plan': 'yes'})
        self.assertEqual(len(self.fake.seen), 2)

    # --- streams ---

    def test_the_last_answer_is_streamed_as_it_comes(self):
        with self.server.conn() as conn:
            started = time.monotonic()
            body = chat_body('flows', stream=True, stream_options={'include_usage': True})
            self.send(conn, body)
            reply = conn.read_head()
            self.assertEqual(reply.status, 200)
            self.assertRegex(reply.header('x-penstock-chain'), r'^plan=a \S+ \d+t; say=dragging$')
            self.assertIn(b'Wasser', next(p for p in conn.pieces(reply) if b'Wasser' in p))
            self.assertLess(time.monotonic() - started, 15)
        self.fake.wait(lambda: self.fake.seen[1].gone_at)  # the client left: so does the step

    def test_streams_in_all_dialects(self):
        ask = [{'role': 'user', 'content': 'Hello'}]
        for path, body in (('/v1/chat/completions', {'messages': ask, 'stream_options': {'include_usage': True}}),
                           ('/v1/messages', {'messages': ask, 'max_tokens': 100}), ('/v1/responses', {'input': 'Hello'}),
                           ('/api/chat', {'messages': ask}),
                           ('/v1beta/models/three:streamGenerateContent?alt=sse', {'contents': [{'role': 'user', 'parts': [{'text': 'Hello'}]}]})):
            for name in ('three', 'middle'):
                with self.subTest(path=path, model=name):
                    self.fake.reset()
                    reply = self.server.post(path.replace('three', name), json.dumps({'model': name, 'stream': True, **body}).encode())
                    self.assertEqual(reply.status, 200, reply)
                    self.assertEqual(len(self.fake.seen), 3)
                    text = reply.body.decode()
                    self.assertIn('durch', text)
                    total = sum(s.usage[1] for s in self.fake.seen)
                    if 'v1beta' not in path:  # which tells thoughts apart
                        self.assertIn(f':{total}', text.replace(' ', ''))

    def test_whole_answers_in_other_dialects(self):
        reply = self.server.post('/v1/messages', chat_body('three', max_tokens=100))
        self.assertEqual(reply.status, 200, reply)
        self.assertEqual(reply.json()['content'][0]['text'], 'Wasser strömt durch das')
        reply = self.server.post('/v1/completions', json.dumps({'model': 'three', 'prompt': 'Hello'}).encode())
        self.assertEqual(reply.status, 200, reply)
        self.assertEqual(reply.json()['choices'][0]['text'], 'Wasser strömt durch das')

    # --- failures ---

    def test_a_failure_stops_the_chain(self):
        reply = self.server.chat('stops')
        self.check_error(reply, 500, 'upstream_error')
        self.assertIn('step "plan" of the chain failed', reply.error()['message'])
        self.assertIn('failed(', reply.header('x-penstock-chain'))
        self.assertEqual(len(self.fake.seen), 1)
        self.check_serving()

    def test_a_failure_is_skipped(self):
        reply = self.server.chat('skips')
        self.assertEqual(reply.status, 200, reply)
        self.assertEqual(last_text(self.fake.seen[-1]), '<>')
        self.assertRegex(reply.header('x-penstock-chain'), r'^plan=broken \S+ 0t failed\(upstream_error\); say=a')

    def test_another_model_is_asked(self):
        reply = self.server.chat('falls', stream=True)
        self.assertEqual(reply.status, 200, reply)
        self.assertEqual(last_text(self.fake.seen[-1]), '<Wasser strömt durch>')
        self.assertRegex(reply.header('x-penstock-chain'), r'^plan=b ')
        self.check_error(self.server.chat('falls-deep'), 502, 'upstream_unreachable')

    def test_the_answer_before_stands_in_for_the_last(self):
        for stream in (False, True):
            reply = self.server.chat('skips-last', stream=stream)
            self.assertEqual(reply.status, 200, reply)
            self.assertIn('Wasser', reply.body.decode())

    @contextlib.contextmanager
    def late_steps(self, model, times, status):
        """A step that took too long is told as what it is, not as a client that left: in usage, access log and metrics."""
        def rows():
            return {r['request_id']: (r['status'], r['error']) for r in self.server.usage() if r['model'] == model}

        def counted():
            return sum(v for name, v in self.server.metrics().items()
                       if name.startswith('penstock_requests_total{') and f'model="{model}"' in name and f'status="{status}"' in name)

        def logged():
            return [l for l in self.server.log_lines() if l['msg'] == 'request' and l['request_id'] in new]
        before, count = rows(), counted()
        yield
        new = eventually(lambda: {k: v for k, v in rows().items() if k not in before})
        self.assertEqual(list(new.values()), [(status, 'upstream_timeout')] * times)
        self.assertEqual(counted() - count, times)
        lines = eventually(lambda: logged() if len(logged()) == times else None)
        self.assertEqual([(l['status'], l['error']) for l in lines], [(status, 'upstream_timeout')] * times)

    def test_time(self):
        with self.late_steps('slow', 3, 504):
            reply = self.server.chat('late')
            self.assertEqual(reply.status, 200, reply)
            self.assertRegex(reply.header('x-penstock-chain'), r'^plan=slow \S+ \d+t failed\(upstream_timeout\); say=a')
            self.check_error(self.server.chat('too-late'), 504, 'upstream_timeout')
            self.check_error(self.server.chat('late-in-all'), 504, 'upstream_timeout')
        self.fake.wait(lambda: all(s.gone_at for s in self.fake.seen if s.model.startswith('f;')))

    def in_line(self, *requests):
        """Sent one behind the other, while the first is under way."""
        conns = []
        for model, headers in requests:
            conns.append(self.server.conn())
            self.addCleanup(conns[-1].close)
            body = chat_body(model, f'{model} {headers}')
            conns[-1].send(request_bytes('POST', '/v1/chat/completions', body, headers, key=self.server.key))
            time.sleep(0.1)
        return [conn.read() for conn in conns]

    def test_steps_wait_as_the_request_says(self):
        hurry, less = {'x-penstock-max-wait': '100ms'}, {'x-penstock-priority': 'low'}
        replies = self.in_line(('narrow', {}), ('through', hurry), ('through', less), ('narrow', {}))
        self.assertEqual([r.status for r in replies], [200, 429, 200, 200])
        self.assertEqual(self.texts(), ['narrow {}', 'narrow {}', f'through {less}'])

    def test_time_within_a_stream(self):
        with self.late_steps('dragging', 1, 200):  # as its head said
            reply = self.server.chat('drags', stream=True)
            self.assertEqual(reply.status, 200)
            self.assertIn('upstream_timeout', reply.body.decode())
        self.fake.wait(lambda: self.fake.seen[0].gone_at)

    def test_money(self):
        reply = self.server.chat('dear', text='x' * 400)
        self.assertEqual(reply.status, 200, reply)
        self.assertIn('failed(insufficient_quota)', reply.header('x-penstock-chain'))
        self.assertEqual(len(self.fake.seen), 1)
        self.check_error(self.server.chat('unknown-price'), 429, 'insufficient_quota')
        self.fake.reset()
        reply = self.server.chat('poor', max_tokens=10)
        self.check_error(reply, 429, 'insufficient_quota')
        self.assertEqual(len(self.fake.seen), 1)

    def test_what_an_answer_has_to_say(self):
        self.assertEqual(self.server.chat('passes', stream=True).status, 200)
        reply = self.server.chat('fails')
        self.check_error(reply, 502, 'upstream_invalid_response')
        self.assertIn('APPROVED', reply.error()['message'])

    def test_other_things_than_chats(self):
        reply = self.server.post('/v1/embeddings', json.dumps({'model': 'three', 'input': 'x'}).encode())
        self.check_error(reply, 400, 'unsupported')
        reply = self.server.post('/v1/messages/count_tokens', chat_body('three'))
        self.assertEqual(reply.status, 400)
        self.check_serving()

    def test_a_client_that_leaves(self):
        with self.server.conn() as conn:
            body = chat_body('waits')
            self.send(conn, body)
            self.fake.wait(lambda: len(self.fake.seen) == 1)
        self.fake.wait(lambda: self.fake.seen[0].gone_at)
        self.assertEqual(len(self.fake.seen), 1)
        self.check_serving()

    def test_a_slow_client_holds_the_step_up(self):
        with self.server.conn(rcvbuf=4096) as conn:
            body = chat_body('flows', stream=True)
            self.send(conn, body)
            self.assertEqual(conn.read_head().status, 200)
        self.check_serving()

    def test_models_are_listed(self):
        names = [m['id'] for m in self.server.get('/v1/models', key=self.server.key).json()['data']]
        self.assertIn('three', names)


class Keys(Suite):
    @classmethod
    def config(cls):
        return {'providers': [fake_provider(cls.fake)],
                'models': [model('a'), model('b'), {'name': 'two', 'chain': [step('plan', 'a'), step('say', 'b')]}],
                'auth': {'required': True}}

    def test_steps_are_in_the_name_of_the_callers_key(self):
        some, key = (self.server.create_key('--models', m)['key'] for m in ('two,a', 'two,a,b'))
        reply = self.server.post('/v1/chat/completions', chat_body('two'), key=key)
        self.assertEqual(reply.status, 200, reply)
        cost = float(reply.header('x-penstock-cost-usd'))
        reply = self.server.post('/v1/chat/completions', chat_body('two'), key=some)
        self.check_error(reply, 403, 'model_not_allowed')
        self.assertIn('step "say"', reply.error()['message'])
        rows = self.server.usage()
        (whose,) = [r['key'] for r in rows if r['model'] == 'two' and r['status'] == 200]
        rows = [r for r in rows if r['key'] == whose]
        self.assertEqual(sorted(r['model'] for r in rows), ['a', 'b', 'two'])
        self.assertAlmostEqual(sum(float(r['cost_usd'] or 0) for r in rows), cost)


if __name__ == '__main__':
    main()
