#!/usr/bin/env python3
# Secrets from Vault, with the real server: every way to log in, changes, faults and recovery.
import contextlib
import json
import os
import socket
import time
import unittest

from harness import FakeUpstream, Incomplete, Penstock, eventually, main, request_bytes, run_cli, sse_data
from vault_server import FakeVault

KEY = 'sk-of-the-vault'
REFERENCE = '${vault:secret/llm/fake#api_key}'


class VaultSuite(unittest.TestCase):
    """A Vault and a provider of its own for each test."""

    def setUp(self):
        self.vault = FakeVault().start()
        self.addCleanup(self.vault.stop)
        self.vault.put('secret/llm/fake', {'api_key': KEY, 'other': 'x'})
        self.fake = FakeUpstream(key=KEY).start()
        self.addCleanup(self.fake.stop)

    def config(self, reference=REFERENCE, auth=None):
        auth = {'token': self.vault.root} if auth is None else auth
        return {'vault': {'address': self.vault.address, 'poll_interval': '1s', 'timeout': '2s', **auth},
                'providers': [{'name': 'fake', 'kind': 'openai', 'base_url': self.fake.base_url, 'api_key': reference}],
                'log': {'level': 'debug', 'format': 'json'}}

    def spawn(self, config, start=True, **more):
        server = Penstock(config, **more)
        self.addCleanup(server.remove)
        return server.start() if start else server

    def check_serving(self, server):
        """The provider accepts what it is sent."""
        reply = server.chat('fake/well')
        self.assertEqual(reply.status, 200, reply)
        self.assertEqual(self.fake.seen[-1].header('authorization'), self.fake.authorization)

    def check_nowhere(self, server, *secrets):
        """None of these is in the log, in a file of the data directory, or in what is told of the configuration."""
        shown = server.log() + server.cli('config', 'show', '--effective', '--sources', '--config', server.config_path).stdout
        shown += server.cli('config', 'history', '--json').stdout
        for folder, _, names in os.walk(server.data):
            for name in names:
                with open(os.path.join(folder, name), 'rb') as f:
                    shown += f.read().decode('latin-1')
        for secret in secrets:
            self.assertNotIn(secret, shown)

    def check_of(self, server):
        return server.get('/readyz').json()['checks']['vault']

    def logins(self, method):
        return self.vault.count('POST', f'auth/{method}/login')

    def events(self, server, *names):
        """The data of the first event of each name, from the beginning."""
        key = server.create_key('--admin')['key']
        with server.conn(timeout=5) as conn:
            conn.send(request_bytes('GET', '/api/v1/events', key=key, headers={'Last-Event-ID': '0'}))
            reply, got = conn.read_head(), b''
            self.assertEqual(reply.status, 200, reply)
            with contextlib.suppress(Incomplete, socket.timeout):
                for piece in conn.pieces(reply):
                    got += piece
                    if all(f'event: {name}\n'.encode() in got and got.endswith(b'\n\n') for name in names):
                        break
        out = {}
        for event in got.split(b'\n\n'):
            data = sse_data(event)
            for name in names:
                if f'event: {name}\n'.encode() in event + b'\n':
                    out.setdefault(name, json.loads(data[0])['data'])
        self.assertEqual(sorted(out), sorted(names), got)
        return out


