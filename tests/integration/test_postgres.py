#!/usr/bin/env python3
# Several servers over one PostgreSQL: keys, usage and configuration are one; none that dies takes an answer along.
import json
import os
import shutil
import subprocess
import tempfile
import time

from harness import (BINARY, Conn, Incomplete, Penstock, Suite, clean_environment, eventually, fake_provider, free_port,
                     main, request_bytes, run_cli)

from postgres import Postgres

SOON = 5  # seconds; other servers are asked four times a second


class Replica(Penstock):
    """Its database is the server's that is shared, and so is its master key."""

    def __init__(self, config, url, first=None):
        def prepare(self):
            if first:
                os.makedirs(self.data, 0o700)
                shutil.copy(os.path.join(first.data, 'secret.key'), self.data)
            return config
        super().__init__(prepare, env={'PENSTOCK_STORAGE__URL': url})

    def cli(self, *args, **more):
        return run_cli(*args, '--data', self.data, cwd=self.folder, env=clean_environment(**self.env), **more)


class Replicas(Suite):
    @classmethod
    def config(cls):
        return {'providers': [fake_provider(cls.fake)], 'log': {'level': 'debug', 'format': 'json'}, 'content_log': [{}]}

    @classmethod
    def setUpClass(cls):
        cls.postgres = Postgres().start()
        cls.addClassCleanup(cls.postgres.__exit__)
        super().setUpClass()

    def setUp(self):
        super().setUp()
        url = self.postgres.url(self.id().rsplit('.', 1)[-1])
        self.a = Replica(self.config(), url)
        self.addCleanup(self.a.remove)
        self.b = Replica(self.config(), url, first=self.a)
        self.addCleanup(self.b.remove)
        self.a.start()
        self.b.start()

    def status(self, server, key):
        return server.get('/v1/models', key=key).status

    def usage_count(self, server):
        return sum(row['requests'] for row in server.usage('--by', 'model'))

    def test_keys_are_everywhere(self):
        made = self.a.create_key('--name', 'shared')
        self.assertEqual(self.status(self.a, made['key']), 200)
        self.assertTrue(eventually(lambda: self.status(self.b, made['key']) == 200, SOON), self.b.log())
        self.assertEqual(self.b.cli('key', 'revoke', made['id']).returncode, 0)
        self.assertEqual(self.status(self.b, made['key']), 401)
        self.assertTrue(eventually(lambda: self.status(self.a, made['key']) == 401, SOON), self.a.log())
        self.assertNotIn('by hand', self.a.log() + self.b.log())
        self.assertFalse(os.path.exists(os.path.join(self.a.data, 'penstock.db')))

    def test_a_key_is_rotated_once(self):
        """By the schedule, though several servers look."""
        admin = self.a.create_key('--admin')['key']
        for server in (self.a, self.b):
            self.assertTrue(eventually(lambda s=server: self.status(s, admin) == 200, SOON), server.log())

        def call(server, method, path, body=None):
            reply = server.request(method, '/api/v1/' + path, json.dumps(body).encode() if body else None, key=admin)
            self.assertLess(reply.status, 300, reply)
            return reply.json()
        made = [call(self.a, 'POST', 'keys', {'name': f'k{i}', 'rotate_every': '1h', 'rotate_overlap': '30m'}) for i in range(20)]
        self.postgres.psql('test_a_key_is_rotated_once', "UPDATE api_key SET rotate_at = 1 WHERE name LIKE 'k%'")
        self.assertTrue(eventually(lambda: all(r['replaced_by'] for r in call(self.b, 'GET', 'keys?name=k19')['data'][:1])))
        self.assertTrue(eventually(lambda: len(call(self.b, 'GET', 'keys?limit=1000&uncollected_since.ge=2020-01-01')['data']) == 20))
        time.sleep(2.5)  # another look of each
        rows = [r for r in call(self.b, 'GET', 'keys?limit=1000')['data'] if r['name'].startswith('k')]
        self.assertEqual(len(rows), 40)
        self.assertEqual(sorted(r['replaces'] for r in rows if r['replaces']), sorted(r['id'] for r in made))
        got = call(self.b, 'POST', f'keys/{made[0]["id"]}/collect')
        self.assertTrue(eventually(lambda: self.status(self.a, got['key']) == 200, SOON))
        self.assertEqual(self.status(self.b, made[0]['key']), 200)

    def test_usage_is_summed_once(self):
        for i in range(30):
            self.assertEqual((self.a, self.b)[i % 2].chat('fake/gpt').status, 200)
        for server in (self.a, self.b):
            self.assertTrue(eventually(lambda s=server: self.usage_count(s) == 30), self.usage_count(server))
        ids = [row['request_id'] for row in self.a.usage('--records')]
        self.assertEqual(len(set(ids)), 30)
        self.a.stop()
        self.b.stop()
        self.assertEqual(self.usage_count(self.a), 30)

    def test_live_changes_are_everywhere(self):
        def models(server):
            return [m['id'] for m in server.get('/v1/models', key=server.key).json()['data']]
        done = self.a.cli('config', 'set', 'aliases.quick=fake/gpt')
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(eventually(lambda: 'quick' in models(self.a), SOON), self.a.log())
        self.assertTrue(eventually(lambda: 'quick' in models(self.b), SOON), self.b.log())
        # And back, by the other one; what one server is asked, the other does not take up as well.
        done = self.b.cli('config', 'unset', 'aliases.quick')
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(eventually(lambda: 'quick' not in models(self.a), SOON), self.a.log())
        self.assertTrue(eventually(lambda: 'quick' not in models(self.b), SOON), self.b.log())

    def test_a_killed_one_loses_nothing(self):
        answered = []
        for i in range(40):
            reply = (self.a, self.b)[i % 2].chat('fake/gpt')
            self.assertEqual(reply.status, 200)
            answered.append(reply.request_id)
        self.b.kill()
        answered.append(self.a.chat('fake/gpt').request_id)
        self.b.start()

        def recorded():
            return {row['request_id'] for row in self.a.usage('--records')}
        self.assertTrue(eventually(lambda: recorded() == set(answered)), set(answered) ^ recorded())
        # The other's command sees what is in the database, and that may still come there.
        self.assertTrue(eventually(lambda: self.usage_count(self.b) == len(answered)))

    def test_the_database_goes_away_and_comes_back(self):
        admin = self.a.create_key('--admin')['key']
        self.assertEqual(self.a.chat('fake/gpt').status, 200)
        self.postgres.stop()
        try:
            replies = [self.a.chat('fake/gpt') for _ in range(5)]
            self.assertEqual({reply.status for reply in replies}, {200})
            self.assertTrue(eventually(lambda: 'takes no rows now' in self.a.log()), self.a.log())
        finally:
            self.postgres._launch()
        self.assertTrue(eventually(lambda: self.usage_count(self.a) == 6), self.a.log())
        for reply in replies:
            self.assertTrue(eventually(lambda r=reply: self.a.get('/api/v1/content/' + r.request_id,
                                                                  key=admin).status == 200), self.a.log())
        made = self.b.create_key('--name', 'later')
        self.assertTrue(eventually(lambda: self.status(self.a, made['key']) == 200, SOON), self.a.log())

    def test_all_begin_at_once_on_an_empty_database(self):
        url = self.postgres.url('empty')
        secret = os.urandom(32)
        folder = tempfile.mkdtemp(prefix='penstock-test-')
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        ports, servers = [free_port() for _ in range(4)], []
        for port in ports:
            data = os.path.join(folder, str(port))
            os.mkdir(data, 0o700)
            with open(os.path.join(data, 'secret.key'), 'wb', opener=lambda p, f: os.open(p, f, 0o600)) as f:
                f.write(secret)
            servers.append(subprocess.Popen(
                [BINARY, 'serve', '--data', data, '--listen', f'127.0.0.1:{port}', '--workers', '1'], cwd=folder,
                env=clean_environment(PENSTOCK_STORAGE__URL=url), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL))
            self.addCleanup(servers[-1].wait)
            self.addCleanup(servers[-1].kill)

        def ready(port):
            try:
                with Conn(port) as c:
                    return c.send(request_bytes('GET', '/readyz', headers={'Connection': 'close'})).read().status == 200
            except (OSError, Incomplete):
                return False
        for port in ports:
            self.assertTrue(eventually(lambda p=port: ready(p)))
        self.assertEqual(self.postgres.psql('empty', 'SELECT count(*) FROM api_key'), '1')
        for server in servers:
            server.terminate()
            self.assertEqual(server.wait(30), 0)

    def test_the_trial_of_the_configuration_tells(self):
        done = run_cli('config', 'test', self.a.config_path, cwd=self.a.folder, env=clean_environment(**self.a.env))
        self.assertIn('PostgreSQL', done.stdout + done.stderr)
        self.assertNotIn('p@ss', done.stdout + done.stderr)
        self.assertNotIn('p%40ss', done.stdout + done.stderr)


if __name__ == '__main__':
    main()
