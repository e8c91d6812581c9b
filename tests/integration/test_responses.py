#!/usr/bin/env python3
# OpenAI's Responses API: answers and streams, passed through and translated, and conversations that go on from what is kept.
import json
import os
import subprocess
import sys

from harness import HERE, ROOT, FakeUpstream, Suite, clean_environment, eventually, fake_provider, main

from anthropic_upstream import AnthropicUpstream
from gemini_upstream import GeminiUpstream
from postgres import Postgres
from responses_upstream import ResponsesFake
from test_postgres import Replica

PYTHON = os.environ.get('PENSTOCK_PYTHON') or os.path.join(ROOT, 'build', 'python', 'bin', 'python3')
WEATHER = {'type': 'function', 'name': 'weather', 'strict': False,
           'parameters': {'type': 'object', 'properties': {'city': {'type': 'string'}}}}
TEXT = 'Wasser strömt durch das'


class Responses(Suite):
    fake_class = ResponsesFake
    responses = {}

    @classmethod
    def config(cls):
        return {'providers': [{**fake_provider(cls.fake), 'dialect': 'responses'}, {'name': 'demo', 'kind': 'demo'}],
                'tenants': [{'name': 'small', 'limits': {'max_body': '4 KiB'}}],
                'log': {'level': 'debug', 'format': 'json'}, **cls.responses}

    def ask(self, model='fake/x', input='Hello', key=None, server=None, **more):
        return self.post('', {'model': model, 'input': input, **more}, key, server)

    def post(self, path, body, key=None, server=None):
        return (server or self.server).post('/v1/responses' + path, json.dumps(body).encode(), key=key)

    def delete(self, name, key=None, server=None):
        server = server or self.server
        return server.request('DELETE', '/v1/responses/' + name, key=key or server.key)

    def get(self, path, key=None, server=None):
        server = server or self.server
        return server.get('/v1/responses/' + path, key=key or server.key)

    def text_of(self, response):
        return ''.join(part['text'] for item in response['output'] if item['type'] == 'message'
                       for part in item['content'] if part['type'] == 'output_text')

    def last(self):
        return self.fake.seen[-1].json


class Answers(Responses):
    def test_whole(self):
        reply = self.ask(temperature=0.5)
        self.assertEqual(reply.status, 200, reply)
        self.assertEqual(self.text_of(reply.json()), TEXT)
        self.assertEqual(reply.body, self.fake.seen[-1].answer_body)  # byte for byte
        self.assertEqual(self.fake.seen[-1].path, '/v1/responses')
        record = self.record_of(reply.request_id)
        self.assertEqual((record['input_tokens'], record['output_tokens']), self.fake.seen[-1].usage[:2])
        self.assertEqual(record['endpoint'], 'responses')

    def test_stream(self):
        reply = self.ask(stream=True)
        self.assertEqual(reply.body, self.fake.seen[-1].answer_body)
        self.assertEqual(json.loads(reply.events()[-1])['type'], 'response.completed')
        self.assertEqual(self.record_of(reply.request_id)['output_tokens'], self.fake.seen[-1].usage[1])

    def test_streams_cut_anywhere(self):
        for write in (1, 7):
            reply = self.ask(model=f'fake/x;write={write}', stream=True)
            self.assertEqual(reply.body, self.fake.seen[-1].answer_body)

    def test_a_provider_that_breaks_off(self):
        reply = self.ask(model='fake/x;fault=reset;words=12', stream=True)
        last = json.loads(reply.events()[-1])
        self.assertEqual(last['type'], 'error')
        self.assertEqual(last['error']['code'], 'upstream_reset')

    def test_errors(self):
        self.check_error(self.ask(model='fake/x;status=429'), 429, 'fake_429')
        self.check_error(self.ask(model='nothing'), 404, 'model_not_found', param='model')
        self.check_error(self.ask(background=True), 400, 'invalid_value', param='background')
        self.check_error(self.ask(conversation='conv_1'), 400, 'invalid_value', param='conversation')
        self.check_error(self.ask(input=7), 400, 'invalid_value', param='input')
        self.check_error(self.ask(odd=1), 400, 'unknown_parameter', param='odd')


