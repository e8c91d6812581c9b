#!/usr/bin/env python3
# The audit trail of a running server: what is told, proven, exported, found when it was tampered with.
import json
import os
import sqlite3
import subprocess
from unittest import mock

from harness import Suite, chat_body, eventually, fake_provider, main


class Audit(Suite):
    @classmethod
    def config(cls):
        return {'providers': [fake_provider(cls.fake)],
                'models': [{'name': 'gpt-a', 'targets': [{'provider': 'fake', 'model': 'x'}]}]}

    def trail(self, *filters):
        return self.server.cli_json('audit', 'list', '--limit', '0', *filters)

    def verify(self, *args):
        done = self.server.cli('audit', 'verify', *args)
        return done.returncode, done.stdout + done.stderr

    def test_the_server_and_its_configuration(self):
        started = self.trail('action=server.*')
        self.assertEqual([e['action'] for e in started], ['server.start'])
        change = self.trail('action=config.change')[-1]
        self.assertEqual(change['after']['version'], 1)
        before = len(self.trail('action=config.change'))
        done = self.server.cli('config', 'set', 'log.level=warn')
        self.assertEqual(done.returncode, 0, done.stderr)
        changes = self.trail('action=config.change')
        self.assertEqual(len(changes), before + 1)
        self.assertEqual(changes[0]['after']['changes'][0]['key'], 'log.level')
        self.assertEqual(self.verify()[0], 0)

    def test_denials_are_told_once(self):
        for _ in range(30):
            self.server.request('POST', '/v1/chat/completions', chat_body('gpt-a'), key='ps-' + 'A' * 43)
        eventually(lambda: self.trail('outcome=denied', 'action=model.use'))
        told = self.trail('outcome=denied', 'action=model.use')
        self.assertLessEqual(len(told), 2)
        self.assertEqual(told[0]['reason'], 'invalid_api_key')
        self.assertEqual(told[0]['address'], '127.0.0.1')

    def test_export_and_proof(self):
        key = self.server.cli('audit', 'key').stdout.split()[0]
        path = os.path.join(self.server.folder, 'trail.jsonl')
        self.assertEqual(self.server.cli('audit', 'export', '--output', path).returncode, 0)
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        self.assertEqual(self.verify('--file', path, '--key', key)[0], 0)
        self.assertEqual(self.verify('--file', path, '--key', '0' * 64)[0], 1)
        with open(path) as f:
            lines = f.readlines()
        kinds = [json.loads(line)['type'] for line in lines]
        self.assertEqual(kinds[0], 'export')
        self.assertEqual(kinds[-1], 'head')
        first = kinds.index('event')
        with open(path, 'w') as f:
            f.writelines(lines[:first] + lines[first + 1:])
        code, said = self.verify('--file', path)
        self.assertEqual(code, 1)
        self.assertIn('event 1 is missing', said)
        for form in ('csv', 'cef', 'ocsf'):
            text = self.server.cli('audit', 'export', '--format', form).stdout
            self.assertGreater(len(text.splitlines()), 1, form)

    def test_tampering_is_found(self):
        self.assertEqual(self.verify()[0], 0)
        db = sqlite3.connect(os.path.join(self.server.data, 'penstock.db'), isolation_level=None, timeout=20)
        with self.assertRaises(sqlite3.Error):
            db.execute("UPDATE audit_event SET reason = 'x'")
        text = db.execute("SELECT sql FROM sqlite_schema WHERE name = 'audit_event_updated'").fetchone()[0]
        agent = db.execute('SELECT agent FROM audit_event WHERE seq = 1').fetchone()[0]
        db.execute('DROP TRIGGER audit_event_updated')
        try:
            db.execute("UPDATE audit_event SET agent = agent || 'x' WHERE seq = 1")
            code, said = self.verify()
            self.assertEqual(code, 1)
            self.assertIn('event 1 does not match', said)
        finally:
            db.execute('UPDATE audit_event SET agent = ? WHERE seq = 1', (agent,))
            db.execute(text)
            db.close()
        self.assertEqual(self.verify()[0], 0)

    def test_tail(self):
        tail = subprocess.Popen([os.environ['PENSTOCK_BIN'], 'audit', 'tail', '--json', '--limit', '0', '--data', self.server.data],
                                stdout=subprocess.PIPE, text=True)
        try:
            first = json.loads(tail.stdout.readline())
            self.assertEqual(first['seq'], 1)
            self.server.cli('audit', 'export', 'action=none.*')
            while json.loads(tail.stdout.readline())['action'] != 'audit.export':
                pass
        finally:
            tail.terminate()
            tail.wait()
            tail.stdout.close()

    def test_commands_on_the_data_directory(self):
        server = self.spawn({'providers': [fake_provider(self.fake)]}, start=False)
        server.create_key('--name', 'told')
        self.assertEqual(server.cli('key', 'revoke', 'told').returncode, 0)
        self.assertEqual(server.cli('secret', 'set', 's', stdin='x').returncode, 0)
        self.assertEqual(server.cli('secret', 'delete', 's').returncode, 0)
        told = [(e['action'], e['resource_name'] or e['resource_id']) for e in server.cli_json('audit', 'list')]
        self.assertEqual(told[:4], [('secret.delete', 's'), ('secret.create', 's'), ('key.revoke', 'told'),
                                    ('key.create', 'told')])

    # --- the API ---

    def call(self, method, path, body=None, key=None, status=200):
        reply = self.server.request(method, '/api/v1/' + path, body=None if body is None else json.dumps(body).encode(),
                                    key=key or self.operator)
        self.assertEqual(reply.status, status, reply)
        return reply

    def test_api(self):
        self.operator = self.server.create_key('--admin')['key']
        made = self.call('POST', 'teams', {'name': 'audited'}, status=201).json()
        self.call('PATCH', 'teams/audited', {'title': 'New'})
        found = self.call('GET', f'audit?resource={made["id"]}').json()
        self.assertEqual([e['action'] for e in found['data']], ['team.update', 'team.create'])
        self.assertEqual(found['data'][0]['before']['title'], '')
        self.assertEqual(found['data'][0]['after']['title'], 'New')
        self.assertEqual(found['data'][0]['address'], '127.0.0.1')
        self.assertTrue(found['data'][0]['request_id'])
        self.assertIsNone(found['next_cursor'])
        one = self.call('GET', f'audit/{found["data"][0]["seq"]}').json()
        self.assertEqual(one, found['data'][0])
        self.call('GET', 'audit/999999', status=404)
        self.call('GET', 'audit?address=nonsense', status=400)
        first = self.call('GET', 'audit?limit=1').json()
        second = self.call('GET', 'audit?limit=1&cursor=' + first['next_cursor']).json()
        self.assertEqual(second['data'][0]['seq'], first['data'][0]['seq'] - 1)
        self.assertEqual(self.call('GET', 'audit?q=audited').json()['data'][0]['resource_id'], made['id'])
        self.assertTrue(self.call('POST', 'audit/verify', {}).json()['sound'])
        proof = self.call('GET', 'audit/checkpoints').json()
        self.assertEqual(proof['data'][-1]['seq'], 1)
        export = self.call('GET', 'audit/export?format=jsonl')
        path = os.path.join(self.server.folder, 'api.jsonl')
        with open(path, 'wb') as f:
            f.write(export.body)
        self.assertEqual(self.verify('--file', path, '--key', proof['keys'][-1]['public_key']), (0, mock.ANY))
        self.assertEqual(self.call('GET', 'audit?limit=1').json()['data'][0]['action'], 'audit.export')
        csv = self.call('GET', 'audit/export?format=csv&action=team.*')
        self.assertTrue(csv.header('content-type').startswith('text/csv'))
        self.assertEqual(len(csv.body.decode().strip().split('\r\n')), 1 + 2)

    def test_access_review(self):
        self.operator = self.server.create_key('--admin')['key']
        self.call('POST', 'users', {'email': 'grace@example.com'}, status=201)
        self.call('POST', 'grants', {'principal': 'user/grace@example.com', 'role': 'auditor'}, status=201)
        rows = self.call('GET', 'access/review').json()['data']
        (grace,) = [r for r in rows if r['name'] == 'grace@example.com']
        self.assertIn('auditor (tenant)', grace['rights'])
        self.assertEqual(grace['age_days'], 0)
        self.assertIn('key', {r['kind'] for r in rows})
        csv = self.call('GET', 'access/review?format=csv').body.decode()
        self.assertIn('"grace@example.com"', csv)

    def test_who_may_read_it(self):
        self.operator = self.server.create_key('--admin')['key']
        reader = self.call('POST', 'keys', {'name': 'r', 'scopes': ['audit:read']}, status=201).json()['key']
        self.call('GET', 'audit', key=reader)
        self.call('GET', 'audit/export', key=reader, status=403)
        self.call('GET', 'audit', key=self.server.key, status=403)
        denied = self.call('GET', 'audit?action=audit.export&outcome=denied').json()['data']
        self.assertEqual(len(denied), 1)

    def test_no_event_no_act(self):
        for allow in (False, True):
            with self.subTest(allow=allow):
                server = self.spawn({'providers': [fake_provider(self.fake)],
                                     'audit': {'on_failure': 'allow' if allow else 'refuse'}})
                key = server.create_key('--admin')['key']
                db = sqlite3.connect(os.path.join(server.data, 'penstock.db'), isolation_level=None, timeout=20)
                db.execute("CREATE TRIGGER full BEFORE INSERT ON audit_event BEGIN SELECT RAISE(ABORT, 'full'); END")
                reply = server.request('POST', '/api/v1/teams', body=b'{"name":"t"}', key=key)
                self.assertEqual(reply.status, 201 if allow else 500, reply)
                self.assertEqual(db.execute('SELECT count(*) FROM team').fetchone()[0], int(allow))
                if allow:
                    self.assertIn('an event of the audit trail is lost', server.log())
                db.execute('DROP TRIGGER full')
                db.close()
                self.assertEqual(server.request('POST', '/api/v1/teams', body=b'{"name":"u"}', key=key).status, 201)
                self.assertEqual(server.cli('audit', 'verify').returncode, 0)


if __name__ == '__main__':
    main()
