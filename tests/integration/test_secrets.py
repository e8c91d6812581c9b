#!/usr/bin/env python3
# The sealed store with the real server: where the master key is, changes of keys under way, and secrets that show nowhere.
import base64
import json
import os
import secrets
import signal
import subprocess
import threading
import time
import unittest

from harness import BINARY, FakeUpstream, Penstock, clean_environment, eventually, main, run_cli
from vault_server import FakeVault

KEY = 'sk-canary-of-the-provider-7d1f'
ANOTHER = 'sk-canary-of-a-tenant-99c2'
KMS = '''#!/bin/sh
# Turns every byte around: what a key management service's command line stands for in a test.
[ -e "$0.down" ] && { echo "AccessDenied: the key is disabled" >&2; exit 1; }
echo "$2" >>"$0.log"
exec tr '\\000-\\377' '\\200-\\377\\000-\\177'
'''


class Keyed(Penstock):
    """Its commands know its configuration and environment, as an operator's do."""

    def cli(self, *args, **more):
        return run_cli(*args, '--data', self.data, '--config', self.config_path,
                       env=clean_environment(**self.env), **more)


class SecretsSuite(unittest.TestCase):
    def setUp(self):
        self.fake = FakeUpstream(key=KEY).start()
        self.addCleanup(self.fake.stop)

    def config(self, storage=None, vault=None, providers=True):
        provider = {'name': 'fake', 'kind': 'openai', 'base_url': self.fake.base_url, 'api_key': '${secret:llm/fake}'}
        if not providers:
            provider = {'name': 'fake', 'kind': 'demo'}
        return {'providers': [provider], 'log': {'level': 'debug', 'format': 'json'},
                **({'storage': storage} if storage else {}), **({'vault': vault} if vault else {})}

    def spawn(self, config, env=None):
        """The secret is kept before the configuration names it."""
        server = Keyed(config, env=env)
        self.addCleanup(server.remove)
        self.put(server, 'llm/fake', KEY)
        return server.start()

    def put(self, server, name, value, *args):
        done = server.cli('secret', 'set', name, *args, stdin=value + '\n')
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn(value, done.stdout + done.stderr)

    def check_serving(self, server):
        reply = server.chat('fake/well')
        self.assertEqual(reply.status, 200, reply)
        self.assertEqual(self.fake.seen[-1].header('authorization'), f'Bearer {KEY}')

    def refused(self, server, *why):
        """It does not start, and says why."""
        server.launch()
        code = server.process.wait(30)
        self.assertNotEqual(code, 0)
        for part in why:
            self.assertIn(part, server.log())
        self.check_nowhere(server, KEY)

    def files(self, folder):
        for directory, _, names in os.walk(folder):
            for name in names:
                with open(os.path.join(directory, name), 'rb') as f:
                    yield os.path.join(directory, name), f.read()

    def check_nowhere(self, server, *texts):
        for path, content in self.files(server.folder):
            for text in texts:
                for form in (text.encode(), base64.b64encode(text.encode()).rstrip(b'='), text.encode().hex().encode()):
                    self.assertNotIn(form, content, f'{form} is in {path}')