class Translated(Responses):
    """By the demonstration, which speaks chat completions."""

    def test_whole(self):
        reply = self.ask(model='demo/echo', input='Wie geht es?', instructions='Be brief', metadata={'a': 'b'}, user='u')
        self.assertEqual(reply.status, 200, reply)
        response = reply.json()
        self.assertEqual(response['id'], 'resp_' + reply.request_id[4:])
        self.assertEqual(self.text_of(response), 'Wie geht es?')
        self.assertEqual((response['status'], response['instructions'], response['metadata'], response['model']),
                         ('completed', 'Be brief', {'a': 'b'}, 'demo/echo'))
        self.assertGreater(response['usage']['total_tokens'], 0)

    def test_stream(self):
        reply = self.ask(model='demo/echo', input='one two three', stream=True)
        events = [json.loads(e) for e in reply.events()]
        self.assertEqual([e['sequence_number'] for e in events], list(range(len(events))))
        kinds = [e['type'] for e in events]
        self.assertEqual(kinds[:4], ['response.created', 'response.in_progress', 'response.output_item.added',
                                     'response.content_part.added'])
        self.assertEqual(kinds[-4:], ['response.output_text.done', 'response.content_part.done', 'response.output_item.done',
                                      'response.completed'])
        self.assertEqual(''.join(e.get('delta', '') for e in events), 'one two three')
        self.assertEqual(self.text_of(events[-1]['response']), 'one two three')

    def test_an_error_within_a_stream(self):
        reply = self.ask(model='demo/cut', stream=True)
        events = [json.loads(e) for e in reply.events()]
        self.assertEqual([e['type'] for e in events[-2:]], ['response.failed', 'error'])
        self.assertEqual(events[-2]['response']['status'], 'failed')

    def test_what_cannot_be_said_is_named(self):
        reply = self.ask(model='demo/echo', truncation='auto', max_tool_calls=2)
        self.assertIn('max_tool_calls', reply.header('x-penstock-dropped-params'))
        self.assertIn('truncation', reply.header('x-penstock-dropped-params'))
        self.check_error(self.ask(model='demo/echo', max_tool_calls=2, strict=True), 400, 'unsupported')

    def test_chat_by_a_provider_of_responses(self):
        reply = self.server.post('/v1/chat/completions', json.dumps({'model': 'fake/x;tools=2', 'tools': [
            {'type': 'function', 'function': {'name': n, 'parameters': {'type': 'object'}}} for n in ('a', 'b')],
            'messages': [{'role': 'system', 'content': 'Be brief'}, {"role": "user", "content": "Hi"}]}).encode())
        self.assertEqual(reply.status, 200, reply)
        self.assertEqual(self.last()['instructions'], 'Be brief')
        calls = reply.json()['choices'][0]['message']['tool_calls']
        self.assertEqual([c['function']['name'] for c in calls], ['a', 'b'])
        self.assertEqual(json.loads(calls[0]['function']['arguments']), {'city': 'Zürich'})


