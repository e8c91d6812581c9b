#!/usr/bin/env python3
# Configuration files by the real binary: templates, other gateways' files and older files become servers that run.
import glob
import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest

from harness import ROOT, Penstock, clean_environment, eventually, in_parallel, main, run_cli

SAMPLES = os.path.join(ROOT, 'tests', 'unit', 'conf', 'import')
PLACES = ('/etc/penstock', '/var/log/penstock', '/var/lib/penstock', '/var/run/secrets/penstock')


def templates():
    done = run_cli('config', 'init', '--list')
    assert done.returncode == 0, done
    return [line.split()[0] for line in done.stdout.splitlines()]


class Files(unittest.TestCase):
    """A folder that stands in for the machine's own ones."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix='penstock-test-')
        self.addCleanup(shutil.rmtree, self.folder, True)

    def path(self, name, text=None):
        path = os.path.join(self.folder, name)
        if text is not None:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, 'w', encoding='utf-8') as f:
                f.write(text)
        return path

    def read(self, name):
        with open(self.path(name), encoding='utf-8') as f:
            return f.read()

    def run_here(self, *args, code=0, **env):
        done = run_cli(*args, cwd=self.folder, env=clean_environment(**env))
        self.assertEqual(done.returncode, code, (args, done.stdout, done.stderr))
        return done

    def certificate(self, cert, key):
        if not os.path.exists(key):
            os.makedirs(os.path.dirname(key), exist_ok=True)
            subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes',
                            '-keyout', key, '-out', cert, '-days', '2', '-subj', '/CN=localhost'], check=True,
                           capture_output=True)

    def at_home(self, text):
        """The text with its paths in this folder, where what it refers to is made; and the variables it needs."""
        for place in PLACES:
            text = text.replace(place, self.folder + place)
            os.makedirs(self.folder + place, exist_ok=True)
        for cert, key in re.findall(r'^ *cert: (\S+)\n *key: (\S+)', text, re.M):
            self.certificate(cert, key)
        for authority in re.findall(r'^ *tls_ca: (\S+)', text, re.M):
            self.certificate(authority, authority + '.key')
        for file in re.findall(r'^[^#\n]*\$\{file:([^}]+)\}', text, re.M):
            self.path(file, 'sk-made-up\n')
        return text, {name: 'sk-made-up' for name in re.findall(r'\$\{env:([A-Z0-9_]+)\}', text)}

    def boots(self, text, env):
        """The file is valid, says so without a warning, and makes a server ready."""
        path = self.path('boots.yaml', text)
        done = self.run_here('config', 'validate', path, **env)
        self.assertIn('valid', done.stdout)
        self.assertEqual(done.stderr, '')
        server = Penstock(text, env=env)
        self.addCleanup(server.remove)
        server.start()
        self.assertEqual(server.get('/v1/models', key=server.key).status, 200)
        server.stop()


class Templates(Files):
    def test_each_boots(self):
        names = templates()
        self.assertEqual(sorted(names), sorted(['development', 'production', 'kubernetes', 'code-search', 'documentation',
                                                'air-gapped', 'high-availability']))
        for name in names:
            with self.subTest(name):
                os.makedirs(self.path(name))
                done = run_cli('config', 'init', '--template', name, cwd=self.path(name))
                self.assertEqual(done.returncode, 0, done)
                self.run_here('config', 'validate', '--offline', self.path(name + '/penstock.yaml'))
                text, env = self.at_home(self.read(name + '/penstock.yaml'))
                self.boots(text, env)

    def test_listens_with_tls(self):
        """The production template's own listener, not one of the command line."""
        self.run_here('config', 'init', '--template', 'production')
        text, env = self.at_home(self.read('penstock.yaml'))
        server = Penstock(lambda s: text.replace('0.0.0.0:8443', f'127.0.0.1:{s.port}'), env=env, listen=False)
        self.addCleanup(server.remove)
        server.launch()
        try:
            done = subprocess.run(['curl', '-sS', '--retry', '40', '--retry-delay', '0', '--retry-all-errors', '--retry-max-time',
                                   '20', '--cacert', self.folder + '/etc/penstock/tls/fullchain.pem', '--resolve',
                                   f'localhost:{server.port}:127.0.0.1', f'https://localhost:{server.port}/readyz'],
                                  capture_output=True, text=True, timeout=60, check=False)
        finally:
            server.stop()
        self.assertEqual(json.loads(done.stdout or '{}').get('status'), 'ready', done)

    def test_a_file_that_is_there_stays(self):
        self.path('penstock.yaml', 'log: {level: warn}\n')
        done = self.run_here('config', 'init', code=5)
        self.assertIn('--force', done.stderr)
        self.assertEqual(self.read('penstock.yaml'), 'log: {level: warn}\n')
        self.run_here('config', 'init', '--force')
        self.assertNotEqual(self.read('penstock.yaml'), 'log: {level: warn}\n')

    def test_unknown_template(self):
        done = self.run_here('config', 'init', '--template', 'producton', code=4)
        self.assertIn('production', done.stderr)
        self.assertEqual(os.listdir(self.folder), [])