class Logins(VaultSuite):
    def test_token(self):
        server = self.spawn(self.config())
        self.check_serving(server)
        self.assertEqual(self.check_of(server), {'status': 'ok'})
        self.assertEqual(server.metrics()['penstock_vault_up'], 1)
        self.check_nowhere(server, KEY, self.vault.root)
        server.stop()

    def test_token_from_the_environment(self):
        server = self.spawn(self.config(auth={'token': '${env:VAULT_TOKEN}'}), env={'VAULT_TOKEN': self.vault.root})
        self.check_serving(server)
        server.stop()

    def test_approle(self):
        server = self.spawn(self.config(auth={'auth': 'approle', 'role_id': 'role', 'secret_id': 'secret'}))
        self.check_serving(server)
        self.assertEqual(self.logins('approle'), 1)
        self.assertNotIn(self.vault.root, [s['token'] for s in self.vault.seen])
        server.stop()

    def test_kubernetes(self):
        server = self.spawn(None, start=False)
        jwt = os.path.join(server.folder, 'jwt')
        with open(jwt, 'w', encoding='ascii') as f:
            f.write('header.payload.good\n')
        server.write_config(self.config(auth={'auth': 'kubernetes', 'role': 'penstock', 'jwt_file': jwt}))
        server.has_config = True
        server.start()
        self.check_serving(server)
        self.assertEqual(self.logins('kubernetes'), 1)
        self.check_nowhere(server, KEY, 'header.payload.good')
        server.stop()

    def test_engines(self):
        """KV version 1 and transit."""
        self.vault.put('kv1/fake', {'api_key': KEY})
        for reference in ('${vault:kv1/fake#api_key}', f'${{vault:transit/decrypt/app#{self.vault.encrypt(KEY)}}}'):
            with self.subTest(reference):
                server = self.spawn(self.config(reference))
                self.check_serving(server)
                self.check_nowhere(server, KEY)
                server.stop()

    def test_inside_a_value(self):
        self.vault.put('secret/half', {'v': KEY[3:]})
        server = self.spawn(self.config('sk-${vault:secret/half#v}'))
        self.check_serving(server)
        server.stop()


class Refused(VaultSuite):
    """What cannot be read at the start is told with the reference and its place, and nothing is served."""

    def refused(self, config, *why):
        server = self.spawn(config, start=False)
        server.launch()
        self.assertEqual(server.process.wait(20), 3, server.log())
        text = server.log()
        with open(server.config_path, encoding='utf-8') as f:
            lines = f.read().split('\n')
        (line,) = [n for n, content in enumerate(lines, 1) if '"api_key"' in content]
        self.assertIn(f'{server.config_path}:{line}:', text)
        self.assertIn('providers[0].api_key', text)
        for part in why:
            self.assertIn(part, text)
        self.assertNotIn(self.vault.root, text.replace(lines[line - 1], ''))
        self.assertNotIn(KEY, text)
        self.assertEqual(self.fake.seen, [])

    def test_down(self):
        self.vault.down()
        self.refused(self.config(), REFERENCE, self.vault.address)

    def test_sealed(self):
        self.vault.sealed = True
        self.refused(self.config(), REFERENCE, 'sealed')

    def test_no_such_secret(self):
        self.refused(self.config('${vault:secret/llm/none#api_key}'), 'secret/llm/none')

    def test_no_such_field(self):
        self.refused(self.config('${vault:secret/llm/fake#nope}'), '${vault:secret/llm/fake#nope}', 'nope')

    def test_denied(self):
        self.vault.denied = {'secret/llm/fake'}
        self.refused(self.config(), REFERENCE, 'permission denied')

    def test_wrong_logins(self):
        for auth, why in (({'token': 'hvs.wrong'}, 'permission denied'),
                          ({'auth': 'approle', 'role_id': 'role', 'secret_id': 'wrong'}, 'invalid role or secret ID')):
            with self.subTest(auth):
                self.refused(self.config(auth=auth), why)

    def test_damaged_ciphertext(self):
        text = self.vault.encrypt(KEY)
        text = text[:-6] + ('A' if text[-6] != 'A' else 'B') + text[-5:]
        self.refused(self.config(f'${{vault:transit/decrypt/app#{text}}}'), 'transit/decrypt/app')