class Kept(Responses):
    def test_goes_on(self):
        first = self.ask(input='My name is Ada').json()
        second = self.ask(input=[{'role': 'user', 'content': 'Who am I?'}], previous_response_id=first['id'], stream=True)
        self.assertEqual(second.status, 200, second)
        sent = self.last()
        self.assertNotIn('previous_response_id', sent)
        self.assertEqual([(i['type'] if 'type' in i else 'message', i.get('role')) for i in sent['input']],
                         [('message', 'user'), ('message', 'assistant'), ('message', 'user')])
        self.assertEqual(sent['input'][0]['content'], [{'type': 'input_text', 'text': 'My name is Ada'}])
        self.assertNotIn('id', sent['input'][1])
        third = self.ask(previous_response_id=json.loads(second.events()[-1])['response']['id'])
        self.assertEqual(third.status, 200, third)
        self.assertEqual(len(self.last()['input']), 5)

    def test_a_conversation_is_no_longer_than_a_request_may_be(self):
        small = self.server.create_key('--tenant', 'small')['key']
        first = self.ask(input='a' * 2500, key=small)
        self.assertEqual(first.status, 200, first)
        reply = self.ask(input='b' * 2500, previous_response_id=first.json()['id'], key=small)
        self.check_error(reply, 413, 'request_too_large')
        reply = self.ask(input='b', previous_response_id=first.json()['id'], key=small)
        self.assertEqual(reply.status, 200, reply)

    def test_goes_on_in_translation(self):
        first = self.ask(model='demo/echo', input='one').json()
        second = self.ask(model='demo/echo', input='two', previous_response_id=first['id']).json()
        self.assertEqual(second['previous_response_id'], first['id'])
        third = self.ask(input='three', previous_response_id=second['id'])
        self.assertEqual(third.status, 200, third)
        self.assertEqual([i['content'][0]['text'] for i in self.last()['input']], ['one', 'one', 'two', 'two', 'three'])

    def test_a_loop_of_tools(self):
        first = self.ask(model='fake/x;tools=2', tools=[WEATHER, {**WEATHER, 'name': 'clock'}]).json()
        calls = [i for i in first['output'] if i['type'] == 'function_call']
        self.assertEqual(len(calls), 2)
        outputs = [{'type': 'function_call_output', 'call_id': c['call_id'], 'output': 'sun'} for c in calls]
        missing = self.ask(previous_response_id=first['id'], input=outputs[:1])
        self.assertEqual((missing.status, missing.error()['param']), (400, 'input'))
        reply = self.ask(previous_response_id=first['id'], input=outputs)
        self.assertEqual(reply.status, 200, reply)
        self.assertEqual([i.get('type') for i in self.last()['input']],
                         ['message', 'function_call', 'function_call', 'function_call_output', 'function_call_output'])

    def test_sealed_thoughts_go_back(self):
        for include, kinds in ((['reasoning.encrypted_content'], ['message', 'reasoning', 'message', 'message']),
                               ([], ['message', 'message', 'message'])):
            first = self.ask(model='fake/x;reasoning', include=include).json()
            self.assertEqual(first['output'][0]['type'], 'reasoning')
            reply = self.ask(previous_response_id=first['id'])
            self.assertEqual(reply.status, 200, reply)
            self.assertEqual([i.get('type') for i in self.last()['input']], kinds)

    def test_references_to_items(self):
        first = self.ask(model='demo/echo', input='one').json()
        item = first['output'][0]['id']
        reply = self.ask(model='fake/x', input=[{'role': 'user', 'content': 'one'}, {'type': 'item_reference', 'id': item},
                                                {'role': 'user', 'content': 'two'}])
        self.assertEqual(reply.status, 200, reply)
        self.assertEqual(self.last()['input'][1]['content'][0]['text'], 'one')
        self.check_error(self.ask(model='demo/echo', input=[{'type': 'item_reference', 'id': 'msg_0000000000000_0'}]), 400,
                         'invalid_value', param='input[0].id')

    def test_not_kept(self):
        first = self.ask(store=False).json()
        self.check_error(self.get(first['id']), 404, 'not_found')
        self.check_error(self.ask(previous_response_id=first['id']), 400, 'previous_response_not_found',
                         param='previous_response_id')
        for bad in ('resp_nothing', 'x' * 5000, 'ä\u0000b'):
            self.check_error(self.ask(previous_response_id=bad), 400, 'previous_response_not_found', param='previous_response_id')
        failed = self.ask(model='demo/cut', stream=True)
        name = json.loads(failed.events()[0])['response']['id']
        self.check_error(self.get(name), 404, 'not_found')

    def test_retrieve_and_delete(self):
        for model, stream in (('fake/x', False), ('fake/x', True), ('demo/echo', True)):
            reply = self.ask(model=model, stream=stream)
            made = json.loads(reply.events()[-1])['response'] if stream else reply.json()
            self.assertEqual(self.get(made['id']).json(), made)
            self.check_error(self.get(made['id'] + '?stream=true'), 400, 'invalid_request', param='stream')
            gone = self.delete(made['id'])
            self.assertEqual(gone.json(), {'id': made['id'], 'object': 'response', 'deleted': True})
            self.check_error(self.get(made['id']), 404, 'not_found')
            self.check_error(self.delete(made['id']), 404, 'not_found')
            self.check_error(self.ask(previous_response_id=made['id']), 400, 'previous_response_not_found',
                             param='previous_response_id')

    def test_cancel(self):
        made = self.ask().json()
        self.check_error(self.post(f'/{made["id"]}/cancel', {}), 400, 'wrong_state')
        self.check_error(self.post('/resp_nothing/cancel', {}), 404, 'not_found')

    def test_input_items(self):
        first = self.ask(input='one').json()
        second = self.ask(input=[{'role': 'user', 'content': 'two'}], previous_response_id=first['id']).json()
        page = self.get(second['id'] + '/input_items?order=asc').json()
        self.assertEqual([i['content'][0]['text'] for i in page['data']], ['one', TEXT, 'two'])
        self.assertTrue(all(i['id'] and i['status'] == 'completed' and i['type'] == 'message' for i in page['data']))
        self.assertEqual((page['object'], page['has_more'], page['first_id']), ('list', False, page['data'][0]['id']))
        page = self.get(second['id'] + '/input_items?limit=2').json()
        self.assertEqual([i['content'][0]['text'] for i in page['data']], ['two', TEXT])
        self.assertTrue(page['has_more'])
        page = self.get(second['id'] + '/input_items?limit=2&after=' + page['last_id']).json()
        self.assertEqual(([i['content'][0]['text'] for i in page['data']], page['has_more']), (['one'], False))
        self.check_error(self.get(second['id'] + '/input_items?limit=0'), 400, 'invalid_value', param='limit')
        self.check_error(self.get(second['id'] + '/input_items?order=up'), 400, 'invalid_value', param='order')
        self.check_error(self.get(second['id'] + '/input_items?after=msg_x'), 404, 'not_found', param='after')
        self.check_error(self.get('resp_nothing/input_items'), 404, 'not_found')

    def test_without_input(self):
        name = self.ask().json()['id']
        for more in ({}, {'input': None}, {'input': []}):
            reply = self.post('', {'model': 'fake/x', 'previous_response_id': name, **more})
            self.assertEqual(reply.status, 200, reply)
            name = reply.json()['id']
        for _ in range(20):  # what was found is sent whole, whatever becomes of its memory
            page = self.get(name + '/input_items').json()
            self.assertEqual([i['role'] for i in page['data']], ['assistant'] * 3 + ['user'])
            self.assertEqual(self.get(name).json()['id'], name)

    def test_over_a_restart(self):
        server = self.spawn(self.config())
        first = self.ask(server=server, input='My name is Ada').json()
        server.stop()  # what waits is written
        server.start()
        reply = self.ask(server=server, previous_response_id=first['id'])
        self.assertEqual(reply.status, 200, reply)
        self.assertEqual(self.last()['input'][0]['content'][0]['text'], 'My name is Ada')

    def test_nothing_is_readable_on_the_disk(self):
        server = self.spawn(self.config())
        made = self.ask(server=server, input='SECRETWORD').json()
        self.assertEqual(self.get(made['id'], server=server).status, 200)
        server.stop()
        for name in os.listdir(server.data):
            path = os.path.join(server.data, name)
            if os.path.isfile(path):
                with open(path, 'rb') as f:
                    self.assertNotIn(b'SECRETWORD', f.read(), name)