class Imports(Files):
    def test_each_boots(self):
        samples = sorted(p for p in glob.glob(SAMPLES + '/*') if not p.endswith('.expected'))
        self.assertGreaterEqual(len(samples), 10)
        booted = 0
        for sample in samples:
            with self.subTest(os.path.basename(sample)):
                kind = os.path.basename(sample).split('-')[0]
                done = run_cli('config', 'import', kind, sample, '--output', self.path('out.yaml'), '--force')
                self.assertIn(done.returncode, (0, 3, 7), done)
                self.assertEqual(done.returncode == 0, done.stderr == '' or 'Wrote' in done.stderr, done)
                if done.returncode == 3:  # not a file of theirs at all
                    self.assertIn(os.path.basename(sample), done.stderr)
                    self.assertFalse(os.path.exists(self.path('out.yaml')))
                    continue
                self.run_here('config', 'validate', '--offline', self.path('out.yaml'))
                text, env = self.at_home(self.read('out.yaml'))
                # Addresses may come from the environment too.
                env = {k: 'http://127.0.0.1:9/v1' if 'BASE' in k else v for k, v in env.items()}
                self.boots(text, env)
                os.unlink(self.path('out.yaml'))
                booted += 1
        self.assertGreaterEqual(booted, 8)

    def test_to_standard_output(self):
        done = self.run_here('config', 'import', 'litellm', SAMPLES + '/litellm-small.yaml')
        self.assertIn('\nproviders:\n', done.stdout)
        self.run_here('config', 'validate', '--offline', self.path('out.yaml', done.stdout))

    def test_what_there_is_not(self):
        self.assertIn('litellm', self.run_here('config', 'import', 'litelm', SAMPLES + '/litellm-small.yaml', code=2).stderr)
        self.assertIn('nowhere.yaml', self.run_here('config', 'import', 'litellm', 'nowhere.yaml', code=4).stderr)


OLD = '''# What the team agreed on.
server:
  workers: 2
  public_metrics: true   # scraped from outside
providers:
  - {name: demo, kind: demo}
'''


PIPED = '''include: [more/*.yaml]
storage: {data: ./data}
listeners: [{address: "127.0.0.1:8080"}]
providers: [{name: own, kind: openai, base_url: "http://127.0.0.1:9/v1"}]
models: [{name: fine, targets: [{provider: own, model: x}]}]
'''