class Changes(VaultSuite):
    def rotate(self, key):
        self.fake.authorization = 'Bearer ' + key
        self.vault.put('secret/llm/fake', {'api_key': key})

    def in_use(self, server, key):
        def tried():
            server.chat('fake/well')
            return self.fake.seen[-1].header('authorization') == 'Bearer ' + key
        return eventually(tried, every=0.1)

    def test_a_changed_secret_is_used(self):
        server = self.spawn(self.config())
        self.check_serving(server)
        started = server.process.pid
        self.rotate('sk-second-value')
        self.assertTrue(self.in_use(server, 'sk-second-value'))
        self.check_serving(server)
        self.assertEqual(server.process.pid, started)
        newest = server.cli_json('config', 'history')[0]
        self.assertEqual((newest['version'], newest['actor'], newest['cause']), (2, 'vault', 'vault'))
        self.assertEqual([c['key'] for c in newest['changes']], ['providers.fake.api_key'])
        self.assertEqual(server.get('/readyz').json()['checks']['configuration']['version'], 2)
        event = self.events(server, 'config.applied')['config.applied']
        self.assertEqual((event['cause'], event['version']), ('vault', 2))
        self.check_nowhere(server, KEY, 'sk-second-value')
        server.stop()

    def test_an_unchanged_secret_makes_no_version(self):
        server = self.spawn(self.config())
        asked = self.vault.count('GET', 'secret/data/llm/fake')
        self.assertTrue(self.vault.wait(lambda: self.vault.count('GET', 'secret/data/llm/fake') >= asked + 2))
        self.vault.put('secret/llm/fake', {'api_key': KEY, 'other': 'y'})  # a new version of another field
        self.assertTrue(self.vault.wait(lambda: self.vault.count('GET', 'secret/data/llm/fake') >= asked + 4))
        self.assertEqual(len(server.cli_json('config', 'history')), 1)
        server.stop()

    def test_a_restart_makes_no_version(self):
        server = self.spawn(self.config())
        self.rotate('sk-second-value')
        self.assertTrue(self.in_use(server, 'sk-second-value'))
        server.stop()
        server.start()
        self.check_serving(server)
        self.assertEqual(len(server.cli_json('config', 'history')), 2)
        server.stop()

    def test_down_and_up_again(self):
        server = self.spawn(self.config())
        self.vault.down()
        self.assertTrue(eventually(lambda: self.check_of(server)['status'] == 'degraded', every=0.05))
        self.assertIn(self.vault.address, self.check_of(server)['detail'])
        self.assertEqual(server.get('/readyz').status, 200)
        self.assertEqual(server.metrics()['penstock_vault_up'], 0)
        self.check_serving(server)
        self.assertIn(self.vault.address, self.events(server, 'vault.unreachable')['vault.unreachable']['reason'])
        told = [line for line in server.log_lines() if line['msg'].startswith('secrets cannot be read from Vault')]
        self.assertEqual((len(told), told[0]['level']), (1, 'error'))
        # A reload meanwhile does not lose what was read.
        server.signal(1)
        self.assertTrue(eventually(lambda: any(line['msg'] == 'configuration in force' and line['cause'] == 'signal'
                                               for line in server.log_lines())))
        self.check_serving(server)
        self.rotate('sk-second-value')
        self.vault.up()
        self.assertTrue(eventually(lambda: self.check_of(server)['status'] == 'ok', every=0.05))
        self.assertTrue(eventually(lambda: server.metrics()['penstock_vault_up'] == 1))
        self.events(server, 'vault.unreachable', 'vault.recovered')
        self.assertTrue(self.in_use(server, 'sk-second-value'))
        server.stop()

    def test_a_deleted_secret_stays_in_use(self):
        server = self.spawn(self.config())
        self.vault.put('secret/llm/fake', None)
        self.assertTrue(eventually(lambda: self.check_of(server)['status'] == 'degraded', every=0.05))
        self.assertIn('secret/llm/fake', self.check_of(server)['detail'])
        self.check_serving(server)
        self.vault.put('secret/llm/fake', {'api_key': KEY})
        self.assertTrue(eventually(lambda: self.check_of(server)['status'] == 'ok', every=0.05))
        self.check_serving(server)
        server.stop()

    def test_an_expired_token_is_replaced(self):
        server = self.spawn(self.config(auth={'auth': 'approle', 'role_id': 'role', 'secret_id': 'secret'}))
        self.assertEqual(self.logins('approle'), 1)
        self.vault.revoke()
        self.rotate('sk-second-value')
        self.assertTrue(self.in_use(server, 'sk-second-value'))
        self.assertGreaterEqual(self.logins('approle'), 2)
        self.assertTrue(eventually(lambda: self.check_of(server)['status'] == 'ok'))
        server.stop()

    def test_a_short_token_is_renewed(self):
        self.vault.ttl = 3
        server = self.spawn(self.config(auth={'auth': 'approle', 'role_id': 'role', 'secret_id': 'secret'}))
        self.assertTrue(self.vault.wait(lambda: self.vault.count('POST', 'auth/token/renew-self') >= 2))
        self.assertEqual((self.logins('approle'), self.check_of(server)['status']), (1, 'ok'))
        server.stop()

    def test_a_reference_that_is_added_live(self):
        server = self.spawn(self.config('sk-plain'))
        self.assertNotIn('vault', server.get('/readyz').json()['checks'])
        done = server.cli('config', 'set', '--config', server.config_path, f'providers.fake.api_key={REFERENCE}')
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(self.in_use(server, KEY))
        self.assertTrue(eventually(lambda: self.check_of(server)['status'] == 'ok'))
        self.check_nowhere(server, KEY)
        server.stop()