class NothingKept(Responses):
    responses = {'responses': {'keep': 0}}

    def test_nothing_is_kept(self):
        made = self.ask().json()
        self.check_error(self.get(made['id']), 404, 'not_found')
        self.check_error(self.ask(previous_response_id=made['id']), 400, 'previous_response_not_found',
                         param='previous_response_id')


class Expiring(Responses):
    responses = {'responses': {'keep': '1s'}}

    def test_expires(self):
        made = self.ask().json()
        self.assertEqual(self.get(made['id']).status, 200)
        self.assertTrue(eventually(lambda: self.get(made['id']).status == 404))


class Places(Responses):
    def test_only_its_own_place_finds_it(self):
        server = self.spawn({**self.config(), 'tenants': [{'name': 'acme'}, {'name': 'zebra'}]})
        keys = {name: server.create_key(*args)['key'] for name, args in
                {'acme': ('--tenant', 'acme'), 'zebra': ('--tenant', 'zebra'), 'none': ()}.items()}
        made = self.ask(server=server, key=keys['acme']).json()
        self.assertEqual(self.get(made['id'], server=server, key=keys['acme']).status, 200)
        for other in ('zebra', 'none'):
            self.check_error(self.get(made['id'], server=server, key=keys[other]), 404, 'not_found')
            self.check_error(self.ask(server=server, key=keys[other], previous_response_id=made['id']), 400,
                             'previous_response_not_found', param='previous_response_id')
            self.check_error(self.delete(made['id'], keys[other], server), 404, 'not_found')
        self.assertEqual(self.get(made['id'], server=server, key=keys['acme']).status, 200)


    def test_projects_and_owners(self):
        server = self.spawn(self.config())

        def made(*args):
            done = server.cli(*args, '--json')
            self.assertEqual(done.returncode, 0, done.stderr)
            return json.loads(done.stdout)['id']
        red, blue = (made('project', 'create', 'name=' + name) for name in ('red', 'blue'))
        made('service-account', 'create', 'name=robot')
        made('grant', 'create', 'principal=service_account/robot', 'role=developer')
        keys = {'red': 'project_id=' + red, 'red too': 'project_id=' + red, 'blue': 'project_id=' + blue,
                'robot': 'owner=service_account/robot', 'robot too': 'owner=service_account/robot', 'none': 'name=x', 'none too': 'name=y'}
        keys = {name: server.create_key(field)['key'] for name, field in keys.items()}
        for maker in ('red', 'blue', 'robot', 'none'):
            name = self.ask(server=server, key=keys[maker]).json()['id']
            found = {other for other in keys if self.get(name, key=keys[other], server=server).status == 200}
            self.assertEqual(found, {other for other in keys if other.split()[0] == maker})