class Piped(Files):
    """A configuration that comes through a pipe is read as one that lies in the working directory."""

    def piped(self, text, *args, code=0):
        done = run_cli(*args, cwd=self.folder, stdin=text)
        self.assertEqual(done.returncode, code, (args, done.stdout, done.stderr))
        return done

    def test_each_command_takes_it(self):
        self.path('more/models.yaml', 'models: [{name: more, targets: [{provider: own, model: x}]}]\n')
        for name in ('-', '/dev/stdin', '/dev/fd/0'):
            self.assertIn('valid', self.piped(PIPED, 'config', 'validate', name).stdout, name)
            self.assertIn('valid', self.piped(PIPED, 'config', 'validate', '--config', name).stdout, name)
        self.assertIn('more', self.piped(PIPED, 'config', 'show', 'models', '--config', '-').stdout)
        self.assertIn('/dev/stdin:3', self.piped(PIPED, 'config', 'trace', 'listeners', '--config', '-').stdout)
        self.piped(PIPED, 'config', 'set', 'log.level=debug', '--config', '-')  # it is read several times
        self.assertIn('debug', self.piped(PIPED, 'config', 'show', 'log.level', '--config', '-').stdout)
        self.path('penstock.yaml', PIPED + 'log: {level: warn}\n')
        self.assertIn('log.level', self.piped(PIPED, 'config', 'diff', '-', 'penstock.yaml', code=1).stdout)
        self.assertIn('fine', self.piped('model_list: [{model_name: fine, litellm_params: {model: openai/gpt-4o}}]\n',
                                         'config', 'import', 'litellm', '-', code=0).stdout)
        self.assertIn('rewrites a file', self.piped(PIPED, 'config', 'migrate', '-', code=2).stderr)

    def test_what_is_wrong_is_told(self):
        done = self.piped('lisseners: []\n', 'config', 'validate', '-', code=1)
        self.assertIn('/dev/stdin:1:1: unknown key "lisseners"', done.stderr)
        self.assertIn('nothing came through /dev/stdin', self.piped('', 'config', 'validate', '-', code=1).stderr)
        long = '# padding\n' * (1 << 20)
        self.assertIn('larger than 8388608 bytes', self.piped(long, 'config', 'validate', '-', code=1).stderr)
        both = self.run_here('config', 'validate', 'penstock.yaml', '--config', 'other.yaml', code=2)
        self.assertIn('both FILE and --config', both.stderr)
        self.path('penstock.yaml', PIPED)
        self.path('other.yaml', 'lisseners: []\n')
        self.assertIn('other.yaml:1:1', self.run_here('config', 'validate', '--config', 'other.yaml', code=1).stderr)

    def test_server_reloads_what_it_was_given(self):
        server = PipedServer(PIPED.replace('storage: {data: ./data}\n', ''))
        self.addCleanup(server.remove)
        server.start()
        for level in ('debug', 'warn'):  # each is a reload
            done = run_cli('config', 'set', 'log.level=' + level, '--data', server.data)
            self.assertIn('in force', done.stderr, done)
        self.assertIn('/dev/stdin', server.log())
        self.assertEqual([m['id'] for m in server.get('/v1/models', key=server.key).json()['data']], ['fine'])
        server.stop()


class Reference(Files):
    """A model that costs are compared with, and of which no price is known, compares nothing: that is told."""

    def test_reference_model(self):
        for name, near in (('openai/gpt-50', 'openai/gpt-5'), ('finee', 'fine'), ('zzzzzzzzz', None)):
            self.path('penstock.yaml', PIPED + f'usage: {{reference_model: {name}}}\n')
            done = self.run_here('config', 'validate')
            self.assertIn('valid', done.stdout)
            self.assertIn(f'penstock.yaml:6:26: warning: usage.reference_model: no price is known of "{name}"', done.stderr)
            self.assertEqual('did you mean' in done.stderr, near is not None, done.stderr)
            if near:
                self.assertIn(f'did you mean "{near}', done.stderr)
            tested = self.run_here('config', 'test', code=1).stdout
            self.assertIn(f'no price is known of "{name}"', tested)
        priced = PIPED + 'prices: {own/x: {input: 1, output: 2}}\n'
        for text in (PIPED + 'usage: {reference_model: openai/gpt-5}\n', priced + 'usage: {reference_model: fine}\n', PIPED):
            self.path('penstock.yaml', text)
            self.assertEqual(self.run_here('config', 'validate').stderr, '')
        listen = PIPED.replace('storage: {data: ./data}\n', '')
        server = Penstock(listen + 'usage: {reference_model: openai/gpt-5}\nlog: {format: json}\n')
        self.addCleanup(server.remove)
        server.start()
        said = 'no price is known of usage.reference_model'
        self.assertNotIn(said, server.log())
        server.write_config(listen + 'usage: {reference_model: nosuch}\nlog: {format: json}\n')
        self.assertTrue(eventually(lambda: said in server.log()))
        server.stop()


