#!/usr/bin/env python3
# Requests whose texts hold personal data stay in the house, whatever dialect they come in and whatever way they take;
# and nobody is told the data itself.
import json
import os
import sys

from harness import Suite, fake_provider, main, run_cli
from test_batches import Client, line

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'fake'))
from openai_batches import Batches  # noqa: E402

CARD = '4111 1111 1111 1111'
ESCAPED = json.dumps(f'pay with {CARD}').replace('1', '\\u0031')  # "pay with 4\u0031\u0031\u0031 …"
MAIL = 'ada.lovelace@example.org'


def both(name, **more):
    return {'name': name, 'strategy': 'priority',
            'targets': [{'provider': 'far', 'model': 'b'}, {'provider': 'near', 'model': 'b'}], **more}


class PrivateWhen(Suite):
    """One provider in the house, another far away: what the far one has seen is what has got out."""

    @classmethod
    def setUpClass(cls):
        cls.far = cls.fake_class().start()
        cls.addClassCleanup(cls.far.stop)
        super().setUpClass()

    @classmethod
    def config(cls):
        shadow = {'model': 'far-model', 'share': 1, 'max_in_flight': 64}
        return {
            'providers': [fake_provider(cls.fake, 'near', privacy='local', passthrough=True),
                          fake_provider(cls.far, 'far', privacy='remote', passthrough=True)],
            'log': {'level': 'debug', 'format': 'json'},
            'batches': {'provider_native': True, 'provider_poll': '200ms'},
            'routing': {'private_when': ['credit_card', 'iban']},
            'models': [both('both'), {'name': 'far-model', 'targets': [{'provider': 'far', 'model': 'm'}]},
                       {'name': 'chained', 'chain': [{'name': 's', 'model': 'both'}]},
                       {'name': 'falls', 'targets': [{'provider': 'near', 'model': 'sick;status=500'}],
                        'routing': {'fallbacks': {'general': ['far-model', 'both']}}},
                       {'name': 'judged', 'targets': [{'provider': 'near', 'model': 'a'}],
                        'routing': {'quality': {'share': 1, 'judge': {'model': 'far-model', 'share': 1}}}},
                       {'name': 'mirrored', 'targets': [{'provider': 'near', 'model': 'a'}], 'shadow': shadow}],
            'tenants': [{'name': 'clinic', 'private_when': ['email'],
                         'projects': [{'name': 'site', 'private_when': ['none']}, {'name': 'lab', 'privacy': 'any'}]},
                        {'name': 'closed', 'private_when': ['all']}, {'name': 'plain'}]}

    def setUp(self):
        super().setUp()
        self.far.reset()

    def send(self, path, body, provider, key=None, content_type='application/json', **headers):
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        reply = self.server.request('POST', path, raw, {'Content-Type': content_type, **headers}, key or self.server.key)
        self.assertEqual((reply.status, reply.header('x-penstock-provider')), (200, provider), (path, reply))
        return reply

    def say(self, text, model='both', **more):
        return {'model': model, 'messages': [{'role': 'user', 'content': text}], **more}

    def nothing_got_out(self):
        for seen in self.far.seen:
            self.assertNotIn(b'4111', seen.body)
        self.assertEqual(self.far.seen, [])

    # --- all that is text ---

    def test_every_dialect(self):
        text = f'pay with {CARD}, please'
        part = [{'type': 'text', 'text': text}]
        google = {'contents': [{'role': 'user', 'parts': [{'text': text}]}]}
        asked = [
            ('/v1/chat/completions', self.say(text)), ('/v1/chat/completions', self.say(text, stream=True)),
            ('/v1/chat/completions', self.say(part)),
            ('/v1/chat/completions', self.say('Hi', user='DE89370400440532013000')),
            ('/v1/chat/completions', self.say('Hi', metadata={'n': text})),
            ('/v1/chat/completions', {'model': 'both', 'messages': [
                {'role': 'user', 'content': 'Pay.'},
                {'role': 'assistant', 'content': None, 'tool_calls': [
                    {'id': 'c', 'type': 'function', 'function': {'name': 'f', 'arguments': '{"n":"4111111111111111"}'}}]},
                {'role': 'tool', 'tool_call_id': 'c', 'content': 'done'}]}),
            ('/v1/responses', {'model': 'both', 'input': text}),
            ('/v1/responses', {'model': 'both', 'input': 'Hi', 'instructions': text, 'stream': True}),
            ('/v1/embeddings', {'model': 'both', 'input': ['one', text]}),
            ('/v1/moderations', {'model': 'both', 'input': text}),
            ('/v1/messages', {**self.say('Hi'), 'max_tokens': 9, 'system': text}),
            ('/v1/messages', {**self.say(text), 'max_tokens': 9, 'stream': True}),
            ('/v1/messages', {'model': 'both', 'max_tokens': 9, 'messages': [
                {'role': 'user', 'content': 'Pay.'},
                {'role': 'assistant', 'content': [{'type': 'tool_use', 'id': 't', 'name': 'f',
                                                   'input': {'card': 4111111111111111}}]},
                {'role': 'user', 'content': [{'type': 'tool_result', 'tool_use_id': 't', 'content': 'ok'}]}]}),
            ('/v1beta/models/both:generateContent', google),
            ('/v1beta/models/both:streamGenerateContent?alt=sse', google),
            ('/v1beta/models/both:generateContent', {'contents': [{'role': 'user', 'parts': [{'text': 'Hi'}]}],
                                                     'systemInstruction': {'parts': [{'text': text}]}}),
            ('/v1/completions', {'model': 'both', 'prompt': text}),
            ('/v1/images/generations', {'model': 'both', 'prompt': text}),
            ('/v1/audio/speech', {'model': 'both', 'input': text, 'voice': 'x'}),
            ('/api/chat', {**self.say(text), 'stream': False}),
            ('/api/generate', {'model': 'both', 'prompt': text, 'stream': False}),
            ('/api/embed', {'model': 'both', 'input': [text]})]
        for path, body in asked:
            with self.subTest(path=path, body=body):
                self.send(path, body, 'near')
        self.nothing_got_out()
        for path, body in asked[:1] + asked[6:9]:  # and without the card they go where they always go
            plain = json.dumps(body).replace(CARD, 'gold').replace('4111111111111111', '12')
            self.send(path, plain.encode(), 'far')

    def test_escapes(self):
        body = '{"model":"both","messages":[{"role":"user","content":' + ESCAPED + '}]}'
        self.assertNotIn(CARD, body)
        self.send('/v1/chat/completions', body.encode(), 'near')
        key = '{"model":"both","messages":[{"role":"user","content":"a\\nb\\t4111\\u00a01111\\u00a01111\\u00a01111"}]}'
        self.send('/v1/chat/completions', key.encode(), 'near')
        self.nothing_got_out()

    def test_forms(self):
        def form(prompt):
            parts = [('model', b'both'), ('prompt', prompt), ('file"; filename="a.wav', b'\x00\xff4111111111111111')]
            return b''.join(b'--xyz\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (n.encode(), v)
                            for n, v in parts) + b'--xyz--\r\n'
        kind = 'multipart/form-data; boundary=xyz'
        self.send('/v1/audio/transcriptions', form(CARD.encode()), 'near', content_type=kind)
        self.assertEqual(self.far.seen, [])
        self.send('/v1/audio/transcriptions', form(b'names'), 'far', content_type=kind)  # what is sound is no text

    def test_passed_through(self):
        def ask(path, raw, content_type='application/json'):
            return self.server.request('POST', '/passthrough/far' + path, raw, {'Content-Type': content_type},
                                       self.server.key).status
        for path, raw, kind in (
                ('/v1/chat/completions', json.dumps(self.say(CARD)).encode(), 'application/json'),
                ('/v1/x', b'{"a":1}\n{"b":' + ESCAPED.encode() + b'}\n', 'application/jsonl'),
                ('/v1/x', f'number: {CARD}'.encode(), 'text/plain'),
                ('/v1/x', b'card=4111+1111+1111+1111', 'application/x-www-form-urlencoded'),
                ('/v1/x', b'card=%34111111111111111', 'application/x-www-form-urlencoded'),
                ('/v1/cards/4111111111111111', b'{}', 'application/json'),
                ('/v1/cards?n=4111%201111%201111%201111', b'{}', 'application/json')):
            self.assertEqual(ask(path, raw, kind), 400, (path, raw))
        self.nothing_got_out()
        ask('/v1/chat/completions', json.dumps(self.say('Hi')).encode())
        self.assertEqual(len(self.far.seen), 1)

    # --- all ways ---

    def test_every_way(self):
        for model in ('both', 'chained', 'falls', 'mirrored', 'judged'):
            self.assertEqual(self.server.chat(model, f'card {CARD}').status, 200, model)
        body = self.say(f'card {CARD}', 'falls', fallbacks=['far/any', 'far-model', 'both'])
        self.send('/v1/chat/completions', body, 'near')
        for model in ('far-model', 'far/any'):
            self.assertEqual(self.server.chat(model, f'card {CARD}').status, 400, model)
        first = self.send('/v1/responses', {'model': 'both', 'input': f'card {CARD}'}, 'near').json()
        self.send('/v1/responses', {'model': 'both', 'input': 'Go on', 'previous_response_id': first['id']}, 'near')
        self.nothing_got_out()

    def test_lines_of_batches(self):
        # Also where the far one has batches of its own, to which they would go as one file.
        self.far.batches = Batches()
        self.addCleanup(setattr, self.far, 'batches', None)
        card = [{'role': 'user', 'content': f'card {CARD}'}]
        for model, counts in (('both', (2, 0)), ('far-model', (1, 1))):
            lines = [line('a', model=model, messages=card), line('b', model=model)]
            file = Client(self.server).put(b''.join(json.dumps(x).encode() + b'\n' for x in lines)).json()
            body = {'input_file_id': file['id'], 'endpoint': '/v1/chat/completions', 'completion_window': '24h'}
            made = self.server.post('/v1/batches', json.dumps(body).encode())
            self.assertEqual(made.status, 200, made)
            batch = Client(self.server).ended(made.json())
            done, failed = counts
            self.assertEqual(batch['request_counts'], {'total': 2, 'completed': done, 'failed': failed}, batch)
            if failed:
                error, = Client(self.server).lines(batch['error_file_id'])
                self.assertIn('credit_card in messages[0].content', json.dumps(error))
        self.assertTrue(self.far.seen)
        self.assertEqual([s.path for s in self.far.seen if b'4111' in s.body], [])

    # --- whose say it is ---

    def test_levels(self):
        def key(tenant, *more):
            return self.server.create_key('--tenant', tenant, *more)['key']
        self.assertEqual(self.server.cli('tenant', 'create', 'clinic').returncode, 0)
        for project in ('site', 'lab'):
            made = self.server.cli('project', 'create', project, '--tenant', 'clinic')
            self.assertEqual(made.returncode, 0, made)
        for who, mail, card in ((None, 'far', 'near'), (key('plain'), 'far', 'near'), (key('clinic'), 'near', 'far'),
                                (key('clinic', 'project_id=site'), 'far', 'far'),
                                (key('clinic', 'project_id=lab'), 'near', 'far'), (key('closed'), 'near', 'near')):
            self.send('/v1/chat/completions', self.say(f'write to {MAIL}'), mail, key=who)
            self.send('/v1/chat/completions', self.say(f'card {CARD}'), card, key=who)

    # --- what is told ---

    def test_it_is_told_and_the_value_is_not(self):
        told = self.server.post('/v1/route/explain', json.dumps(self.say(f'card {CARD}')).encode()).json()
        self.assertEqual(told['request']['private_because'], 'credit_card in messages[0].content')
        self.assertEqual([t['provider'] for t in told['order']], ['near'])
        told = self.server.post('/v1/route/explain', json.dumps(self.say('Hi')).encode()).json()
        self.assertEqual((told['request']['private'], told['request']['private_because']), (False, None))
        told = self.server.post('/v1/route/explain', json.dumps(self.say(f'card {CARD}')).encode(),
                                headers={'x-penstock-privacy': 'private'}).json()
        self.assertEqual(told['request']['private_because'], 'x-penstock-privacy')
        refused = self.server.chat('far-model', f'card {CARD}')
        self.assertIn('credit_card in messages[0].content', refused.error()['message'])
        self.assertEqual(refused.error()['code'], 'no_capable_target')
        direct = self.server.chat('far/any', f'card {CARD}')
        self.assertIn('credit_card in messages[0].content', direct.error()['message'])
        member = self.say('Hi', 'far-model', metadata={'DE89370400440532013000': 'x'})
        reply = self.server.post('/v1/chat/completions', json.dumps(member).encode())
        self.assertIn('iban in metadata.*', reply.error()['message'])
        for text in (refused.body, direct.body, reply.body, self.server.log().encode()):
            self.assertNotIn(b'4111', text)
            self.assertNotIn(b'DE8937', text)

    def test_the_command_tells_it(self):
        path = os.path.join(self.server.folder, 'request.json')
        with open(path, 'w', encoding='utf-8') as f:
            json.dump(self.say(f'card {CARD}'), f)
        remote = {'PENSTOCK_API_KEY': self.server.key, 'PENSTOCK_SERVER': f'http://127.0.0.1:{self.server.port}'}
        for args, env in ((('--config', self.server.config_path, '--data', self.server.data), None), ((), remote)):
            done = run_cli('route', 'explain', path, *args, env=env)
            self.assertEqual(done.returncode, 0, done)
            self.assertIn('private: credit_card in messages[0].content', done.stdout)
            self.assertNotIn('4111', done.stdout)


if __name__ == '__main__':
    main()
