#!/usr/bin/env python3
# penstock bench models: scores, order, costs as the ledger has them, what fails, two runs that agree within the noise they
# state, the judge, Ctrl-C, the report, files that are wrong.
import html.parser
import json
import os
import re
import signal
import subprocess
import threading

from harness import BINARY, FakeUpstream, Suite, clean_environment, eventually, fake_provider, main, run_cli
from openai_upstream import Answer

PROMPTS = [{'id': 'sum', 'prompt': '2+2?', 'expect': '4'},
           {'id': 'word', 'prompt': 'sea?', 'regex': '^[Tt](he )?tide'},
           {'id': 'json', 'prompt': 'json?', 'schema': {'type': 'object', 'required': ['tide'], 'additionalProperties': False,
                                                       'properties': {'tide': {'enum': ['high', 'low']}}}},
           {'id': '<script>&"', 'system': 'Be brief.', 'messages': [{'role': 'user', 'content': 'why?'}], 'max_tokens': 50,
            'judge': 'Names the moon.'},
           {'prompt': 'free'}]
RIGHT = {'2+2?': ' 4\n', 'sea?': 'the tide is high', 'json?': '{"tide": "low"}', 'why?': 'Because of the moon.', 'free': 'x'}
SCRIPT = {'good': RIGHT,
          'fair': {**RIGHT, 'sea?': 'A tide', 'json?': '{"tide": "mid"}', 'why?': 'Because.'},
          'poor': {**RIGHT, '2+2?': '5', 'sea?': 'No.', 'json?': 'Sure! {"tide": "low"}', 'why?': 'No idea.'}}
GRADES = {'Because of the moon.': '{"score": 1}', 'Because.': 'I would say\nScore: 5/10', 'No idea.': 'It is bad.'}


class ScriptedAnswer(Answer):
    def run(self):
        name = self.plan.name
        with self.fake.lock:
            self.fake.under_way[name] = self.fake.under_way.get(name, 0) + 1
            self.fake.most[name] = max(self.fake.most.get(name, 0), self.fake.under_way[name])
        try:
            super().run()
        finally:
            with self.fake.lock:
                self.fake.under_way[name] -= 1

    def text(self):
        question = self.seen.json['messages'][-1]['content']
        if self.plan.name == 'judge':
            return GRADES[json.loads(question)['answer']]
        return SCRIPT.get(self.plan.name, RIGHT)[question]

    def pieces(self, total):
        text = self.text() * (10 ** 6 if self.plan.has('endless') else 1)
        for delta in [{'role': 'assistant', 'content': ''}] + [{'content': text[i:i + 3]} for i in range(0, len(text), 3)]:
            yield {'index': 0, 'delta': delta, 'logprobs': None, 'finish_reason': None}
        yield {'index': 0, 'delta': {}, 'logprobs': None, 'finish_reason': 'stop'}


class ScriptedUpstream(FakeUpstream):
    def __init__(self, *args, **more):
        super().__init__(*args, **more)
        self.lock, self.under_way, self.most = threading.Lock(), {}, {}

    def reset(self):
        super().reset()
        self.most = {}

    def answer(self, peer, seen):
        super().answer(peer, seen, ScriptedAnswer)


def model(name, upstream, priced=True):
    price = {'price': {'input': 2.5, 'output': 10}} if priced else {}
    return {'name': name, **price, 'targets': [{'provider': 'fake', 'model': upstream}]}