class PipedServer(Penstock):
    def command(self):
        piped = [arg if arg != self.config_path else '-' for arg in super().command()]
        return ['bash', '-c', 'exec "$@" < <(cat "$0")', self.config_path, *piped]


class Migrations(Files):
    def test_dry_run_shows(self):
        path = self.path('penstock.yaml', OLD)
        done = self.run_here('config', 'migrate', '--dry-run')
        self.assertIn('public_metrics', done.stdout)
        self.assertIn('+version: 2', done.stdout.replace('+ ', '+'))
        self.assertEqual(self.read('penstock.yaml'), OLD)
        self.assertEqual(os.listdir(self.folder), [os.path.basename(path)])

    def test_old_files_are_understood(self):
        self.path('penstock.yaml', OLD)
        done = self.run_here('config', 'validate')
        self.assertIn('penstock.yaml:4', done.stderr)
        self.assertIn('metrics.public', done.stderr)

    def test_yes_rewrites(self):
        self.path('penstock.yaml', OLD)
        self.run_here('config', 'migrate', '--yes')
        text = self.read('penstock.yaml')
        self.assertIn('version: 2', text)
        self.assertIn('# What the team agreed on.', text)
        self.assertIn('# scraped from outside', text)
        (backup,) = [n for n in os.listdir(self.folder) if n != 'penstock.yaml']
        self.assertEqual(self.read(backup), OLD)
        shown = json.loads(self.run_here('config', 'show', 'metrics.public', '--json').stdout)
        self.assertIn('true', json.dumps(shown))
        self.boots(text, {})
        again = self.run_here('config', 'migrate', '--yes')
        self.assertEqual(self.read('penstock.yaml'), text)
        self.assertEqual(len(os.listdir(self.folder)), 3, again)  # with boots.yaml, and no second backup

    def test_nobody_is_asked_without_a_terminal(self):
        self.path('penstock.yaml', OLD)
        done = run_cli('config', 'migrate', cwd=self.folder)
        self.assertNotEqual(done.returncode, 0, done)
        self.assertIn('--yes', done.stderr)
        self.assertEqual(self.read('penstock.yaml'), OLD)

    def test_newer_files_are_refused(self):
        self.path('penstock.yaml', 'version: 3\nlog: {level: info}\n')
        for args, code in ((('validate',), 1), (('migrate', '--yes'), 3), (('show',), 3)):
            with self.subTest(args):
                done = self.run_here('config', *args, code=code)
                self.assertIn('penstock.yaml:1', done.stderr)
                self.assertIn('version 3', done.stderr.replace('version: 3', 'version 3'))
                self.assertIn('newer', done.stderr)
        server = Penstock('version: 3\n')
        self.addCleanup(server.remove)
        server.launch()
        self.assertEqual(server.process.wait(20), 3)
        self.assertIn('newer', server.log())
        self.assertEqual(len(os.listdir(self.folder)), 1)


