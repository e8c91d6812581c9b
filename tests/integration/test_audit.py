#!/usr/bin/env python3
# The audit trail of a running server: what is told, proven, exported, found when it was tampered with.
import json
import os
import sqlite3
import subprocess

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
        tail = subprocess.Popen([os.environ['PENSTOCK_BIN'], 'audit', 'tail', '--json', '--data', self.server.data],
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


if __name__ == '__main__':
    main()
