#!/usr/bin/env python3
"""Usage for other programs: lines of JSON and CSV by the API and the command line, and the files of each hour."""
import csv
import io
import json
import os
import tempfile
import time
import unittest

from harness import Conn, FakeUpstream, Suite, chat_body, eventually, fake_provider, main, request_bytes, sanitized
from postgres import Postgres
from test_postgres import Replica
from test_quotas import FAKETIME, Budgets, moment

MODELS = [{'name': 'priced', 'targets': [{'provider': 'fake', 'model': 'x;words=5'}], 'price': {'input': 1000, 'output': 2000}},
          {'name': 'broken', 'targets': [{'provider': 'fake', 'model': 'x;status=500'}]},
          {'name': 'crawling', 'targets': [{'provider': 'fake', 'model': 'x;delay=3000'}], 'price': {'input': 7, 'output': 9}}]
COUNTS = ('requests', 'input_tokens', 'output_tokens')


def rows_of(text):
    return list(csv.DictReader(io.StringIO(text, newline='')))


class Formats(Suite):
    @classmethod
    def config(cls):
        return {'providers': [fake_provider(cls.fake)], 'models': MODELS, 'passthrough_models': True}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.admin = cls.server.create_key('--admin', '--name', 'ops')['key']
        cli = cls.server.cli_json
        for noun, *fields in (('team', 'name=red'), ('project', 'name=rocket'),
                              ('service-account', 'name=bot')):
            cli(noun, 'create', *fields)
        made = [cls.post('keys', name='a', team_id='red', owner='service_account/bot', tags={'env': 'prod', 'site': 'x'}),
                cls.post('keys', name='=b', project_id='rocket', tags={'env': 'dev'})]
        cls.grant('service_account/bot')
        cls.n = {'a': 4, 'b': 3}
        for key, n in zip(made, (4, 3)):
            for _ in range(n):
                reply = cls.server.post('/v1/chat/completions', chat_body('priced'), key=key['key'])
                assert reply.status == 200, reply
        assert cls.server.post('/v1/chat/completions', chat_body('broken'), key=made[0]['key']).status >= 500
        assert cls.server.post('/v1/embeddings', b'{"model":"fake/e","input":"x"}', key=made[1]['key']).status < 600

    @classmethod
    def post(cls, path, **fields):
        reply = cls.server.post('/api/v1/' + path, json.dumps(fields).encode(), key=cls.admin)
        assert reply.status == 201, reply
        return reply.json()

    @classmethod
    def grant(cls, principal):
        cls.post('grants', principal=principal, role='developer', scope='tenant')

    def test_command_line_filters(self):
        count = lambda *args: sum(r['requests'] for r in self.server.usage('--by', 'model', *args))  # noqa: E731
        self.assertEqual(count(), 9)
        for args, n in ((('--team', 'red'), 5), (('--project', 'rocket'), 4), (('--owner', 'service_account/bot'), 5),
                        (('--endpoint', 'chat'), 8), (('--endpoint', 'embeddings'), 1), (('--status', '200', '--endpoint', 'chat'), 7),
                        (('--errors', '--endpoint', 'chat'), 1), (('--tag', 'env=prod'), 5), (('--tag', 'env=dev'), 4),
                        (('--tag', 'env=none'), 0), (('--provider', 'fake'), 9), (('--provider', 'none'), 0),
                        (('--team', 'red', '--model', 'priced', '--tag', 'site=x'), 4)):
            self.assertEqual(count(*args), n, args)
        error, = {r['error'] for r in self.server.usage('--errors', '--endpoint', 'chat')}
        self.assertEqual(count('--error', error, '--endpoint', 'chat'), 1)
        for args in (('--team', 'blue'), ('--owner', 'nobody@example.com'), ('--project', 'none')):
            done = self.server.cli('usage', *args)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn('cannot find', done.stderr)
        for args in (('--format', 'cef'), ('--format', 'csv', '--json'), ('--endpoint', 'tea'), ('--status', '2000')):
            self.assertEqual(self.server.cli('usage', *args).returncode, 2, args)

    def test_command_line_csv(self):
        for by in ('hour', 'model', 'team', 'key', 'tags'):
            asked = self.server.usage('--by', by)
            rows = rows_of(self.server.cli('usage', '--by', by, '--format', 'csv').stdout)
            self.assertEqual([list(r) for r in rows], [list(r) for r in asked])
            self.assertEqual([[r[c] for c in COUNTS] for r in rows], [[str(r[c]) for c in COUNTS] for r in asked])
        rows = rows_of(self.server.cli('usage', '--format', 'csv').stdout)
        self.assertEqual(len(rows), 9)
        self.assertEqual({r['key_name'] for r in rows}, {'a', "'=b"})  # no formula for a spreadsheet
        lines = self.server.cli('usage', '--format', 'jsonl').stdout.splitlines()
        self.assertEqual([json.loads(line)['request_id'] for line in lines], [r['request_id'] for r in rows])

    def ask(self, path, status=200):
        reply = self.server.get('/api/v1/usage' + path, key=self.admin)
        self.assertEqual(reply.status, status, reply)
        return reply

    def test_api(self):
        plain = self.ask('?limit=100').json()['data']
        reply = self.ask('?format=jsonl')
        self.assertEqual(reply.header('content-type'), 'application/x-ndjson')
        self.assertEqual([json.loads(line) for line in reply.body.splitlines()], plain)
        reply = self.ask('?format=csv')
        self.assertEqual(reply.header('content-type'), 'text/csv; charset=utf-8')
        rows = rows_of(reply.body.decode())
        self.assertEqual([r['request_id'] for r in rows], [r['request_id'] for r in plain])
        self.assertEqual(json.loads(rows[0]['tags']), plain[0]['tags'])
        plain = self.ask('/sums?by=hour').json()['data']
        rows = rows_of(self.ask('/sums?by=hour&format=csv').body.decode())
        self.assertEqual([r['hour'] for r in rows], [r['hour'] for r in plain])
        self.assertEqual(sum(int(r['requests']) for r in rows), 9)
        self.assertEqual(self.ask('?format=csv&model=none').body, b'')
        trail = self.server.get('/api/v1/audit?action=usage.export', key=self.admin).json()['data']
        self.assertEqual([e['resource_name'] for e in trail],
                         ['csv', 'csv', 'csv', 'jsonl'])
        self.assertEqual(self.ask('?format=xml', 400).json()['field'], 'format')
        self.assertEqual(self.ask('?limit=1001', 400).json()['field'], 'limit')
        self.assertEqual(len(self.ask('?format=jsonl&limit=2').body.splitlines()), 2)


