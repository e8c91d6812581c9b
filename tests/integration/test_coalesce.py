#!/usr/bin/env python3
# Coalescing: many identical requests at once and one call to the provider; who comes late, who leaves, who is slow, who
# must not share, and what each is charged.
import json
import time

from harness import (WAIT, Conn, Suite, chat_body, eventually, fake_provider, in_parallel, main, request_bytes,
                     sanitized)
from test_quotas import Budgets

MANY = 60 if sanitized() else 200
CHAT, MESSAGES = '/v1/chat/completions', '/v1/messages'


class Coalesce(Suite):
    @classmethod
    def config(cls):
        priced = {'input': 1000, 'output': 2000}
        models = [{'name': name, 'targets': [{'provider': 'fake', 'model': target}], 'price': priced, **more}
                  for name, target, more in (('priced', 'x;delay=700;words=5', {}),
                                             ('long', 'x;delay=500;events=1500;pad=8000', {}),
                                             ('alone', 'x;delay=400', {'routing': {'coalesce': 'off'}}),
                                             ('one', 'x;delay=700', {'routing': {'coalesce_billing': 'one'}}),
                                             ('zero', 'x;delay=700', {'routing': {'coalesce': 'deterministic'}}))]
        models.append({'name': 'narrow', 'targets': [
            {'provider': 'fake', 'model': 'x;delay=1500;words=3', 'limits': {'tokens_per_minute': 3000}}]})
        models += [{'name': 'falls', 'targets': [{'provider': 'fake', 'model': 'ill;delay=500;status=500'}],
                    'routing': {'fallbacks': {'general': ['by-team']}}},
                   {'name': 'by-team', 'strategy': 'priority', 'targets': [
                       {'provider': 'fake', 'model': 'theirs', 'when': 'header["x-team"] == "a"'},
                       {'provider': 'fake', 'model': 'anybodys', 'priority': 1}]}]
        models.append({'name': 'broken', 'strategy': 'priority', 'targets': [
            {'provider': 'fake', 'model': m} for m in ('x;delay=700;fault=reset', 'y;events=20;gap=10')]})
        return {'providers': [fake_provider(cls.fake)], 'models': models, 'passthrough_models': True,
                'routing': {'coalesce': 'all'}, 'log': {'level': 'debug', 'format': 'json'}}

    def conns(self, count, request):
        """Connections that have all sent their request."""
        out = [self.server.conn() for _ in range(count)]
        for i, c in enumerate(out):
            self.addCleanup(c.close)
            c.send(request(i) if callable(request) else request)
        return out

    def request(self, model, text='same', path=CHAT, key=None, headers=None, **more):
        if path == MESSAGES:
            more.setdefault('max_tokens', 100)
        return request_bytes('POST', path, chat_body(model, text, **more), headers, key or self.server.key)

    def together(self, count, request):
        return [c.read() for c in self.conns(count, request)]

    def records(self, replies):
        wanted = {r.request_id for r in replies}
        self.assertEqual(len(wanted), len(replies), 'each has an id of its own')
        return [r for r in self.server.usage('--limit', '10000') if r['request_id'] in wanted]

    # --- one call ---

    def check_shared(self, replies, calls=1):
        self.assertEqual([r.status for r in replies], [200] * len(replies), replies[0])
        self.assertEqual(len(self.fake.seen), calls)
        self.assertEqual(len({r.body for r in replies}), calls)
        self.assertEqual(sum(r.header('x-penstock-coalesced') is None for r in replies), calls)
        records = self.records(replies)
        self.assertEqual(len(records), len(replies))
        self.assertEqual(sum(r['attempts'] for r in records), calls)
        self.assertEqual(sum(r['coalesced'] for r in records), len(replies) - calls)
        self.assertEqual(len({(r['input_tokens'], r['output_tokens'], r['provider'], r['status']) for r in records}), 1)
        self.assertGreater(records[0]['output_tokens'], 0)

    def test_whole(self):
        replies = self.together(MANY, self.request('fake/x;delay=700'))
        self.check_shared(replies)
        self.assertEqual({r.header('x-penstock-provider') for r in replies}, {'fake'})
        self.assertTrue(replies[-1].json()['choices'][0]['message']['content'])

    def test_what_it_may_answer_is_held_of_the_minute(self):
        """As of a request that shares with nobody: with its longest answer."""
        replies = self.together(6, lambda i: self.request('narrow', f'number {i}', max_tokens=2000))
        self.assertEqual(sorted(r.status for r in replies), [200] + [429] * 5)

    def test_is_counted(self):
        def counted(model):
            name = 'penstock_coalesced_requests_total{model="%s",role="%s"}'
            return [self.server.metrics().get(name % (model, role), 0) for role in ('leader', 'follower')]

        for model, label in (('zero', 'zero'), ('fake/x;delay=400', 'other')):
            before = counted(label)
            self.together(5, self.request(model, 'counted', temperature=0))
            self.assertEqual([a - b for a, b in zip(counted(label), before)], [1, 4])

    def test_stream(self):
        replies = self.together(MANY, self.request('fake/x;delay=700;events=20;gap=10', stream=True))
        self.check_shared(replies)
        self.assertEqual(replies[-1].events()[-1], '[DONE]')

    def test_anthropic_whole(self):
        replies = self.together(MANY, self.request('fake/x;delay=700', path=MESSAGES))
        self.check_whole_messages(replies)

    def check_whole_messages(self, replies):
        self.assertEqual({r.status for r in replies}, {200})
        self.assertEqual(len(self.fake.seen), 1)
        self.assertTrue(all(r.json()['content'][0]['text'] for r in replies))

    def test_anthropic_stream(self):
        replies = self.together(MANY, self.request('fake/x;delay=700;events=20;gap=10', path=MESSAGES, stream=True))
        self.check_shared(replies)
        self.assertEqual(json.loads(replies[-1].events()[-1])['type'], 'message_stop')

    def test_other_endpoints(self):
        body = json.dumps({'model': 'fake/x;delay=500', 'input': 'same'}).encode()
        replies = self.together(10, request_bytes('POST', '/v1/embeddings', body, key=self.server.key))
        self.assertEqual({r.status for r in replies}, {200})
        self.assertEqual(len(self.fake.seen), 1)

    def test_nothing_is_kept(self):
        for _ in range(2):
            self.assertEqual(self.server.chat('fake/x').status, 200)
        self.assertEqual(len(self.fake.seen), 2)

    # --- late, slow and gone ---

    def test_late_joiner_has_the_beginning(self):
        request = self.request('fake/x;events=30;gap=50', stream=True)
        (first,) = self.conns(1, request)
        head = first.read_head()
        pieces = first.pieces(head)
        next(pieces)
        (late,) = self.conns(1, request)
        got = late.read()
        for _ in pieces:
            pass
        self.assertEqual(got.body, head.body)
        self.assertEqual(len(self.fake.seen), 1)
        self.assertEqual(got.header('x-penstock-coalesced'), '1')

    def test_first_one_leaves(self):
        conns = self.conns(MANY, self.request('fake/x;events=20;gap=30', stream=True))
        heads = [c.read_head() for c in conns]
        first = [i for i, h in enumerate(heads) if h.header('x-penstock-coalesced') is None]
        self.assertEqual(len(first), 1)
        conns[first[0]].reset()
        for i, (c, h) in enumerate(zip(conns, heads)):
            if i not in first:
                for _ in c.pieces(h):
                    pass
                self.assertEqual(h.events()[-1], '[DONE]')
        self.assertEqual(len(self.fake.seen), 1)
        records = [r for r in eventually(lambda: self.all_recorded(heads)) if r['request_id'] != heads[first[0]].request_id]
        self.assertEqual(sum(r['attempts'] for r in records), 1, 'another one carries the call')

    def all_recorded(self, replies):
        records = self.records(replies)
        return len(records) == len(replies) and all(r['status'] for r in records) and records

    def test_all_leave(self):
        conns = self.conns(10, self.request('fake/x;endless;gap=20', stream=True))
        for c in conns:
            c.read_head()
        for c in conns:
            c.reset()
        self.assertTrue(self.fake.wait(lambda: self.fake.seen[0].gone_at, WAIT))
        self.assertEqual(len(self.fake.seen), 1)
        active = eventually(lambda: self.server.metrics()['penstock_active_requests'] <= 1)
        self.assertTrue(active, 'nothing goes on')
        self.check_serving()

    def test_who_leaves_before_the_answer_pays(self):
        """As one does who is alone: the provider is at work on it."""
        for model in ('priced', 'alone'):
            with self.subTest(model):
                self.fake.reset()
                (conn,) = self.conns(1, self.request(model, 'a question that costs'))
                self.assertTrue(self.fake.wait(lambda: self.fake.seen, WAIT))
                conn.reset()
                record = eventually(lambda model=model: [r for r in self.server.usage() if r['model'] == model and r['status'] == 499])[0]
                self.assertEqual((record['provider'], record['attempts'], record['coalesced']), ('fake', 1, False), record)
                self.assertGreater(record['input_tokens'], 0)
                if model == 'priced':
                    self.assertGreater(float(record['cost_usd']), 0)

    def test_a_slow_one_leaves_the_bill_to_others(self):
        request = self.request('long', stream=True)
        slow = Conn(self.server.port, rcvbuf=4096)
        self.addCleanup(slow.close)
        slow.send(request)
        self.assertTrue(self.fake.wait(lambda: self.fake.seen, WAIT))
        conns = self.conns(3, request)
        replies = in_parallel(3, lambda i: conns[i].read())
        self.assertEqual({r.events()[-1] for r in replies}, {'[DONE]'})
        records = self.records(replies)
        self.assertEqual(len(self.fake.seen), 1)
        self.assertEqual(sum(r['attempts'] for r in records), 1, 'who was given up on has it in his record')
        self.assertEqual(len({r['output_tokens'] for r in records}), 1)

    def test_slow_reader_holds_up_nobody(self):
        # More than what the kernel and the gateway's queues hold for who does not read.
        request = self.request('fake/x;events=600;pad=8000', stream=True)
        slow = Conn(self.server.port, rcvbuf=4096)
        self.addCleanup(slow.close)
        slow.send(request)
        self.assertTrue(self.fake.wait(lambda: self.fake.seen, WAIT))
        for reply in self.together(5, request):
            self.assertEqual(reply.events()[-1], '[DONE]')
        self.assertLessEqual(len(self.fake.seen), 2)
        slow.read_head()

    def test_slow_reader_alone_is_waited_for(self):
        request = self.request('fake/x;events=900;pad=8000', stream=True)
        slow = Conn(self.server.port, rcvbuf=4096)
        self.addCleanup(slow.close)
        slow.send(request)
        head = slow.read_head()
        time.sleep(0.3)
        for _ in slow.pieces(head):
            pass
        self.assertEqual(head.events()[-1], '[DONE]')

    # --- failures ---

    def test_all_are_told_of_a_failure(self):
        replies = self.together(20, self.request('fake/x;delay=500;status=500'))
        self.assertEqual(len({r.status for r in replies}), 1)
        self.assertGreaterEqual(replies[0].status, 500)
        self.assertEqual(len({r.request_id for r in replies}), 20)
        self.assertEqual(len(self.records(replies)), 20)

    def test_an_error_says_the_own_id(self):
        replies = self.together(5, self.request('fake/x;delay=500;status=500', path=MESSAGES))
        for reply in replies:
            self.assertEqual(reply.json()['request_id'], reply.request_id)

    def test_first_call_breaks_off(self):
        """Nothing has come of it yet: it is made once more, for all who wait."""
        replies = self.together(MANY, self.request('broken', stream=True))
        self.assertEqual({(r.status, r.events()[-1]) for r in replies}, {(200, '[DONE]')})
        self.assertEqual(len({r.body for r in replies}), 1)
        self.assertEqual([s.model.split(';')[0] for s in self.fake.seen], ['x', 'y'])
        records = self.records(replies)
        self.assertEqual((len(records), sum(r['attempts'] for r in records)), (MANY, 2))
        self.assertEqual({r['status'] for r in records}, {200})

    def test_provider_breaks_off(self):
        replies = self.together(MANY, self.request('fake/x;delay=500;events=10;fault=reset;when=body', stream=True))
        self.assertEqual({r.status for r in replies}, {200})
        self.assertEqual(len({r.body for r in replies}), 1)
        self.assertIn('error', json.loads(replies[0].events()[-1]))
        self.assertEqual(len(self.fake.seen), 1)

    # --- who does not share ---

    def test_other_requests_are_others(self):
        m = 'fake/x;delay=400'
        different = [self.request(m), self.request(m, 'other'), self.request(m, stream=True), self.request(m, user='u'),
                     self.request(m, path=MESSAGES), self.request(m, headers={'OpenAI-Beta': 'x'}),
                     self.request(m, headers={'X-Penstock-Privacy': 'private'})]
        replies = self.together(len(different), lambda i: different[i])
        self.assertEqual({r.status for r in replies}, {200})
        self.assertEqual(len(self.fake.seen), len(different))

    def test_what_helps_out_may_differ(self):
        """What one may fall back on is not another's."""
        replies = self.together(4, lambda i: self.request('falls', headers={'X-Team': 'ab'[i % 2]}))
        self.assertEqual([r.header('x-penstock-model') for r in replies], ['theirs', 'anybodys'] * 2, replies)
        self.assertEqual(len(self.fake.seen), 4)

    def test_off_for_a_model(self):
        self.together(3, self.request('alone'))
        self.assertEqual(len(self.fake.seen), 3)

    def test_deterministic(self):
        self.together(3, self.request('zero'))
        self.assertEqual(len(self.fake.seen), 3)
        self.fake.reset()
        self.together(3, self.request('zero', temperature=0.0))
        self.assertEqual(len(self.fake.seen), 1)

    def test_responses_are_alone(self):
        body = json.dumps({'model': 'fake/x;delay=400', 'input': 'same', 'store': False}).encode()
        replies = self.together(2, request_bytes('POST', '/v1/responses', body, key=self.server.key))
        self.assertEqual({r.status for r in replies}, {200})
        self.assertEqual(len(self.fake.seen), 2)

    def test_tenants_never_share(self):
        done = self.server.cli('tenant', 'create', 'acme')
        self.assertEqual(done.returncode, 0, done.stderr)
        acme = self.server.create_key('--name', 'a', '--tenant', 'acme')['key']
        keys = [self.server.key, acme]
        replies = self.together(10, lambda i: self.request('fake/x;delay=500', key=keys[i % 2]))
        self.assertEqual({r.status for r in replies}, {200})
        self.assertEqual(len(self.fake.seen), 2)

    def test_the_important_do_not_wait_with_others(self):
        keys = [self.server.create_key('--name', p, f'tags=priority={p}')['key'] for p in ('high', 'low')]
        replies = self.together(6, lambda i: self.request('fake/x;delay=500', key=keys[i % 2]))
        self.assertEqual({r.status for r in replies}, {200})
        self.assertEqual(len(self.fake.seen), 2)

    def test_rights_are_each_ones_own(self):
        other = self.server.create_key('--name', 'b')['key']
        barred = self.server.create_key('--name', 'c', '--models', 'priced')['key']
        keys = [self.server.key, other, barred, 'ps-nobody']
        replies = self.together(4, lambda i: self.request('fake/x;delay=500', key=keys[i]))
        self.assertEqual([r.status for r in replies], [200, 200, 403, 401])
        self.assertEqual(len(self.fake.seen), 1)

    # --- what it costs ---

    def test_each_is_charged(self):
        keys = [self.server.create_key('--name', f'charged{i}')['key'] for i in range(2)]
        replies = self.together(4, lambda i: self.request('priced', key=keys[i % 2]))
        self.check_shared(replies)
        costs = {r['cost_usd'] for r in self.records(replies)}
        self.assertEqual(len(costs), 1)
        self.assertGreater(float(costs.pop()), 0)

    def test_one_is_charged(self):
        replies = self.together(5, self.request('one'))
        self.assertEqual({r.status for r in replies}, {200})
        records = self.records(replies)
        paid = [r for r in records if r['cost_usd']]
        self.assertEqual((len(self.fake.seen), len(paid)), (1, 1))
        self.assertEqual(paid[0]['attempts'], 1)
        self.assertFalse(paid[0]['coalesced'])
        self.assertEqual(sum(r['output_tokens'] for r in records), paid[0]['output_tokens'])
        self.assertTrue(all(r['price_known'] for r in records))

    def test_budgets_are_each_ones_own(self):
        budgets = Budgets(self.server)
        keys = [budgets.key() for _ in range(2)]
        for i, (_, number) in enumerate(keys):
            budgets.add(f'b{i}', 'key', number, 'requests', 'day', (3, 10)[i])
        self.server.create_key('--name', 'the next request reads all anew')
        replies = self.together(10, lambda i: self.request('priced', key=keys[i % 2][0]))
        self.assertEqual([r.status for r in replies[1::2]], [200] * 5)
        self.assertEqual(sorted(r.status for r in replies[::2]), [200] * 3 + [429] * 2)
        self.assertEqual(len(self.fake.seen), 1)
        self.assertEqual(self.server.post(CHAT, chat_body('priced', 'more'), key=keys[0][0]).status, 429)
        budgets.sql('DELETE FROM budget')


def load_tests(loader, tests, pattern):
    """The own class alone, not what it takes from another suite."""
    return loader.loadTestsFromTestCase(Coalesce)


if __name__ == '__main__':
    main()
