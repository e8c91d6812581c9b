#!/usr/bin/env python3
# What a request, its key or its tenant keeps in stays in, whatever way there is out: fallbacks, canaries, shadows,
# judges, chains, batches, several fields of one name. And what the server asks of itself comes to an end.
import json

from harness import Suite, chat_body, eventually, fake_provider, main, request_bytes
from test_batches import Client, line


def model(name, provider, upstream=None, **more):
    return {'name': name, 'targets': [{'provider': provider, 'model': upstream or name}], **more}


def judged(share=1):
    return {'quality': {'share': 1, 'judge': {'model': 'far-judge', 'share': share}}}


ALL = {'model': 'far-model', 'share': 1, 'max_in_flight': 64}
OPEN = {'model': 'far-model', 'steps': ['1'], 'every': '1h', 'min_requests': 1000}


class KeptIn(Suite):
    """One provider in the house, another far away: what the far one has seen is what has got out."""

    @classmethod
    def setUpClass(cls):
        cls.far = cls.fake_class().start()
        cls.addClassCleanup(cls.far.stop)
        super().setUpClass()

    @classmethod
    def config(cls):
        sick = 'sick;status=500'
        both = [{'provider': 'far', 'model': 'b', 'region': 'us-east-1'}, {'provider': 'near', 'model': 'b'}]
        return {
            'providers': [fake_provider(cls.fake, 'near', privacy='local', region='eu-west-1'),
                          fake_provider(cls.far, 'far', privacy='remote', region='us-west-1')],
            'log': {'level': 'info', 'format': 'json'},
            'models': [
                model('far-model', 'far'), model('far-judge', 'far', 'j'),
                model('near-model', 'near'),
                model('falls', 'near', sick, routing={'fallbacks': {'general': ['far-model', 'near-model']}}),
                model('mirrored', 'near', 'a', shadow=ALL), model('ramped', 'near', 'a', canary=OPEN),
                model('judged', 'near', 'a', routing=judged()),
                {'name': 'judge-of-two', 'strategy': 'priority', 'targets': [
                    {'provider': 'far', 'model': 'j2', 'tags': ['fast']}, {'provider': 'near', 'model': 'j2', 'tags': ['fast', 'good']}]},
                {'name': 'near-judged', 'targets': [{'provider': 'near', 'model': 'a', 'tags': ['fast', 'good']}],
                 'routing': {'quality': {'share': 1, 'judge': {'model': 'judge-of-two', 'share': 1}}}},
                {'name': 'far-judged', 'targets': [{'provider': 'near', 'model': 'a', 'tags': ['good']}],
                 'routing': judged()},
                {'name': 'both', 'strategy': 'priority', 'targets': both},
                {'name': 'chained', 'chain': [{'name': 's', 'model': 'both'}]},
                {'name': 'tagged', 'strategy': 'priority',
                 'targets': [{'provider': 'far', 'model': 'c', 'tags': ['t0']},
                             {'provider': 'near', 'model': 'c', 'tags': [f't{i}' for i in range(9)]}]}],
            'tenants': [{'name': 'closed', 'allow_models': ['falls', 'near-model', 'mirrored', 'ramped', 'judged']},
                        {'name': 'open'}]}

    def setUp(self):
        super().setUp()
        self.far.reset()

    def ask(self, name, key=None, status=200, fields=(), text='Hello', **more):
        """fields: pairs, of which several may have the same name."""
        raw = request_bytes('POST', '/v1/chat/completions', chat_body(name, text, **more), {'Connection': 'close'},
                            key or self.server.key)
        head, body = raw.split(b'\r\n\r\n', 1)
        for field, value in fields:
            head += f'\r\n{field}: {value}'.encode()
        with self.server.conn() as conn:
            conn.send(head + b'\r\n\r\n' + body)
            reply = conn.read()
        self.assertEqual(reply.status, status, reply)
        return reply

    # --- tenants ---

    def test_models_closed_to_a_tenant(self):
        closed, opened = (self.server.create_key('--tenant', t)['key'] for t in ('closed', 'open'))
        eventually(lambda: self.server.cli_json('canary', 'list', 'ramped'))
        eventually(lambda: self.ask('ramped', opened) and self.far.seen, 10, 0.1)  # it has its share now
        for name in ('falls', 'mirrored', 'ramped', 'judged'):
            self.far.reset()
            self.ask(name, opened)
            self.assertTrue(eventually(lambda: self.far.seen), name)  # of whom all may
        self.far.reset()
        for name in ('falls', 'mirrored', 'ramped', 'judged'):
            self.assertEqual(self.ask(name, closed).header('x-penstock-provider'), 'near', name)
        for name in ('falls', 'mirrored', 'ramped', 'judged'):  # and what is done for these goes on behind those
            self.ask(name, opened)
        self.assertTrue(eventually(lambda: len(self.far.seen) == 4))
        self.assertEqual(len(self.far.seen), 4)

    # --- private ---

    def test_private_once_is_private(self):
        name = 'x-penstock-privacy'
        for fields in ([(name, 'private')], [(name, 'public'), (name, 'private')], [(name, 'private'), (name, '')],
                       [(name, 'none, Private')], [(name.upper(), ' PRIVATE ')]):
            reply = self.ask('both', fields=fields)
            self.assertEqual(reply.header('x-penstock-provider'), 'near', fields)
            self.ask('far-model', status=400, fields=fields)
            self.ask('far/any', status=400, fields=fields)
            self.ask('chained', fields=fields)
            self.ask('mirrored', fields=fields)
            self.ask('ramped', fields=fields)
            self.ask('judged', fields=fields)
            self.ask('falls', fields=fields, fallbacks=['far/any', 'far-model'])
        self.assertEqual(self.far.seen, [])

    def test_misspelt_is_not_public(self):
        """Who wants it private and says so in another word hears of it."""
        for word in ('privat', 'yes', 'none, tru'):
            reply = self.ask('both', status=400, fields=[('x-penstock-privacy', word)])
            self.assertIn('not "' + word.split()[-1], reply.error()['message'])
        self.assertEqual(self.far.seen, [])
        for word in ('none', 'any', 'Public', ''):
            self.ask('both', fields=[('x-penstock-privacy', word)])

    def test_what_was_private_goes_on_in_private(self):
        def ask(provider, private=False, **more):
            body = json.dumps({'model': 'both', 'input': 'Hello', **more}).encode()
            reply = self.server.post('/v1/responses', body, {'x-penstock-privacy': 'private'} if private else None)
            self.assertEqual((reply.status, reply.header('x-penstock-provider')), (200, provider), reply)
            return reply.json()
        first = ask('near', True)
        second = ask('near', previous_response_id=first['id'])
        ask('near', previous_response_id=second['id'])
        ask('near', input=[{'type': 'item_reference', 'id': first['output'][0]['id']}])
        self.assertEqual(self.far.seen, [])
        ask('far', previous_response_id=ask('far')['id'])

    def test_batches_are_as_private_as_they_were_made(self):
        file = Client(self.server).put(json.dumps(line('a', model='both')).encode() + b'\n').json()
        body = json.dumps({'input_file_id': file['id'], 'endpoint': '/v1/chat/completions', 'completion_window': '24h'})
        client = Client(self.server)

        def run(**fields):
            made = self.server.post('/v1/batches', body.encode(), {k.replace('_', '-'): v for k, v in fields.items()})
            self.assertEqual(made.status, 200, made)
            batch = client.ended(made.json())
            self.assertEqual(batch['request_counts'], {'total': 1, 'completed': 1, 'failed': 0}, batch)
        run(x_penstock_privacy='private')
        run(x_penstock_region='eu')
        self.assertEqual(self.far.seen, [])
        run(x_penstock_region='us')
        run()
        self.assertEqual(len(self.far.seen), 2)

    # --- regions and tags ---

    def test_a_request_may_ask_for_less_than_its_key(self):
        wide = self.key('region', 'us, eu')
        region = 'x-penstock-region'
        self.assertEqual(self.ask('both', wide).header('x-penstock-provider'), 'far')
        self.assertEqual(self.ask('both', wide, fields=[(region, 'eu')]).header('x-penstock-provider'), 'near')
        self.assertEqual(self.ask('both', wide, fields=[(region, 'us-east-1')]).header('x-penstock-provider'), 'far')
        narrow = self.key('region', 'eu-west')
        self.far.reset()
        self.assertEqual(self.ask('both', narrow, fields=[(region, 'eu, us')]).header('x-penstock-provider'), 'near')
        self.ask('both', narrow, 400, [(region, 'us')])
        self.ask('both', narrow, 400, [(region, 'e')])
        self.assertEqual(self.far.seen, [])

    def test_a_judge_is_bound_as_the_request_is(self):
        """By privacy, regions and tags, whoever said so; it may be asked where the request might have gone."""
        def judged_at(fake):
            return [s for s in fake.seen if s.json['model'] == 'j2']
        self.ask('near-judged')
        self.assertTrue(eventually(lambda: judged_at(self.far)))
        self.far.reset()
        for i, fields in enumerate(([('x-penstock-privacy', 'private')], [('x-penstock-region', 'eu')],
                                    [('x-penstock-tags', 'good')])):
            self.ask('near-judged', fields=fields)
            self.assertTrue(eventually(lambda: len(judged_at(self.fake)) == i + 1), fields)
        self.ask('near-judged', self.key('region', 'eu-west'))
        self.assertTrue(eventually(lambda: len(judged_at(self.fake)) == 4))
        self.ask('far-judged', fields=[('x-penstock-tags', 'good')])  # a judge without the tag
        self.ask('near-judged', fields=[('x-penstock-tags', 'good')])
        self.assertTrue(eventually(lambda: len(judged_at(self.fake)) == 5))
        self.assertEqual(self.far.seen, [])
        self.ask('far-judged')
        self.assertTrue(eventually(lambda: self.far.seen))

    def test_lists_that_say_nothing_are_refused(self):
        many = ', '.join(f't{i}' for i in range(9))
        for field, value in (('x-penstock-region', ','), ('x-penstock-region', many), ('x-penstock-tags', many),
                             ('x-penstock-tags', ' , ')):
            self.ask('tagged', status=400, fields=[(field, value)])
        self.ask('both', self.key('region', ' , '), 400)
        self.assertEqual(self.ask('tagged', fields=[('x-penstock-tags', 't0,t8')]).header('x-penstock-provider'), 'near')
        self.assertEqual(self.far.seen, [])

    def key(self, tag, value):
        self.server.admin = getattr(self.server, 'admin', None) or self.server.create_key('--name', 'adm', '--admin')['key']
        body = json.dumps({'name': f'k{value.encode().hex()}', 'tags': {tag: value}}).encode()
        reply = self.server.request('POST', '/api/v1/keys', body, key=self.server.admin)
        self.assertIn(reply.status, (200, 201), reply)
        return reply.json()['key']


