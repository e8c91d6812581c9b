#!/usr/bin/env python3
# Layers of the configuration in a running server: every file that counts is watched, and what they say takes effect.
import json
import os
import random
import re
import shutil
import signal
import threading
import time

from harness import Suite, eventually, fake_provider, main


class Layers(Suite):
    def conf(self, *models, **more):
        return {'version': 2, 'providers': [fake_provider(self.fake)], 'log': {'level': 'debug', 'format': 'json'},
                'passthrough_models': False,
                'models': [{'name': m, 'targets': [{'provider': 'fake', 'model': m + '-up'}]} for m in models], **more}

    def write(self, server, name, text):
        """Replaces the file at once."""
        path = os.path.join(server.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path + '.new~', 'w', encoding='utf-8') as f:
            f.write(text if isinstance(text, str) else json.dumps(text))
        os.replace(path + '.new~', path)
        return path

    def model(self, name):
        return {'models': [{'name': name, 'targets': [{'provider': 'fake', 'model': name + '-up'}]}]}

    def serves(self, server, model, status=200):
        self.assertTrue(eventually(lambda: server.chat(model).status == status), f'{model} does not give {status}')

    def refused(self, server):
        return server.get('/readyz').json()['checks']['configuration']

    def errors(self, server):
        return sum(v for k, v in server.metrics().items() if k.startswith('penstock_config_reloads') and 'error' in k)

    # --- what is watched ---

    def test_conf_d(self):
        server = self.spawn(self.conf('one'))
        self.serves(server, 'two', 404)
        path = self.write(server, 'conf.d/20-two.yaml', self.model('two'))  # the directory is new, too
        self.serves(server, 'two')
        self.write(server, 'conf.d/20-two.yaml', self.model('three'))
        self.serves(server, 'three')
        self.serves(server, 'two', 404)
        os.unlink(path)
        self.serves(server, 'three', 404)
        self.serves(server, 'one')
        server.stop()

    def test_includes(self):
        server = self.spawn(self.conf('one', include=['parts/*.yaml']))
        self.write(server, 'parts/a.yaml', {**self.model('two'), 'include': ['../more/b.yaml']})
        # Refused: what it includes is not there. When it comes, it is looked at again.
        self.assertTrue(eventually(lambda: 'more/b.yaml: there is no such file' in self.refused(server).get('detail', '')),
                        self.refused(server))
        self.assertEqual(server.chat('one').status, 200)
        self.write(server, 'more/b.yaml', self.model('three'))
        self.serves(server, 'three')
        self.assertEqual(self.refused(server)['status'], 'ok')
        self.write(server, 'more/b.yaml', self.model('four'))
        self.serves(server, 'four')
        self.serves(server, 'three', 404)
        self.serves(server, 'two')
        server.stop()

    def test_in_place(self):
        server = self.spawn(self.conf('one'))
        with open(server.config_path, 'r+', encoding='utf-8') as f:
            text = f.read().replace('one', 'two')
            f.seek(0)
            f.write(text)
            f.truncate()
        self.serves(server, 'two')
        server.stop()

    def test_kubernetes_symbolic_links(self):
        """A mounted ConfigMap: penstock.yaml → ..data/penstock.yaml, ..data → ..1; an update renames a new ..data."""
        server = self.spawn(self.conf('one'), start=False)
        os.unlink(server.config_path)

        def publish(n, model):
            self.write(server, f'..{n}/penstock.yaml', self.conf(model))
            os.symlink(f'..{n}', os.path.join(server.folder, '..tmp'))
            os.replace(os.path.join(server.folder, '..tmp'), os.path.join(server.folder, '..data'))
            if n > 1:
                shutil.rmtree(os.path.join(server.folder, f'..{n - 1}'))

        publish(1, 'one')
        os.symlink('..data/penstock.yaml', server.config_path)
        server.start()
        self.serves(server, 'one')
        for n in (2, 3):
            publish(n, f'model-{n}')
            self.serves(server, f'model-{n}')
            self.serves(server, 'one', 404)
        server.stop()

    def test_secret_file(self):
        server = self.spawn(self.conf('one'), start=False)
        secret = self.write(server, 'run/key', 'sk-first\n')
        conf = self.conf('one')
        conf['providers'][0]['headers'] = {'X-Secret': '${file:' + secret + '}'}
        server.write_config(conf)
        server.start()
        self.serves(server, 'one')
        self.write(server, 'run/key', 'sk-second\n')

        def key_sent():
            server.chat('one')
            return self.fake.seen[-1].header('x-secret') if self.fake.seen else None

        self.assertTrue(eventually(lambda: key_sent() == 'sk-second'), key_sent())
        os.unlink(secret)
        self.assertTrue(eventually(lambda: self.refused(server)['status'] == 'degraded'))
        self.assertEqual(key_sent(), 'sk-second')
        self.write(server, 'run/key', 'sk-third\n')
        self.assertTrue(eventually(lambda: key_sent() == 'sk-third'))
        self.assertNotIn('sk-third', server.log())
        server.stop()

    # --- environment, profiles, command line ---

    def test_precedence(self):
        conf = self.conf('one', profiles={'dev': {'limits': {'max_headers': 33}}}, limits={'max_headers': 11})
        server = self.spawn(conf, env={'PENSTOCK_CONFIG_JSON': '{"aliases": {"j": "one"}, "limits": {"max_uri": 300}}',
                                       'PENSTOCK_LIMITS__MAX_HEADERS': '22', 'PENSTOCK_ALIASES__E': 'one',
                                       'PENSTOCK_PORT': 'tcp://10.0.0.1:8080', 'PENSTOCK_SERVICE_HOST': '10.0.0.1'},
                            args=['--config-override', 'aliases.o=one', '--env', 'dev'])
        for name in ('one', 'j', 'e', 'o'):
            self.serves(server, name)
        done = server.cli('config', 'set', 'limits.max_uri=400', 'aliases.live=one', '--config', server.config_path)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.serves(server, 'live')
        self.assertEqual(server.get('/' + 'x' * 350).status, 404)
        self.assertEqual(server.get('/' + 'x' * 450).status, 414)
        # Live changes stay when the files change.
        server.write_config({**conf, 'models': conf['models'] + self.model('other')['models']})
        self.serves(server, 'other')
        server.stop()

    # --- changes by the command line ---

    def config_command(self, server, *args):
        done = server.cli('config', *args, '--config', server.config_path)
        self.assertEqual(done.returncode, 0, done.stderr + done.stdout)
        return done.stdout

    def test_set_unset_history_rollback(self):
        server = self.spawn(self.conf('one'))
        self.config_command(server, 'set', 'aliases.first=one')
        self.serves(server, 'first')
        version = self.refused(server)['version']
        self.config_command(server, 'set', 'aliases.second=one', 'models.extra.targets=[{provider: fake, model: extra-up}]')
        self.serves(server, 'extra')
        self.config_command(server, 'unset', 'aliases.first')
        self.serves(server, 'first', 404)
        self.config_command(server, 'rollback', str(version))
        self.serves(server, 'first')
        self.serves(server, 'second', 404)
        self.serves(server, 'extra', 404)
        history = server.cli('config', 'history').stdout
        self.assertIn(f'rollback to {version}', history)
        refused = server.cli('config', 'set', 'models.bad.targets=[{provider: nobody}]', '--config', server.config_path)
        self.assertEqual(refused.returncode, 3, refused.stderr)
        self.assertIn('nobody', refused.stderr)
        # What was set lives through a restart.
        server.stop()
        server.start()
        self.serves(server, 'first')
        server.stop()

    def test_sealed_secret(self):
        server = self.spawn(self.conf('one'), start=False)
        set_to = lambda value: self.assertEqual(server.cli('secret', 'set', 'provider', stdin=value).returncode, 0)  # noqa: E731
        set_to('sk-sealed-1')
        conf = self.conf('one')
        conf['providers'][0]['headers'] = {'X-Secret': '${secret:provider}'}
        server.write_config(conf)
        server.start()

        def key_sent():
            server.chat('one')
            return self.fake.seen[-1].header('x-secret') if self.fake.seen else None

        self.assertTrue(eventually(lambda: key_sent() == 'sk-sealed-1'), key_sent())
        set_to('sk-sealed-2')
        self.assertTrue(eventually(lambda: key_sent() == 'sk-sealed-2'), key_sent())
        for root, _, files in os.walk(server.folder):
            for name in files:
                with open(os.path.join(root, name), 'rb') as f:
                    self.assertNotIn(b'sk-sealed', f.read(), name)
        server.stop()

    # --- five hundred broken files ---

    def mutate(self, text, rng):
        lines = text.split('\n')
        for _ in range(rng.randint(1, 3)):
            at, other = rng.randrange(len(lines)), rng.randrange(len(lines))
            line = lines[at]
            kind = rng.randrange(9)
            if kind == 0:
                del lines[at]
            elif kind == 1:
                lines.insert(other, line)
            elif kind == 2:
                lines[at], lines[other] = lines[other], lines[at]
            elif kind == 3:
                lines[at] = re.sub(r': .*', ': ' + rng.choice(['[]', '{}', 'true', '-1', '~', '"x"', '1e9', '|', '*a']), line)
            elif kind == 4:
                lines[at] = re.sub(r'(\w+):', lambda m: m[1][:-1] + rng.choice('xyz_') + ':', line, count=1)
            elif kind == 5:
                lines[at] = ' ' * rng.randrange(5) + line
            elif kind == 6:
                lines[at] = line + rng.choice(['[', '"', '\t', ': :', ' #', '}', '\x00', '\x7f', '\u2028'])
            elif kind == 7:
                lines[at] = line[:rng.randrange(len(line) + 1)]
            else:
                lines[at] = rng.choice(['- ', 'zebra: 1', '---', '&a', 'include: [nowhere.yaml]', '${env:X}']) + line
            if not lines:
                lines = ['']
        return '\n'.join(lines)

    def told(self, log, found):
        """Whether the log, an open file, has more to say of the configuration; puts it into found."""
        for line in log:
            if line.startswith('{') and ('configuration in force' in line or 'configuration was refused' in line):
                found.append(json.loads(line))
        return found

    def test_mutated_files(self):
        good = ('version: 2\n'
                'providers:\n'
                f'- name: fake\n  kind: openai\n  base_url: {self.fake.base_url}\n  api_key: sk-fake\n'
                '  headers:\n    X-Key: sk-kanarie-0123456789-abcdefghij\n  timeouts:\n    idle: 30s\n'
                'models:\n'
                '- name: one\n  targets:\n  - provider: fake\n    model: one-up\n    weight: 2\n'
                'aliases:\n  alias: one\n  second: alias\n'
                'tenants:\n- name: acme\n  allow_models: [one]\n  branding:\n    name: Acme\n'
                'limits:\n  max_body: 4 MiB\n  max_headers: 50\n'
                'log:\n  level: debug\n  format: json\n  access: false\n'
                'auth:\n  required: true\n')
        server = self.spawn(good)
        rng, stop, wrong, served = random.Random(20), threading.Event(), [], []

        def ask():
            while not stop.is_set():
                try:
                    status = server.get('/healthz').status
                    served.append(status)
                    if status != 200:
                        wrong.append(status)
                    time.sleep(0.002)
                except OSError as e:
                    wrong.append(e)

        asking = threading.Thread(target=ask)
        asking.start()
        log = open(server.log_path, encoding='utf-8')
        self.addCleanup(log.close)
        applied = refused = 0
        try:
            for n in range(500):
                text = self.mutate(good, rng)
                with open(server.config_path + '.new', 'w', encoding='utf-8') as f:
                    f.write(text)
                os.replace(server.config_path + '.new', server.config_path)
                found = []
                self.told(log, [])
                server.signal(signal.SIGHUP)
                self.assertTrue(eventually(lambda: self.told(log, found), every=0.002),
                                f'nothing was said of mutation {n}:\n{text}')
                line = found[-1]
                if 'refused' in line['msg']:
                    refused += 1
                    self.assertRegex(line['reason'], r'penstock\.yaml:\d+:\d+: |penstock\.yaml: ', text)
                    self.assertNotIn('kanarie', line['reason'])
                else:
                    applied += 1
                self.assertIsNone(server.process.poll(), text)
        finally:
            stop.set()
            asking.join()
        self.assertEqual(wrong, [])
        self.assertGreater(refused, 100)
        self.assertGreater(applied, 50)
        self.assertGreater(len(served), 100)
        server.write_config(good)
        self.serves(server, 'second')
        server.stop()


if __name__ == '__main__':
    main()
