#!/usr/bin/env python3
# Quotas and budgets on a running server: every scope and metric, reservations and their ends, downgrades, what is told,
# periods under a moved clock, kill -9, a thousand requests at once.
import datetime
import json
import os
import re
import resource
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from harness import (ROOT, WAIT, Conn, Incomplete, Suite, chat_body, eventually, fake_provider, main,
                     request_bytes, sanitized)

FAKETIME = '/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1'
MODELS = [{'name': name, 'targets': [{'provider': 'fake', 'model': model}], 'price': {'input': 1000, 'output': 2000}}
          for name, model in (('priced', 'x;words=5'), ('slow', 'x;delay=3000'), ('crawling', 'x;delay=4000'),
                              ('broken', 'x;status=500'), ('endless', 'x;endless;gap=20'))]
MODELS.append({'name': 'cheap', 'targets': [{'provider': 'fake', 'model': 'cheap-one'}], 'price': {'input': 1, 'output': 2}})


def config(fake, **more):
    return {'providers': [fake_provider(fake)], 'models': MODELS, 'passthrough_models': True,
            'log': {'level': 'debug', 'format': 'json'}, **more}


class Budgets:
    """The budgets of one server, by its database."""

    def __init__(self, server):
        self.server = server
        self.path = os.path.join(server.data, 'penstock.db')

    def sql(self, text, *values):
        db = sqlite3.connect(self.path, timeout=WAIT, isolation_level=None)
        try:
            return db.execute(text, values).fetchall()
        finally:
            db.close()

    def add(self, name, scope, of, metric, period, amount, **more):
        columns = {'tenant_id': 1, 'created_at': 0, 'updated_at': 0, 'name': name, 'scope_kind': scope,
                   'scope_text' if isinstance(of, str) else 'scope_id': of, 'metric': metric, 'period': period,
                   'amount': amount, **more}
        marks = ', '.join('?' * len(columns))
        return self.sql(f'INSERT INTO budget ({", ".join(columns)}) VALUES ({marks}) RETURNING id', *columns.values())[0][0]

    def key(self, **columns):
        """A key of its own: (text, id). It also has the server read keys and budgets before its next request."""
        made = self.server.create_key('--name', 'of a budget')
        number = self.sql('SELECT max(id) FROM api_key')[0][0]
        for name, value in columns.items():
            self.sql(f'UPDATE api_key SET {name} = ? WHERE id = ?', value, number)
        return made['key'], number

    def room(self, key, name, n, chat):
        """The budget, which begins with what was used today, gets room for n requests."""
        self.sql('UPDATE budget SET amount = 100000 WHERE name = ?', name)
        self.in_force()
        left = int(re.search(f'"{name}";r=(\\d+)', chat(key).header('ratelimit')).group(1))
        self.sql('UPDATE budget SET amount = 100000 - ? + ? WHERE name = ?', left, n, name)
        self.in_force()

    def in_force(self):
        self.server.create_key('--name', 'the next request reads all anew')

    def organisation(self, n):
        """A team, a project, a user and a service account: their ids."""
        return [self.sql(f'INSERT INTO {table} (tenant_id, created_at, updated_at, {column}) VALUES (1, 0, 0, ?)'
                         ' RETURNING id', f'{table}-{n}')[0][0]
                for table, column in (('team', 'name'), ('project', 'name'), ('app_user', 'email'),
                                      ('service_account', 'name'))]

    def may_use_models(self, kind, number):
        self.sql("INSERT INTO access_grant (tenant_id, created_at, updated_at, principal_kind, principal_id, role)"
                 " VALUES (1, 0, 0, ?, ?, 'developer')", kind, number)