class References(Files):
    def test_schema_docs_and_explain(self):
        schema = json.loads(self.run_here('config', 'schema').stdout)
        self.assertIn('2020-12', schema['$schema'])
        self.assertIn('| `max_body` |', self.run_here('config', 'docs').stdout)
        self.assertIn('PENSTOCK_LIMITS__MAX_BODY', self.run_here('config', 'docs', '--env-reference').stdout)
        for key in ('limits.max_body', 'providers', 'models.small.targets', 'vault', 'listeners[0].tls.cert'):
            self.assertTrue(self.run_here('config', 'explain', key).stdout)
        self.assertIn('limits.max_body', self.run_here('config', 'explain', 'limits.max_bdy', code=4).stderr)

    def test_every_option_is_explained(self):
        documented = re.findall(r'^\| `(PENSTOCK_\w+)` \| `([^`]+)`', self.run_here('config', 'docs', '--env-reference').stdout, re.M)
        self.assertGreater(len(documented), 50)
        for _, key in documented[::5]:
            with self.subTest(key):
                self.assertTrue(self.run_here('config', 'explain', key.replace('[]', '[0]')).stdout)


class Live(Files):
    """Changes by commands alone, while no server runs."""

    def change(self, *args, code=0):
        return self.run_here('config', *args, code=code)

    def test_many_at_once(self):
        self.path('penstock.yaml', 'log: {level: info}\n')
        in_parallel(6, lambda i: self.change('set', f'prices.m{i}={{input: {i}}}'))
        rows = [json.loads(line) for line in self.change('history', '--json').stdout.splitlines()]
        self.assertEqual([[c['key'] for c in r['changes']] for r in rows if len(r['changes']) != 1], [])
        self.assertEqual(sorted(r['changes'][0]['key'] for r in rows), [f'prices.m{i}' for i in range(6)])

    def test_a_rollback_leaves_what_the_server_was_started_with(self):
        """A version made by a command does not know of the server's --listen."""
        server = Penstock('providers: [{name: demo, kind: demo}]', env={'PENSTOCK_LIMITS__MAX_BODY': '1 MiB'})
        self.addCleanup(server.remove)
        server.start()
        done = server.cli('config', 'set', 'log.level=debug', '--config', server.config_path, '--json')
        version = json.loads(done.stdout)['version']
        key = server.create_key('--admin')['key']
        self.assertTrue(eventually(lambda: server.get('/readyz').json()['checks']['configuration']['version'] >= version))
        reply = server.post('/api/v1/config/rollback', json.dumps({'version': version}).encode(), key=key)
        self.assertEqual((reply.status, reply.json().get('changes')), (200, []), reply)
        self.assertEqual(server.get('/readyz').status, 200)
        server.stop()

    def test_secrets_are_shown_nowhere(self):
        self.path('penstock.yaml', 'providers:\n  - {name: p, kind: openai, base_url: "http://127.0.0.1:9/v1", api_key: sk-first}\n')
        shown = ''
        for args in (('set', 'providers.p.api_key=sk-second'), ('set', '--json', 'providers.p.api_key=sk-third'),
                     ('set', 'providers.p={api_key: sk-fourth}'), ('history',), ('history', '--json'), ('history', '2'),
                     ('show',), ('show', '--effective', '--sources'), ('trace', 'providers.p.api_key'),
                     ('rollback', '1'), ('unset', 'providers.p.api_key'), ('history', '--json')):
            done = run_cli('config', *args, cwd=self.folder)
            self.assertIn(done.returncode, (0, 4), (args, done))
            shown += done.stdout + done.stderr
        for folder, _, names in os.walk(self.path('data')):
            for name in names:
                with open(os.path.join(folder, name), 'rb') as f:
                    shown += f.read().decode('latin-1')
        for secret in ('sk-first', 'sk-second', 'sk-third', 'sk-fourth'):
            self.assertNotIn(secret, shown)

    def test_nothing_to_take_back(self):
        self.change('unset', 'log.level', code=4)
        self.change('rollback', '1', code=4)
        self.assertEqual(os.listdir(self.folder), [], 'there is nothing to write down')
        self.change('set', 'log.level=debug')
        self.change('unset', 'log.level')
        self.assertIn('log.level', self.change('unset', 'log.level', code=4).stderr)

    def test_nothing_ever_ran(self):
        self.assertIn('no data directory', self.change('history', code=4).stderr)
        self.assertEqual(os.listdir(self.folder), [])


if __name__ == '__main__':
    main()