class TwoServers(Responses):
    """On one PostgreSQL."""

    @classmethod
    def setUpClass(cls):
        cls.postgres = Postgres().start()
        cls.addClassCleanup(cls.postgres.__exit__)
        super().setUpClass()

    def test_goes_on_at_the_other(self):
        url = self.postgres.url('responses')
        a = Replica(self.config(), url)
        self.addCleanup(a.remove)
        b = Replica(self.config(), url, first=a)
        self.addCleanup(b.remove)
        a.start()
        b.start()
        eventually(lambda: b.get('/v1/models', key=a.key).status == 200)
        previous, servers = None, [a, b]
        for i in range(6):  # at once: the one may not have written yet what the other is asked for
            more = {'previous_response_id': previous} if previous else {}
            reply = self.ask(server=servers[i % 2], key=a.key, input=f'turn {i}', **more)
            self.assertEqual(reply.status, 200, reply)
            previous = reply.json()['id']
        self.assertEqual(len(self.last()['input']), 11)
        self.assertEqual(self.get(previous, key=a.key, server=a).status, 200)
        self.assertEqual(self.delete(previous, a.key, a).status, 200)
        self.assertEqual(self.get(previous, key=a.key, server=b).status, 404)
        for server in servers:
            server.stop()


class Libraries(Responses):
    @classmethod
    def config(cls):
        cls.fakes = {'chat': FakeUpstream, 'claude': AnthropicUpstream, 'gemini': GeminiUpstream}
        cls.fakes = {name: kind().start() for name, kind in cls.fakes.items()}
        for fake in cls.fakes.values():
            cls.addClassCleanup(fake.stop)
        kinds = {'chat': 'openai', 'claude': 'anthropic', 'gemini': 'gemini'}
        keys = {'chat': 'sk-fake', 'claude': cls.fakes['claude'].key, 'gemini': cls.fakes['gemini'].key}
        return {'providers': [{**fake_provider(cls.fake, 'own'), 'dialect': 'responses'}] + [
            {'name': name, 'kind': kinds[name], 'base_url': fake.base_url, 'api_key': keys[name]}
            for name, fake in cls.fakes.items()]}

    def test_what_one_has_sealed_no_other_is_sent(self):
        fakes = {'own': self.fake, **self.fakes}
        asked = {'input': 'Think', 'reasoning': {'effort': 'medium'}, 'include': ['reasoning.encrypted_content'],
                 'max_output_tokens': 20000}
        for model, secret in (('own/x;reasoning', b'gAAAA'), ('claude/x;thinking', b'EqQB'), ('claude/x;redacted', b'EmwK')):
            first = self.post('', {'model': model, **asked}).json()
            self.assertTrue(any(item.get('encrypted_content') for item in first['output']), model)
            for name, fake in fakes.items():
                reply = self.post('', {'model': name + '/x', **asked, 'previous_response_id': first['id']})
                self.assertEqual(reply.status, 200, reply)
                self.assertEqual(secret in fake.seen[-1].body, name == model.split('/')[0], (model, name))
                self.assertNotIn(b'penstock:1', fake.seen[-1].body)

    def run_suite(self, *command):
        env = clean_environment(PENSTOCK_URL=f'http://127.0.0.1:{self.server.port}/v1', PENSTOCK_KEY=self.server.key,
                                TARGETS=','.join(['own', *self.fakes]))
        done = subprocess.run(command, cwd=HERE, env=env, stdout=sys.stderr, timeout=120)
        for name, fake in self.fakes.items():
            self.assertEqual(fake.violations, [], name)
        self.assertEqual(done.returncode, 0)

    def test_openai_for_javascript(self):
        self.assertTrue(os.path.isdir(os.path.join(HERE, 'node_modules', 'openai')), 'npm ci was not run in ' + HERE)
        self.run_suite('node', '--test', 'test_responses_sdk.mjs')

    def test_openai_for_python(self):
        self.assertTrue(os.path.exists(PYTHON), './dev test installs the Python packages into build/python')
        self.run_suite(PYTHON, '-B', 'responses_client.py')


if __name__ == '__main__':
    main()