class Quotas(Suite):
    @classmethod
    def config(cls):
        return config(cls.fake)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.budgets = Budgets(cls.server)

    def tearDown(self):
        self.budgets.sql('DELETE FROM budget')
        super().tearDown()

    def chat(self, key, model='priced', text='Hello', server=None, **more):
        return (server or self.server).post('/v1/chat/completions', chat_body(model, text, **more), key=key)

    def statuses(self, key, n, **more):
        return [self.chat(key, **more).status for _ in range(n)]

    # --- which apply ---

    def test_every_scope(self):
        b = self.budgets
        team, project, user, account = b.organisation('scopes')
        b.may_use_models('user', user)
        b.may_use_models('service_account', account)
        key, number = b.key(team_id=team, project_id=project, owner_kind='user', owner_id=user,
                            tags='{"env": "prod", "team": "x=y"}')
        other, _ = b.key(owner_kind='service_account', owner_id=account)
        cases = [('team', team, 'team-scopes', False), ('project', project, 'project-scopes', False),
                 ('user', user, 'app_user-scopes', False), ('key', number, key[:9], False),
                 ('tag', 'env=prod', 'env=prod', False), ('tag', 'team=x=y', 'team=x=y', False),
                 ('model', 'priced', 'priced', True), ('model', 'pric*', 'pric*', True), ('tenant', 0, '', True)]
        for scope, of, name, also in cases:
            with self.subTest(scope=scope, of=of):
                b.add('the limit', scope, of, 'requests', 'day', 2)
                b.room(key, 'the limit', 2, self.chat)
                self.assertEqual(self.statuses(key, 4), [200, 200, 429, 429])
                error = self.check_error(self.chat(key), 429, 'rate_limit_exceeded', 'rate_limit_error')
                self.assertIn('"the limit" of', error['message'])
                self.assertIn(f'{scope} "{name}"' if name else 'the tenant', error['message'])
                self.assertIn(' requests a day', error['message'])
                self.assertEqual(self.chat(other).status, 429 if also else 200)
                if scope == 'model':
                    self.assertEqual(self.chat(key, model='cheap').status, 200)
                b.sql('DELETE FROM budget')
                b.in_force()
                self.assertEqual(self.statuses(key, 2), [200, 200])
        b.add('the account', 'service_account', account, 'requests', 'day', 1)
        b.room(other, 'the account', 1, self.chat)
        self.assertEqual(self.statuses(other, 2), [200, 429])
        self.assertEqual(self.statuses(key, 2), [200, 200])

    def test_several_at_once(self):
        """What one refuses takes nothing from the others."""
        b = self.budgets
        key, number = b.key()
        b.add('wide', 'tenant', 0, 'requests', 'day', 10)
        b.add('narrow', 'key', number, 'requests', 'hour', 3)
        other, _ = b.key()
        b.room(other, 'wide', 10, self.chat)
        self.assertEqual(self.statuses(key, 8), [200] * 3 + [429] * 5)
        self.assertEqual(self.statuses(other, 9), [200] * 7 + [429] * 2)

    def test_a_change_takes_effect(self):
        b = self.budgets
        key, number = b.key()
        budget = b.add('grows', 'key', number, 'requests', 'day', 2)
        b.in_force()
        self.assertEqual(self.statuses(key, 3), [200, 200, 429])
        b.sql('UPDATE budget SET amount = 4 WHERE id = ?', budget)
        # Nobody said so: it is seen within a second or so.
        self.assertTrue(eventually(lambda: self.chat(key).header('ratelimit-limit') == '4', 5, 0.2))
        self.assertEqual(self.statuses(key, 3)[1:], [429, 429])
        b.sql('DELETE FROM budget WHERE id = ?', budget)
        self.assertTrue(eventually(lambda: self.chat(key).header('ratelimit') is None, 5, 0.2))

    # --- metrics ---

    def test_tokens(self):
        b = self.budgets
        key, number = b.key()
        b.add('tokens', 'key', number, 'tokens', 'day', 200)
        b.in_force()
        error = self.check_error(self.chat(key, max_tokens=300), 429, 'rate_limit_exceeded')
        self.assertIn('this request alone may need', error['message'])
        reply = self.chat(key, max_tokens=100)
        self.assertEqual(reply.status, 200)
        total = reply.json()['usage']['total_tokens']
        self.assertEqual(reply.header('x-ratelimit-limit-tokens'), '200')
        self.assertEqual(reply.header('x-ratelimit-remaining-tokens'), str(200 - total))
        self.assertRegex(reply.header('x-ratelimit-reset-tokens'), r'^(\d+h)?(\d+m)?\d+s$')
        # The estimate counts only while the request is under way.
        self.assertEqual(self.chat(key, max_completion_tokens=150 - total).status, 200)
        self.assertEqual(self.chat(key, max_tokens=10, n=20).status, 429)

    def test_counting_is_a_request_without_tokens(self):
        b = self.budgets
        key, number = b.key()
        b.add('often', 'key', number, 'requests', 'day', 2)
        b.add('tokens', 'key', number, 'tokens', 'day', 1)
        b.in_force()
        body = json.dumps({'model': 'priced', 'messages': [{'role': 'user', 'content': 'Hello ' * 50}]}).encode()
        replies = [self.server.post('/v1/messages/count_tokens', body, key=key) for _ in range(3)]
        self.assertEqual([r.status for r in replies], [200, 200, 429], replies)
        self.assertEqual(replies[1].header('x-ratelimit-remaining-requests'), '0')

    def test_money(self):
        b = self.budgets
        key, number = b.key()
        b.add('money', 'key', number, 'cost', 'month', 100_000_000)  # 0.10 USD
        b.in_force()
        reply = self.chat(key, max_tokens=20)
        self.assertEqual(reply.status, 200)
        spent = float(reply.header('x-penstock-cost-usd'))
        self.assertIn(f'"money";q=100000;qu="microdollars";w=', reply.header('ratelimit-policy'))
        self.assertIn(f'"money";r={100000 - round(spent * 1e6)};t=', reply.header('ratelimit'))
        self.assertIsNone(reply.header('x-ratelimit-limit-requests'))
        while (reply := self.chat(key, max_tokens=20)).status == 200:
            spent += float(reply.header('x-penstock-cost-usd'))
        self.assertLessEqual(spent, 0.10)
        self.assertGreater(spent, 0.02)
        error = self.check_error(reply, 429, 'insufficient_quota', 'insufficient_quota')
        self.assertIn('0.10 USD a month', error['message'])
        self.assertRegex(error['message'], r'begins anew on \d{4}-\d\d-01 at 00:00:00 UTC')
        self.assertGreater(int(reply.header('retry-after')), 0)

    def test_concurrency(self):
        b = self.budgets
        key, number = b.key()
        b.add('at once', 'key', number, 'concurrency', 'total', 2)
        b.in_force()
        both = [Conn(self.server.port) for _ in range(2)]
        for conn in both:
            conn.send(request_bytes('POST', '/v1/chat/completions', chat_body('slow'), key=key))
        self.assertTrue(eventually(lambda: len(self.fake.seen) == 2))
        reply = self.chat(key)
        error = self.check_error(reply, 429, 'rate_limit_exceeded')
        self.assertIn('2 requests at once', error['message'])
        self.assertEqual(reply.header('retry-after'), '1')
        self.assertIn('"at once";q=2;qu="concurrent-requests"', reply.header('ratelimit-policy'))
        both[0].close()  # leaves: its place is free
        self.assertTrue(eventually(lambda: self.chat(key).status == 200, 5))
        self.assertEqual(both[1].read().status, 200)
        both[1].close()
        self.assertEqual(self.statuses(key, 3), [200] * 3)

    # --- how calls end ---

    def test_failures_are_given_back(self):
        b = self.budgets
        key, number = b.key()
        b.add('all', 'key', number, 'requests', 'day', 2)
        b.add('tokens', 'key', number, 'tokens', 'day', 2000)
        b.add('now', 'key', number, 'concurrency', 'total', 1)
        b.in_force()
        for _ in range(3):
            self.assertEqual(self.chat(key, model='broken', max_tokens=1500).status, 500)
        self.assertEqual(self.statuses(key, 3), [200, 200, 429])

    def test_a_stream_that_its_client_leaves(self):
        b = self.budgets
        key, number = b.key()
        b.add('all', 'key', number, 'requests', 'day', 3)
        b.add('tokens', 'key', number, 'tokens', 'day', 100_000)
        b.add('now', 'key', number, 'concurrency', 'total', 1)
        b.in_force()
        with Conn(self.server.port) as conn:
            conn.send(request_bytes('POST', '/v1/chat/completions', chat_body('endless', stream=True, max_tokens=50_000),
                                    key=key))
            reply = conn.read_head()
            self.assertEqual(reply.status, 200)
            self.assertEqual(reply.header('x-ratelimit-remaining-requests'), '2')
            self.assertLess(int(reply.header('x-ratelimit-remaining-tokens')), 50_000)
            time.sleep(0.3)
        # What it has streamed counts, not all that was set aside.
        self.assertTrue(eventually(lambda: self.chat(key, max_tokens=10).status == 200, 5))
        reply = self.chat(key, max_tokens=10)
        self.assertGreater(int(reply.header('x-ratelimit-remaining-tokens')), 99_000)
        self.assertLess(int(reply.header('x-ratelimit-remaining-tokens')), 99_970)

    def test_no_budget_no_fields(self):
        key, _ = self.budgets.key()
        reply = self.chat(key)
        self.assertEqual([k for k, _ in reply.headers if k.startswith('ratelimit')], [])

    def test_from_the_command_line(self):
        server = self.spawn(config(self.fake))
        key = Budgets(server).key()[0]
        done = server.cli('budget', 'create', 'name=all', 'metric=requests', 'period=day', 'amount=2')
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.statuses(key, 3, server=server), [200, 200, 429])
        self.assertEqual(server.cli('budget', 'update', 'all', 'amount=3').returncode, 0)
        self.assertEqual(self.statuses(key, 2, server=server), [200, 429])
        self.assertEqual(server.cli('budget', 'delete', 'all').returncode, 0)
        self.assertEqual(self.statuses(key, 2, server=server), [200, 200])

    def test_a_bad_row_harms_nobody(self):
        b = self.budgets
        key, number = b.key()
        b.add('bad', 'key', number, 'requests', 'fortnight', 1)
        b.add('good', 'key', number, 'requests', 'day', 2)
        b.in_force()
        self.assertEqual(self.statuses(key, 3), [200, 200, 429])

    # --- softer than a refusal ---

    def test_downgrade(self):
        b = self.budgets
        key, number = b.key()
        b.add('dear', 'key', number, 'requests', 'day', 1, action='downgrade', downgrade_to='cheap')
        b.in_force()
        reply = self.chat(key)
        self.assertIsNone(reply.header('x-penstock-downgraded'))
        reply = self.chat(key)
        self.assertEqual(reply.status, 200)
        self.assertEqual(reply.header('x-penstock-downgraded'), 'priced->cheap')
        self.assertEqual(reply.header('x-penstock-model'), 'cheap-one')
        self.assertEqual(self.fake.seen[-1].json['model'], 'cheap-one')
        record = self.record_of(reply.request_id)
        self.assertEqual((record['model'], record['downgraded']), ('cheap', True))
        self.assertEqual([r['downgraded'] for r in self.server.usage('--model', 'priced', '--limit', '1')], [False])
        told, = eventually(lambda: [line for line in self.server.log_lines()
                                    if line.get('request_id') == reply.request_id and line['msg'] == 'request'])
        self.assertEqual((told['model'], told['downgraded_from']), ('cheap', 'priced'))
        # A stream, and a name that the provider has too.
        b.sql("UPDATE budget SET downgrade_to = 'fake/other'")
        b.in_force()
        reply = self.chat(key, stream=True)
        self.assertEqual((reply.status, reply.header('x-penstock-downgraded')), (200, 'priced->fake/other'))
        self.assertEqual(self.fake.seen[-1].json['model'], 'other')
        # Not to what the key may not use.
        b.sql("UPDATE budget SET downgrade_to = 'cheap'")
        b.sql("UPDATE api_key SET allowed_models = '[\"priced\"]' WHERE id = ?", number)
        b.in_force()
        self.check_error(self.chat(key), 429, 'rate_limit_exceeded')

    def test_downgrade_to_nothing(self):
        server = self.spawn(config(self.fake, passthrough_models=False))
        b = Budgets(server)
        key, number = b.key()
        b.add('dear', 'key', number, 'requests', 'day', 0, action='downgrade', downgrade_to='none')
        b.in_force()
        self.check_error(self.chat(key, server=server), 429, 'rate_limit_exceeded')

    def test_downgrade_is_to_what_is_there(self):
        server = self.spawn(config(self.fake, passthrough_models=False, models=MODELS + [
            {'name': 'two-steps', 'chain': [{'name': 's', 'model': 'cheap'}]}]))
        admin = server.create_key('--admin', '--name', 'ops')['key']
        fields = {'name': 'dear', 'metric': 'requests', 'period': 'day', 'amount': 0, 'action': 'downgrade'}

        def api(method, path, **more):
            return server.request(method, '/api/v1/budgets' + path, json.dumps(more).encode(), key=admin)

        for to, said in (('chep', 'no model "chep"; did you mean "cheap"?'), ('nosuch', 'no model "nosuch"'),
                         ('two-steps', 'is a chain')):
            reply = api('POST', '', **fields, downgrade_to=to)
            self.assertEqual((reply.status, reply.json()['field']), (400, 'downgrade_to'))
            self.assertIn(said, reply.json()['detail'])
        self.assertEqual(api('POST', '', **fields, downgrade_to='cheap').status, 201)
        self.assertEqual(api('PATCH', '/dear', downgrade_to='chep').status, 400)
        # As the command at hand, with a file that says which models there are; without one nobody knows.
        made = ('budget', 'create', 'name=other', 'metric=requests', 'period=day', 'amount=5', 'action=downgrade')
        done = server.cli(*made, 'downgrade_to=chep', '--config', server.config_path)
        self.assertEqual(done.returncode, 2, done)
        self.assertIn('did you mean "cheap"?', done.stderr)
        self.assertEqual(server.cli(*made, 'downgrade_to=cheap', '--config', server.config_path).returncode, 0)
        self.assertEqual(server.cli('budget', 'update', 'other', 'downgrade_to=unknown').returncode, 0)
        # A model that goes leaves the budget to refuse, and its other fields can be changed.
        server.write_config(config(self.fake, passthrough_models=False, models=MODELS[:1]))
        self.assertTrue(eventually(lambda: server.get('/v1/models', key=admin).json()['data'][1:] == []))
        self.check_error(self.chat(admin, server=server), 429, 'rate_limit_exceeded')
        self.assertEqual(api('PATCH', '/dear', amount=1).status, 200)

    def test_downgrades_that_go_in_circles(self):
        b = self.budgets
        key, number = b.key()
        b.add('one', 'model', 'priced', 'requests', 'day', 0, action='downgrade', downgrade_to='cheap')
        b.add('two', 'model', 'cheap', 'requests', 'day', 0, action='downgrade', downgrade_to='priced')
        b.in_force()
        self.check_error(self.chat(key), 429, 'rate_limit_exceeded')

    def test_notify_only(self):
        b = self.budgets
        key, number = b.key()
        b.add('soft', 'key', number, 'requests', 'day', 2, action='notify')
        b.in_force()
        self.assertEqual(self.statuses(key, 5), [200] * 5)
        self.assertTrue(eventually(lambda: 100 in self.told('soft')), self.told('soft'))
        # The highest of those passed is told at each look at them, and a look may fall between the calls.
        self.assertEqual(self.told('soft'), sorted(set(self.told('soft'))))

    def told(self, name, server=None):
        lines = (server or self.server).log().split('\n')
        return [json.loads(line)['percent'] for line in lines
                if 'a budget has reached a threshold' in line and f'"budget":"{name}"' in line]


