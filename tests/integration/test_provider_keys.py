#!/usr/bin/env python3
# Several keys for one provider: by weight, each with its limits, and others in the place of one that is refused.
import collections

from harness import Suite, chat_body, fake_provider, in_parallel, main


def provider(fake, name, *keys, **more):
    listed = [{'name': key, 'api_key': f'sk-{key}-key', **options} for key, options in keys]
    return {k: v for k, v in {**fake_provider(fake, name, **more), 'keys': listed}.items() if k != 'api_key'}


class Keys(Suite):
    workers = 2

    @classmethod
    def config(cls):
        minute = {'limits': {'requests_per_minute': 3}}
        fake = cls.fake
        providers = [
            provider(fake, 'weighted', ('one', {'weight': 3}), ('two', {'weight': 1}), ('out', {'weight': 0})),
            provider(fake, 'refused', ('bad', {'weight': 1000}), ('good', {})),
            provider(fake, 'waiting', ('busy', {'weight': 1000}), ('good', {})),
            provider(fake, 'all-bad', ('bad', {}), ('worse', {})),
            provider(fake, 'limited', ('one', minute), ('two', minute)),
            fake_provider(fake, 'other'),
        ]
        models = [{'name': p['name'], 'targets': [{'provider': p['name'], 'model': p['name']}]} for p in providers]
        models.append({'name': 'with-other', 'strategy': 'priority', 'targets': [
            {'provider': 'all-bad', 'model': 'm', 'priority': 0}, {'provider': 'other', 'model': 'm', 'priority': 1}]})
        return {'providers': providers, 'models': models, 'log': {'level': 'debug', 'format': 'json'},
                'auth': {'required': False}}

    def setUp(self):
        super().setUp()
        status = {'bad': 401, 'worse': 403, 'busy': 429, 'good': 200, 'one': 200, 'two': 200}
        self.fake.keys = {f'Bearer sk-{name}-key': code for name, code in status.items()}

    def used(self):
        return collections.Counter(seen.header('authorization')[len('Bearer sk-'):-len('-key')] for seen in self.fake.seen)

    def chat(self, model):
        return self.server.post('/v1/chat/completions', chat_body(model))

    def test_weights(self):
        for _ in range(200):
            self.assertEqual(self.chat('weighted').status, 200)
        used = self.used()
        self.assertEqual(set(used), {'one', 'two'})
        self.assertIn(used['one'], range(115, 181))  # 150, within five standard deviations

    def test_another_in_its_place(self):
        for model, spent in (('refused', 'bad'), ('waiting', 'busy')):
            with self.subTest(model):
                self.fake.reset()
                replies = [self.chat(model) for _ in range(10)]
                self.assertEqual([r.status for r in replies], [200] * 10)
                self.assertEqual(self.used()[spent], 1)  # it is left alone afterwards
                self.assertEqual(self.used()['good'], 10)
                self.assertEqual(sum(int(r.header('x-penstock-attempts', '1')) for r in replies), 11)

    def test_before_another_target(self):
        self.assertEqual(self.chat('with-other').status, 200)
        self.assertEqual([seen.header('authorization') == 'Bearer sk-fake' for seen in self.fake.seen], [False, False, True])
        self.fake.reset()
        self.assertEqual(self.chat('with-other').status, 200)
        self.assertEqual([seen.header('authorization') for seen in self.fake.seen], ['Bearer sk-fake'])

    def test_none_is_told(self):
        reply = self.chat('all-bad')
        self.assertNotEqual(reply.status, 200)
        self.assertNotIn(b'-key', reply.body)
        self.assertNotIn('sk-', self.server.log())

    def test_limits(self):
        replies = in_parallel(9, lambda _: self.chat('limited'))
        self.assertEqual(sorted(r.status for r in replies), [200] * 6 + [429] * 3)
        self.assertEqual(self.used(), {'one': 3, 'two': 3})
        for refused in (r for r in replies if r.status == 429):
            self.assertIn(int(refused.header('retry-after')), range(50, 63))

    def test_passthrough_by_name(self):
        """What is asked for by its provider's name takes turns of keys, too."""
        for _ in range(40):
            self.assertEqual(self.chat('weighted/anything').status, 200)
        self.assertEqual(set(self.used()), {'one', 'two'})


if __name__ == '__main__':
    main()