@unittest.skipUnless(os.path.exists(FAKETIME) and not sanitized(), 'there is no libfaketime here, or a sanitizer is')
class Files(Suite):
    """Under a clock that is set."""

    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder, self.clock_path = os.path.join(folder.name, 'out'), os.path.join(folder.name, 'clock')
        self.env = {'LD_PRELOAD': FAKETIME, 'FAKETIME_TIMESTAMP_FILE': self.clock_path, 'FAKETIME_NO_CACHE': '1',
                    'DONT_FAKE_MONOTONIC': '1'}

    def clock(self, text):
        with open(self.clock_path + '.new', 'w', encoding='ascii') as f:
            f.write(f'+{moment(text) - int(time.time())}\n')
        os.replace(self.clock_path + '.new', self.clock_path)

    def settings(self, **more):
        return {**Formats.config.__func__(type(self)), 'usage': {'export': {'path': self.folder, **more}}}

    def files(self):
        names = os.listdir(self.folder) if os.path.isdir(self.folder) else []
        return sorted(name for name in names if not name.endswith('.tmp'))

    def read(self, name):
        with open(os.path.join(self.folder, name), encoding='utf-8', newline='') as f:
            text = f.read()
        return rows_of(text) if name.endswith('.csv') else [json.loads(line) for line in text.splitlines()]

    def sums(self):
        rows = [row for name in self.files() for row in self.read(name)]
        return [sum(int(r[c]) for r in rows) for c in COUNTS] + [round(sum(float(r['cost_usd']) for r in rows), 9)]

    def ledger(self, server):
        rows = server.usage('--by', 'tenant')
        return [sum(r[c] for r in rows) for c in COUNTS] + [round(sum(r['cost_usd'] for r in rows), 9)]

    def written(self, n):
        return eventually(lambda: len(self.files()) == n)

    def chat(self, server, model='priced'):
        return server.post('/v1/chat/completions', chat_body(model))

    def test_each_hour(self):
        self.clock('2027-03-01 08:30:00')
        server = self.spawn(self.settings(), env=self.env)
        for model in ('priced', 'priced', 'broken'):
            self.chat(server, model)
        self.assertTrue(eventually(lambda: Budgets(server).sql('SELECT count(*) FROM usage') == [(3,)]))
        self.assertEqual(self.files(), [])
        self.clock('2027-03-01 09:01:05')
        self.assertTrue(self.written(1), self.files())
        self.assertEqual(self.files(), ['usage-20270301T080000Z.csv'])
        rows = self.read(self.files()[0])
        self.assertEqual({(r['model'], r['requests']) for r in rows}, {('priced', '2'), ('broken', '1')})
        self.assertEqual({r['hour'] for r in rows}, {'2027-03-01T08:00:00.000Z'})
        self.assertEqual(self.sums(), self.ledger(server))
        # Hours without requests are told, too: nobody need wonder whether a file is missing.
        self.clock('2027-03-01 12:05:00')
        self.assertTrue(self.written(4), self.files())
        self.assertEqual(self.read('usage-20270301T100000Z.csv'), [])
        # A request that ends when its hour's file is there.
        self.clock('2027-03-01 12:59:58')
        with Conn(server.port) as conn:
            conn.send(request_bytes('POST', '/v1/chat/completions', chat_body('crawling'), key=server.key))
            time.sleep(0.3)
            self.clock('2027-03-01 13:01:05')
            self.assertTrue(self.written(5), self.files())
            self.assertEqual(self.read('usage-20270301T120000Z.csv'), [])
            self.assertEqual(conn.read().status, 200)
        self.assertTrue(eventually(lambda: Budgets(server).sql('SELECT count(*) FROM usage') == [(4,)]))
        self.clock('2027-03-01 13:02:10')
        self.assertTrue(eventually(lambda: len(self.read('usage-20270301T120000Z.csv')) == 1))
        self.assertEqual(self.sums(), self.ledger(server))
        # Who has taken a file away does not get it again.
        os.remove(os.path.join(self.folder, 'usage-20270301T090000Z.csv'))
        # Killed in the middle of an hour, started days later.
        self.chat(server)
        server.kill()
        self.clock('2027-03-04 07:30:00')
        server.start()
        self.assertTrue(self.written(4 + 11 + 24 + 24 + 7), self.files())
        self.assertNotIn('usage-20270301T090000Z.csv', self.files())
        self.assertEqual(len(self.read('usage-20270301T130000Z.csv')), 1)
        self.assertEqual(self.sums(), self.ledger(server))
        self.assertEqual(len(os.listdir(self.folder)), len(self.files()))  # nothing half-written

    def test_cannot_be_written(self):
        self.clock('2027-03-01 08:30:00')
        with open(self.folder, 'w', encoding='ascii'):
            pass  # a file where the directory should be
        server = self.spawn(self.settings(format='jsonl', every='2h'), env=self.env)
        self.chat(server)
        self.assertTrue(eventually(lambda: Budgets(server).sql('SELECT count(*) FROM usage') == [(1,)]))
        self.clock('2027-03-01 10:01:05')
        self.assertTrue(eventually(lambda: 'usage cannot be written to files' in server.log()), server.log())
        self.assertEqual(self.chat(server).status, 200)
        os.remove(self.folder)
        self.clock('2027-03-01 10:02:10')
        self.assertTrue(self.written(1), self.files())
        self.assertEqual(self.files(), ['usage-20270301T080000Z.jsonl'])
        row, = self.read(self.files()[0])
        self.assertEqual((row['requests'], row['model'], row['hour']), (1, 'priced', '2027-03-01T08:00:00.000Z'))
        self.assertTrue(eventually(lambda: 'usage can be written to files again' in server.log()))

    def test_wrong_periods(self):
        with self.assertRaisesRegex(AssertionError, 'usage.export.every'):
            self.spawn(self.settings(every='5h'))

    def test_several_servers(self):
        self.clock('2027-03-01 08:30:00')
        with Postgres() as postgres:
            url = postgres.url('export')
            servers = []
            for _ in range(2):
                server = Replica(self.settings(), url, first=servers[0] if servers else None)
                self.addCleanup(server.remove)
                server.env.update(self.env)
                servers.append(server)
            for server in servers:
                server.start()
            for i in range(6):
                self.assertEqual(self.chat(servers[i % 2]).status, 200)
            # In the database: the command would also count what a server has yet to bring there.
            self.assertTrue(eventually(lambda: postgres.psql('export', 'SELECT count(*) FROM usage') == '6'))
            self.clock('2027-03-01 09:01:05')
            self.assertTrue(self.written(1), self.files())
            time.sleep(0.6)
            told = [s.log().count('usage was written to files') for s in servers]
            self.assertEqual(sorted(told), [0, 1])
            self.assertEqual(self.sums(), self.ledger(servers[0]))
            # Another takes over.
            servers[told.index(1)].kill()
            self.clock('2027-03-01 10:01:05')
            self.assertTrue(self.written(2), self.files())
            servers[told.index(0)].stop()


if __name__ == '__main__':
    main()