class Thousand(Quotas):
    """Many at once, and what survives kill -9; each test has a server of its own."""

    def own(self, workers=2, **more):
        fake = self.another_fake()
        server = self.spawn(config(fake), workers=workers, **more)
        return server, Budgets(server), fake

    def fake_process(self):
        """A provider in a process of its own, which does not share its file descriptors with a thousand clients."""
        fake = subprocess.Popen([sys.executable, os.path.join(ROOT, 'tests', 'fake', 'openai_upstream.py')],
                                stdout=subprocess.PIPE, text=True)
        self.addCleanup(fake.wait)
        self.addCleanup(fake.stdout.close)
        self.addCleanup(fake.kill)
        fake.base_url = re.search(r'http://\S+', fake.stdout.readline()).group(0).rstrip('/')
        return fake

    def test_a_thousand_at_once(self):
        fake = self.fake_process()
        server = self.spawn(config(fake))
        b = Budgets(server)
        key, number = b.key()
        text = 'x' * 400
        # What one is taken to need: the input's bytes / 4, and 1,000 tokens of output, at 1,000 and 2,000 USD a million.
        asked = (len(chat_body('slow', text)) // 4) * 1_000_000 + 1000 * 2_000_000
        allowed = 40
        b.add('money', 'key', number, 'cost', 'month', allowed * asked)
        b.in_force()
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        conns = [Conn(server.port, timeout=60) for _ in range(1000)]
        body = request_bytes('POST', '/v1/chat/completions', chat_body('crawling', text, max_tokens=1000), key=key)
        for conn in conns:
            conn.send(body)
        replies = [conn.read() for conn in conns]
        for conn in conns:
            conn.close()
        granted = [r for r in replies if r.status == 200]
        self.assertEqual({r.status for r in replies}, {200, 429}, [r for r in replies if r.status not in (200, 429)][:2])
        self.assertIn(len(granted), (allowed - 1, allowed, allowed + 1))
        spent = sum(float(r.header('x-penstock-cost-usd')) for r in granted)
        self.assertLessEqual(spent * 1e9, allowed * asked)
        # All that was not used is there again.
        left = int(re.search(r'"money";r=(\d+)', self.chat(key, 'cheap', server=server).header('ratelimit')).group(1))
        self.assertLess(abs(left - (allowed * asked / 1000 - spent * 1e6)), 200)

    def test_kill(self):
        """What was used, and what was under way with what was set aside for it, still counts."""
        server, b, fake = self.own()
        key, number = b.key()
        b.add('all', 'key', number, 'requests', 'month', 10)
        b.add('tokens', 'tenant', 0, 'tokens', 'month', 100_000)
        b.add('now', 'key', number, 'concurrency', 'total', 3)
        b.in_force()
        used = 0
        for _ in range(4):
            used += self.chat(key, server=server, max_tokens=50).json()['usage']['total_tokens']
        body = chat_body('crawling', max_tokens=1000)
        conns = [Conn(server.port) for _ in range(3)]
        for conn in conns:
            conn.send(request_bytes('POST', '/v1/chat/completions', body, key=key))
        self.assertTrue(eventually(lambda: len(fake.seen) == 7))
        server.kill()
        for conn in conns:
            conn.close()
        server.start()
        reply = self.chat(key, server=server, max_tokens=10)
        self.assertEqual(reply.status, 200, reply)
        self.assertEqual(reply.header('x-ratelimit-remaining-requests'), '2')
        left = int(reply.header('x-ratelimit-remaining-tokens'))
        used += reply.json()['usage']['total_tokens']
        self.assertLessEqual(left, 100_000 - used - 3 * 1000)
        self.assertGreater(left, 100_000 - used - 3 * 1200)
        self.assertEqual(self.statuses(key, 3, server=server), [200, 200, 429])
        # And again, without anything under way.
        server.kill()
        server.start()
        self.assertEqual(self.statuses(key, 2, server=server), [429, 429])

    def test_kill_under_load(self):
        server, b, fake = self.own()
        key, number = b.key()
        b.add('all', 'key', number, 'requests', 'month', 100_000)
        b.in_force()
        for _ in range(2):
            stop, answered = threading.Event(), []

            def hammer(_):
                while not stop.is_set():
                    try:
                        if self.chat(key, 'cheap', server=server).status == 200:
                            answered.append(1)
                    except (OSError, Incomplete):
                        return

            threads = [threading.Thread(target=hammer, args=(i,)) for i in range(6)]
            for t in threads:
                t.start()
            time.sleep(1)
            server.kill()
            stop.set()
            for t in threads:
                t.join()
            server.start()
            left = int(self.chat(key, 'cheap', server=server).header('x-ratelimit-remaining-requests'))
            (counted,), = b.sql('SELECT count(*) FROM usage')
            self.assertGreaterEqual(counted, len(answered))
            # The one just asked may not be in the table yet.
            self.assertIn(100_000 - left - counted, (0, 1))
            self.assertGreater(len(answered), 20)

    def test_thresholds_are_told_once(self):
        server, b, fake = self.own()
        key, number = b.key()
        b.add('ten', 'key', number, 'requests', 'month', 10)
        b.in_force()
        self.statuses(key, 4, server=server)
        time.sleep(1.5)
        self.assertEqual(self.told('ten', server), [])
        self.statuses(key, 1, server=server)
        self.assertTrue(eventually(lambda: self.told('ten', server) == [50]), self.told('ten', server))
        self.statuses(key, 3, server=server)
        self.assertTrue(eventually(lambda: self.told('ten', server) == [50, 80]), self.told('ten', server))
        server.kill()
        server.start()
        self.statuses(key, 1, server=server)
        time.sleep(2.5)
        self.assertEqual(self.told('ten', server), [50, 80])
        self.statuses(key, 2, server=server)
        self.assertTrue(eventually(lambda: self.told('ten', server) == [50, 80, 100]), self.told('ten', server))
        self.assertEqual(b.sql('SELECT told FROM budget_use'), [(100,)])
        events = b.sql("SELECT resource_name, after_json FROM audit_event WHERE action = 'budget.threshold' ORDER BY seq")
        self.assertEqual([(name, json.loads(after)['percent']) for name, after in events],
                         [('ten', 50), ('ten', 80), ('ten', 100)])
        self.assertEqual(server.metrics()['penstock_budget_thresholds_total{percent="100"}'], 1)


def moment(text):
    return int(datetime.datetime.strptime(text, '%Y-%m-%d %H:%M:%S').replace(tzinfo=datetime.timezone.utc).timestamp())


@unittest.skipUnless(os.path.exists(FAKETIME) and not sanitized(), 'there is no libfaketime here, or a sanitizer is')
class Periods(Thousand):
    """Under a clock that is set."""

    def clock(self, text):
        with open(self.clock_path + '.new', 'w', encoding='ascii') as f:
            f.write(f'+{moment(text) - int(time.time())}\n')
        os.replace(self.clock_path + '.new', self.clock_path)

    def timed(self, start, zone='UTC'):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.clock_path = os.path.join(folder.name, 'clock')
        self.clock(start)
        server, b, _ = self.own(env={'LD_PRELOAD': FAKETIME, 'FAKETIME_TIMESTAMP_FILE': self.clock_path,
                                     'FAKETIME_NO_CACHE': '1', 'DONT_FAKE_MONOTONIC': '1'})
        b.sql('UPDATE tenant SET time_zone = ?, version = version + 1', zone)
        return server, b

    def check_turn(self, period, before, after, zone='UTC'):
        server, b = self.timed(before, zone)
        key, number = b.key()
        b.add('two', 'key', number, 'requests', period, 2)
        b.in_force()
        self.assertEqual(self.statuses(key, 3, server=server), [200, 200, 429])
        self.clock(after)
        self.assertEqual(self.statuses(key, 3, server=server), [200, 200, 429])
        # What is left of a period is what a server that starts in it finds.
        server.kill()
        server.start()
        self.assertEqual(self.statuses(key, 1, server=server), [429])
        return server, b, key

    def test_minute(self):
        self.check_turn('minute', '2027-03-01 12:00:05', '2027-03-01 12:01:01')

    def test_day_in_another_zone(self):
        # The day of 23 hours in Berlin: 2027-03-28 ends at 22:00 UTC.
        self.check_turn('day', '2027-03-28 21:59:00', '2027-03-28 22:00:10', 'Europe/Berlin')

    def test_month(self):
        server, b, key = self.check_turn('month', '2027-01-31 23:59:00', '2027-02-01 00:00:10')
        self.clock('2027-02-28 23:59:30')
        reply = self.chat(key, server=server)
        self.assertEqual(reply.status, 429)
        self.assertLessEqual(int(reply.header('retry-after')), 31)
        self.clock('2027-03-01 00:00:05')
        self.assertEqual(self.statuses(key, 3, server=server), [200, 200, 429])


def load_tests(loader, tests, pattern):
    """Each class with its own tests only, not with those of the class it builds on."""
    suite = unittest.TestSuite()
    for case in (Quotas, Thousand, Periods):
        suite.addTests(case(name) for name in loader.getTestCaseNames(case) if name in vars(case))
    return suite


if __name__ == '__main__':
    main()