class Bench(Suite):
    fake_class = ScriptedUpstream

    @classmethod
    def config(cls):
        return {'providers': [fake_provider(cls.fake)],
                'models': [model('poor', 'poor'), model('good', 'good;delay=15;gap=1'), model('fair', 'fair;delay=5'),
                           model('free', 'good', priced=False), model('ill', 'good;status=503;retry_after=0'),
                           model('endless', 'good;endless;gap=5'), model('judge', 'judge'), model('cut', 'good;nodone'),
                           model('wait', 'good;delay=40')]}

    def write(self, lines, name='prompts.jsonl'):
        path = os.path.join(self.server.folder, name)
        with open(path, 'w', encoding='utf-8') as f:
            f.write(lines if isinstance(lines, str) else ''.join(json.dumps(line) + '\n' for line in lines))
        return path

    def environment(self, key=None):
        return clean_environment(PENSTOCK_API_KEY=key or self.server.key,
                                 PENSTOCK_SERVER=f'http://127.0.0.1:{self.server.port}')

    def bench(self, *args, prompts=PROMPTS, **more):
        path = prompts if isinstance(prompts, str) else self.write(prompts)
        return run_cli('bench', 'models', '--prompts', path, *args, env=self.environment(**more), timeout=60)

    def bench_json(self, *args, code=0, **more):
        done = self.bench(*args, '--json', **more)
        self.assertEqual(done.returncode, code, done.stderr)
        result = json.loads(done.stdout)
        self.assertEqual(result['penstock_bench'], 1)
        return result, {m['model']: m for m in result['models']}

    def test_scores(self):
        result, models = self.bench_json('--models', 'poor,good,fair', '--judge', 'judge', '--repeat', 2, code=7)
        self.assertEqual(list(models), ['good', 'fair', 'poor'], 'the best first, the fastest last')
        self.assertEqual([m['score']['mean'] for m in models.values()], [1, 0.375, 0])
        self.assertEqual([m['score']['n'] for m in models.values()], [8, 8, 6])
        self.assertEqual((result['judge']['calls'], result['judge']['failed']), (6, 2), 'one says no figure')
        scores = {s['prompt']: s.get('score') for s in models['fair']['samples']}
        self.assertEqual(scores, {'sum': 1, 'word': 0, 'json': 0, '<script>&"': 0.5, '5': None})
        reasons = {s['prompt']: s['score_reason'] for s in models['poor']['samples']}
        self.assertEqual(reasons['sum'], 'not what was expected')
        self.assertIn('no JSON', reasons['json'])
        self.assertIn('/tide', {s['prompt']: s['score_reason'] for s in models['fair']['samples']}['json'])
        for m in models.values():
            self.assertEqual((m['calls'], m['failed'], m['errors']), (10, 0, []))
            for name in ('latency_ms', 'first_token_ms', 'tokens_per_s'):
                f = m[name]
                self.assertEqual(f['n'], 10, name)
                self.assertTrue(f['min'] <= f['p50_95_confidence']['low'] <= f['p50'] <= f['p50_95_confidence']['high'] <=
                                f['max'], f)
                self.assertTrue(f['p50'] <= f['p95'] <= f['max'], f)
            for s in m['samples']:
                self.assertTrue(0 < s['first_token_ms'] <= s['latency_ms'], s)
        # What was sent: streams that tell usage, each prompt as often as it was to be, one to warm up, none while judged.
        asked = [s.json for s in self.fake.seen if s.model.startswith('good')]
        self.assertEqual(len(asked), 11)
        self.assertTrue(all(a['stream'] and a['stream_options'] == {'include_usage': True} for a in asked))
        (why,) = {json.dumps(a['messages']) for a in asked if a.get('max_tokens') == 50}
        self.assertEqual(json.loads(why), [{'role': 'system', 'content': 'Be brief.'}, {'role': 'user', 'content': 'why?'}])
        order = [s.model == 'judge' for s in self.fake.seen]
        self.assertEqual(order, sorted(order), 'the judge comes last')
        self.assertEqual([self.fake.most[name] for name in SCRIPT], [1, 1, 1])

    def test_cost(self):
        """As the ledger has it, to the nanodollar; what has no price has no cost."""
        key = self.server.create_key('--name', 'payer')
        _, models = self.bench_json('--models', 'good,free', '--warmup', 0, '--repeat', 2, prompts=PROMPTS[:3],
                                    key=key['key'])
        self.assertEqual(models['free']['calls_of_unknown_cost'], 6)
        self.assertIsNone(models['free']['cost_usd'])

        def records():
            return [r for r in self.server.usage('--records', '--key', key['id'], '--limit', 0) if r['model'] == 'good']
        self.assertEqual(len(eventually(lambda: len(records()) == 6 and records())), 6)
        self.assertAlmostEqual(sum(r['cost_usd'] for r in records()), models['good']['cost_usd'], delta=1e-12)
        self.assertEqual(sum(r['input_tokens'] for r in records()), models['good']['input_tokens'])
        self.assertEqual(sum(s['cost_usd'] for s in models['good']['samples']), models['good']['cost_usd'])
        table = self.bench('--models', 'good,free', prompts=PROMPTS[:1])
        (row,) = [line for line in table.stdout.split('\n') if line.startswith('free')]
        self.assertRegex(row, r' \?$')

    def test_failures(self):
        """A call that failed is no sample of anything, and is told of."""
        key = self.server.create_key('--models', 'ill,cut,good')['key']
        _, models = self.bench_json('--models', 'ill,cut,good,fair', prompts=PROMPTS[:3], code=7, key=key)
        self.assertEqual(list(models)[0], 'good')
        for name, part in (('ill', 'status 503: '), ('cut', ''), ('fair', 'status 40')):
            m = models[name]
            self.assertEqual((m['calls'], m['failed'], m['latency_ms'], m['score']), (3, 3, {'n': 0}, {'n': 0}), name)
            self.assertIsNone(m['cost_usd'])
            self.assertEqual([e['calls'] for e in m['errors']], [3])
            self.assertIn(part, m['errors'][0]['message'])
        done = self.bench('--models', 'ill', prompts=PROMPTS[:1])
        self.assertEqual(done.returncode, 1)
        self.assertIn('ill: 1 call failed: status 503: ', done.stderr)
        self.assertEqual(self.bench('--models', 'good', prompts=PROMPTS[:1], key='ps-nobody').returncode, 5)

    def test_two_runs_agree(self):
        """What is the same each time is the same; what is measured differs by no more than is stated."""
        def agree():
            runs = [self.bench_json('--models', 'good,fair', '--repeat', 5, prompts=PROMPTS[:3])[1] for _ in range(2)]
            for name in ('good', 'fair'):
                a, b = runs[0][name], runs[1][name]
                self.assertEqual((a['score'], a['cost_usd'], a['output_tokens']), (b['score'], b['cost_usd'], b['output_tokens']))
            intervals = [[r[name][what]['p50_95_confidence'] for r in runs] for name in ('good', 'fair')
                         for what in ('latency_ms', 'first_token_ms')]
            return all(a['low'] <= b['high'] and b['low'] <= a['high'] for a, b in intervals)
        self.assertTrue(any(agree() for _ in range(5)), 'two runs after each other, five times')

    def test_concurrency(self):
        self.bench_json('--models', 'wait,fair', '--concurrency', 3, '--repeat', 4, '--warmup', 0, prompts=PROMPTS[:3])
        self.assertEqual(self.fake.most['good'], 3)
        self.assertLessEqual(self.fake.most['fair'], 3)

    def test_plain_text_and_all_models(self):
        """Those that the key may use, of which the list tells."""
        key = self.server.create_key('--models', 'good,fair')['key']
        _, models = self.bench_json(prompts=self.write('free\n\n  sea?  \n', 'prompts.txt'), key=key)
        self.assertEqual({name: (m['calls'], m['score']) for name, m in models.items()},
                         {'good': (2, {'n': 0}), 'fair': (2, {'n': 0})})
        self.assertEqual([s['prompt'] for s in models['good']['samples']], ['1', '3'])

    def test_table(self):
        done = self.bench('--models', 'good,fair', prompts=PROMPTS[:3])
        self.assertEqual(done.returncode, 0, done.stderr)
        rows = [line.split() for line in done.stdout.strip().split('\n')]
        self.assertEqual(rows[0], ['MODEL', 'OK', 'SCORE', 'P50', 'P95', 'TTFT', 'TOK/S', '$'])
        self.assertEqual([row[:3] for row in rows[1:]], [['good', '3/3', '1.00'], ['fair', '3/3', '0.33']])
        self.assertIn('95 % confidence', done.stderr)
        self.assertIn('too few calls', done.stderr)
        self.assertIn('fewer than 20', done.stderr)
        self.assertEqual(self.bench('--models', 'good', '--quiet', prompts=PROMPTS[:1]).stderr, '')

    def test_interrupt(self):
        args = [BINARY, 'bench', 'models', '--prompts', self.write(PROMPTS[:3]), '--models', 'good,endless', '--json']
        process = subprocess.Popen(args, env=self.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        # Who asks for the next has had the three before it, and the one to warm up.
        self.fake.wait(lambda: len([s for s in self.fake.seen if 'delay' in str((s.json or {}).get('model'))]) >= 5)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
        self.assertEqual(process.returncode, 130, err)
        result = json.loads(out)
        models = {m['model']: m for m in result['models']}
        self.assertTrue(result['interrupted'])
        self.assertEqual((models['good']['calls'], models['good']['score']['mean']), (3, 1))
        self.assertEqual((models['endless']['calls'], models['endless']['failed']), (0, 0))

    def test_report(self):
        path = os.path.join(self.server.folder, 'report.html')
        done = self.bench('--models', 'good,fair,ill', '--judge', 'judge', '--html', path, '--repeat', 2)
        self.assertEqual(done.returncode, 7, done.stderr)
        with open(path, encoding='utf-8') as f:
            text = f.read()
        opened, attributes = [], []

        class Reader(html.parser.HTMLParser):
            def handle_starttag(self, tag, attrs):
                attributes.extend((tag, *a) for a in attrs)
                if tag not in ('meta', 'path', 'rect', 'circle'):
                    opened.append(tag)

            def handle_startendtag(self, tag, attrs):
                attributes.extend((tag, *a) for a in attrs)

            def handle_endtag(self, tag):
                assert opened.pop() == tag, tag
        Reader().feed(text)
        self.assertEqual(opened, [])
        self.assertGreaterEqual(text.count('<svg'), 6)
        self.assertNotIn('<script', text)
        self.assertIn('&lt;script&gt;&amp;&quot;', text)
        self.assertNotRegex(text, r'https?:|//|url\(|@import|<link|<img|<iframe')
        self.assertFalse([a for a in attributes if a[1] in ('src', 'href', 'style') or a[1].startswith('on')])
        self.assertNotRegex(text, r'\bnan\b|\binf\b|-nan')
        self.assertIn('prefers-color-scheme:dark', text)
        self.assertIn('status 503', re.sub('<[^>]*>', '', text))

    def test_wrong(self):
        one = json.dumps(PROMPTS[0]) + '\n'
        for text, part in (('', 'no prompt'), (one + '{"id"', 'line 2 is no JSON'), ('{}', 'line 1, prompt: '),
                           (one + '{"prompt": "x", "regex": "("}', 'line 2, regex: '), (one + one, 'line 2, id: '),
                           ('{"prompt": "x", "schema": {"type": "txt"}}', 'line 1, schema: '),
                           ('{"prompt": "x", "colour": 1}', 'line 1, colour: ')):
            done = self.bench('--models', 'good', prompts=self.write(text, 'wrong.jsonl'))
            self.assertEqual(done.returncode, 2, text)
            self.assertIn(part, done.stderr, text)
        self.assertEqual(self.fake.seen, [], 'nothing was asked')
        for args, part in ((('--models', 'good'), '--judge'), (('--repeat', '0'), '--repeat'),
                           (('--concurrency', '65'), '--concurrency'), (('--models', ','), '--models')):
            done = self.bench(*args, prompts=[{'prompt': 'x', 'judge': True}] if '--judge' in part else PROMPTS[:1])
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn(part, done.stderr)
        self.assertEqual(run_cli('bench', 'models', env=self.environment()).returncode, 2)
        done = run_cli('bench', 'models', '--prompts', '/nowhere', env=self.environment())
        self.assertEqual(done.returncode, 4, done.stderr)


if __name__ == '__main__':
    main()