class MasterKey(SecretsSuite):
    """Wherever it is, the server starts with it and with no other."""

    def test_file(self):
        server = self.spawn(self.config())
        self.check_serving(server)
        server.stop()
        path = os.path.join(server.data, 'secret.key')
        with open(path, 'rb') as f:
            key = f.read()
        with open(path, 'wb') as f:
            f.write(bytes(32))
        self.refused(server, 'storage.master_key', 'backup')
        os.remove(path)
        self.refused(server, 'secret.key', 'missing')
        self.assertFalse(os.path.exists(path))
        with open(path, 'wb') as f:
            f.write(key)
        server.start()
        self.check_serving(server)
        server.stop()

    def test_environment(self):
        key = secrets.token_bytes(32)
        storage = {'master_key': {'source': 'env', 'env': 'MASTER'}}
        server = self.spawn(self.config(storage), {'MASTER': base64.b64encode(key).decode()})
        self.check_serving(server)
        server.stop()
        self.assertFalse(os.path.exists(os.path.join(server.data, 'secret.key')))
        self.check_nowhere(server, KEY)
        for _, content in self.files(server.folder):
            self.assertNotIn(key, content)
        server.env['MASTER'] = key.hex()
        server.start()
        self.check_serving(server)
        server.stop()
        server.env['MASTER'] = secrets.token_hex(32)
        self.refused(server, 'env MASTER', 'storage.master_key')
        del server.env['MASTER']
        self.refused(server, 'MASTER', 'not set')

    def kms(self, server):
        path = os.path.join(server.folder, 'kms')
        with open(path, 'w', encoding='ascii') as f:
            f.write(KMS)
        os.chmod(path, 0o700)
        return path

    def test_command(self):
        made = []

        def config(server):
            made.append(self.kms(server))
            return self.config({'master_key': {'source': 'command', 'command': [made[0], 'key-1'], 'timeout': '5s'}})
        server = self.spawn(config)
        self.check_serving(server)
        with open(made[0] + '.log', encoding='ascii') as f:
            self.assertLessEqual({'wrap', 'unwrap'}, set(f.read().split()))
        # Once open, it is asked no more for what is known: an outage is no harm.
        open(made[0] + '.down', 'w', encoding='ascii').close()
        self.check_serving(server)
        server.stop()
        self.refused(server, 'AccessDenied')
        os.remove(made[0] + '.down')
        server.start()
        self.check_serving(server)
        server.stop()
        self.assertFalse(os.path.exists(os.path.join(server.data, 'secret.key')))

    def test_vault_transit(self):
        vault = FakeVault().start()
        self.addCleanup(vault.stop)
        vault.keys['penstock'] = secrets.token_bytes(32)
        server = self.spawn(self.config({'master_key': {'source': 'vault_transit', 'key': 'penstock'}},
                                        {'address': vault.address, 'timeout': '2s', 'token': '${env:VAULT_TOKEN}'}),
                            {'VAULT_TOKEN': vault.root})
        self.check_serving(server)
        self.assertGreater(vault.count('POST', 'transit/encrypt/penstock'), 0)
        self.assertGreater(vault.count('POST', 'transit/decrypt/penstock'), 0)
        for seen in vault.seen:  # only keys go there
            self.assertNotIn(KEY, seen['body'])
        server.stop()
        self.assertFalse(os.path.exists(os.path.join(server.data, 'secret.key')))
        self.check_nowhere(server, KEY, vault.root)
        vault.keys['penstock'] = secrets.token_bytes(32)
        self.refused(server, 'storage.master_key', 'transit/decrypt/penstock')
        vault.down()
        self.refused(server, 'Vault')