class Commands(VaultSuite):
    def setUp(self):
        super().setUp()
        self.server = self.spawn(self.config(), start=False)

    def validate(self, *args):
        return run_cli('config', 'validate', *args, self.server.config_path)

    def test_validate(self):
        self.assertEqual(self.validate().returncode, 0)
        self.assertGreater(self.vault.count('GET', 'secret/data/llm/fake'), 0)
        self.vault.down()
        done = self.validate()
        self.assertEqual(done.returncode, 1)
        self.assertIn(REFERENCE, done.stderr)

    def test_validate_offline_asks_nobody(self):
        self.assertEqual(self.validate('--offline').returncode, 0)
        self.assertEqual(self.vault.seen, [])
        self.vault.down()
        self.assertEqual(self.validate('--offline').returncode, 0)

    def vault_check(self):
        """What "config test" finds of Vault itself, with a configuration that reads nothing from it."""
        self.server.write_config(self.config(KEY))
        done = run_cli('config', 'test', '--json', self.server.config_path, '--data', self.server.data)
        (row,) = [r for r in map(json.loads, done.stdout.splitlines()) if r['check'] == 'vault']
        return done.returncode, row

    def test_config_test(self):
        done = run_cli('config', 'test', '--json', self.server.config_path, '--data', self.server.data)
        rows = {r['check']: r for r in map(json.loads, done.stdout.splitlines())}
        self.assertEqual((done.returncode, rows['vault']['verdict'], rows['provider']['verdict']), (0, 'ok', 'ok'), done)
        self.assertIn('1 reference', rows['vault']['detail'])
        self.assertEqual(self.vault_check()[1]['verdict'], 'ok')

    def test_config_test_without_vault(self):
        self.vault.down()
        done = run_cli('config', 'test', self.server.config_path)
        self.assertEqual(done.returncode, 3, done)
        self.assertIn(REFERENCE, done.stderr)
        code, row = self.vault_check()
        self.assertEqual((code, row['verdict']), (1, 'failed'), row)
        self.assertIn(self.vault.address, row['detail'])
        self.assertTrue(row['hint'])
        self.vault.up()
        self.vault.sealed = True
        self.assertIn('sealed', self.vault_check()[1]['detail'])

    def test_show_masks(self):
        done = run_cli('config', 'show', '--effective', '--config', self.server.config_path)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn(KEY, done.stdout)
        self.assertNotIn(self.vault.root, done.stdout)
        self.assertIn(REFERENCE, done.stdout)


if __name__ == '__main__':
    main()