class Ends(Suite):
    """Judges that are chains, shadows of judges, tasks that lead from a shadow to a chain and back."""

    @classmethod
    def config(cls):
        every = {'quality': {'share': 1, 'judge': {'model': 'grader', 'share': 1}}}
        return {
            'providers': [fake_provider(cls.fake)],
            'models': [
                model('judged', 'fake', 'a', routing=every),
                # By its task each call of this judge would be a chain, whose steps are judged.
                model('grader', 'fake', 'g', shadow={'model': 'second', 'share': 1, 'max_in_flight': 64},
                      tasks={t: 'circle' for t in ('chat', 'question', 'classify', 'rewrite', 'write', 'extract', 'reason',
                                                   'summarise', 'code', 'math', 'translate', 'vision')}),
                model('second', 'fake', 's', routing=every),
                {'name': 'circle', 'chain': [{'name': 's', 'model': 'judged'}]},
                model('mirrored', 'fake', 'm', shadow={'model': 'shade', 'share': 1, 'max_in_flight': 64}),
                model('shade', 'fake', 't', tasks={'round': 'back'}),
                {'name': 'back', 'chain': [{'name': 's', 'model': 'mirrored', 'conversation': True}]}]}

    def settles(self, most):
        """Nothing more is asked, and it was no more than that."""
        last = [-1]

        def still():
            same, last[0] = last[0] == len(self.fake.seen), len(self.fake.seen)
            return same or last[0] > most
        eventually(still, 20, 0.7)
        self.assertLessEqual(len(self.fake.seen), most, [s.json['model'] for s in self.fake.seen][:20])

    def test_judges_are_not_judged(self):
        self.assertEqual(self.server.chat('judged', 'What is the capital of France?').status, 200)
        self.settles(2)

    def test_shadows_have_none(self):
        reply = self.server.chat('mirrored', metadata={'task': 'round'})
        self.assertEqual(reply.status, 200, reply)
        self.settles(2)


if __name__ == '__main__':
    main()