class Rekeying(SecretsSuite):
    def traffic(self, server):
        """Calls all the while; returns what ends it and says how many there were and which failed."""
        stop, count, failed = threading.Event(), [0], []

        def run():
            while not stop.is_set():
                reply = server.chat('fake/well')
                count[0] += 1
                if reply.status != 200:
                    failed.append(reply)
        thread = threading.Thread(target=run)
        thread.start()

        def end():
            stop.set()
            thread.join()
            return count[0], failed
        return end

    def reload(self, server):
        applied = server.log().count('the configuration was applied') + server.log().count('configuration applied')
        server.signal(signal.SIGHUP)
        return applied

    def test_while_it_runs(self):
        server = self.spawn(self.config())
        for i in range(200):
            if i % 50 == 0:
                self.put(server, f'more/{i}', f'value-{i}')
        end = self.traffic(server)
        (first,) = server.cli_json('secret', 'rekey')
        self.assertEqual(first['unopened'], 0)
        self.assertGreaterEqual(first['resealed'], 5)
        self.put(server, 'llm/fake', KEY)  # the server loads its configuration anew, from values under the new key
        (second,) = server.cli_json('secret', 'rekey')
        self.assertEqual(second['version'], first['version'] + 1)
        done = server.cli('secret', 'rotate-master', '--to', 'file')
        self.assertEqual(done.returncode, 0, done.stderr)
        self.put(server, 'late', 'x')
        count, failed = end()
        self.assertGreater(count, 0)
        self.assertEqual(failed, [])
        server.stop()
        server.start()
        self.check_serving(server)
        server.stop()
        self.assertNotIn('"level":"error"', server.log())

    def test_killed(self):
        server = self.spawn(self.config())
        for i in range(20):
            self.put(server, f'more/{i}', f'value-{i}')
        for pause in (0.001, 0.005, 0.01, 0.02, 0.03, 0.05):
            process = subprocess.Popen([BINARY, 'secret', 'rekey', '--data', server.data], env=clean_environment(),
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(pause)
            process.kill()
            process.wait()
            process = subprocess.Popen([BINARY, 'secret', 'rotate-master', '--to', 'file', '--data', server.data],
                                       env=clean_environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(pause)
            process.kill()
            process.wait()
            self.check_serving(server)
        (report,) = server.cli_json('secret', 'rekey')
        self.assertEqual(report['unopened'], 0)
        server.stop()
        server.start()
        self.check_serving(server)
        server.stop()

    def test_next_master_key(self):
        """From a file to the environment, with the server running throughout and both known meanwhile."""
        server = Keyed(self.config(), env={'NEXT': secrets.token_hex(32)})
        self.addCleanup(server.remove)
        self.put(server, 'llm/fake', KEY)
        server.start()
        end = self.traffic(server)
        both = {'master_key': {'source': 'file'}, 'next_master_key': {'source': 'env', 'env': 'NEXT'}}
        server.write_config(self.config(both))
        self.assertTrue(eventually(lambda: 'next_master_key' in server.log()), server.log()[-2000:])
        done = server.cli('secret', 'rotate-master', '--to', 'next')
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn('env NEXT', done.stderr)
        self.put(server, 'llm/fake', KEY)
        self.check_serving(server)
        # One that does not open the database is refused, and the old one stays.
        server.write_config(self.config({'master_key': {'source': 'env', 'env': 'NO_SUCH'}}))
        self.assertTrue(eventually(lambda: 'NO_SUCH' in server.log()), server.log()[-2000:])
        self.check_serving(server)
        server.write_config(self.config({'master_key': {'source': 'env', 'env': 'NEXT'}}))
        os.remove(os.path.join(server.data, 'secret.key'))
        count, failed = end()
        self.assertGreater(count, 0)
        self.assertEqual(failed, [])
        server.stop()
        server.start()
        self.check_serving(server)
        server.stop()

    def test_tenants(self):
        server = self.spawn(self.config())
        server.create_key('--tenant', 'acme')
        self.put(server, 'own', ANOTHER, '--tenant', 'acme')
        self.put(server, 'own', 'of-nobody')
        names = [row['name'] for row in server.cli_json('secret', 'list', '--tenant', 'acme')]
        self.assertEqual(names, ['own'])
        self.assertNotEqual(server.cli('secret', 'list', '--tenant', 'nix').returncode, 0)
        (report,) = server.cli_json('secret', 'rekey', '--tenant', 'acme')
        self.assertEqual((report['tenant'], report['resealed'], report['version']), ('acme', 1, 2))
        self.assertEqual(server.cli('secret', 'delete', 'own', '--tenant', 'acme', '--yes').returncode, 0)
        self.assertEqual(server.cli_json('secret', 'list', '--tenant', 'acme'), [])
        self.assertIn('own', [row['name'] for row in server.cli_json('secret', 'list')])
        server.stop()


class Canary(SecretsSuite):
    """What was set as a secret is found nowhere but where it is to be sent."""

    def test_nowhere(self):
        server = self.spawn(self.config())
        admin = server.create_key('--admin')['key']
        self.put(server, 'other/canary', ANOTHER)
        self.check_serving(server)
        told = ''
        # A provider's key through the live configuration, and then one that is refused.
        for key, status in ((ANOTHER, 200), ([ANOTHER], 422)):
            reply = server.request('PATCH', '/api/v1/config', json.dumps({'providers': {'fake': {'api_key': key}}}).encode(),
                                   {'Content-Type': 'application/merge-patch+json'}, admin)
            self.assertEqual(reply.status, status, reply)
            told += reply.body.decode()
        # It is in use, and the provider, which knows it not, answers with an error.
        self.assertTrue(eventually(lambda: server.chat('fake/well').status != 200, 5))
        self.assertEqual(self.fake.seen[-1].header('authorization'), f'Bearer {ANOTHER}')
        told += server.chat('fake/well').body.decode()
        for path in ('/api/v1/config', '/api/v1/config/history', '/metrics', '/readyz', '/api/v1/keys', '/v1/models'):
            told += server.get(path, admin).body.decode('utf-8', 'replace')
        for command in (['config', 'show', '--effective', '--sources'], ['config', 'history', '--json'],
                        ['secret', 'list', '--json'], ['key', 'list', '--json'], ['config', 'validate', '--json'],
                        ['config', 'trace', 'providers.fake.api_key'], ['secret', 'rekey', '--json'],
                        ['secret', 'rotate-master', '--to', 'file', '--json'], ['secret', 'set', ANOTHER + ' !'],
                        ['secret', 'delete', 'nix', '--yes'], ['config', 'diff']):
            done = server.cli(*command, stdin='')
            told += done.stdout + done.stderr.replace(ANOTHER + ' !', '')
        for canary in (KEY, ANOTHER):
            self.assertNotIn(canary, told)
        self.check_nowhere(server, KEY, ANOTHER)
        with open(f'/proc/{server.process.pid}/limits', encoding='ascii') as f:
            (core,) = [line for line in f if line.startswith('Max core file size')]
        self.assertEqual(core.split()[4], '0', core)
        server.stop()
        self.check_nowhere(server, KEY, ANOTHER, server.key, admin)


if __name__ == '__main__':
    main()
