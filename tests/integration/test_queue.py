#!/usr/bin/env python3
# Limits of targets and the queue for room at them: what the provider sees, who waits, in what order, and who is refused.
import threading
import time

from harness import Suite, chat_body, eventually, fake_provider, in_parallel, main, request_bytes


def limited(name, delay, limits, routing=None, **more):
    return {'name': name, 'targets': [{'provider': 'fake', 'model': f'{name};delay={delay}', 'limits': limits, **more}],
            'routing': {'retry': {'attempts': 1}, **(routing or {})}}


class Queues(Suite):
    workers = 1

    @classmethod
    def config(cls):
        one = {'concurrency': 1}
        return {
            'providers': [fake_provider(cls.fake), fake_provider(cls.fake, 'whole', limits=one),
                          fake_provider(cls.fake, 'counted', limits={'requests_per_minute': 3}),
                          fake_provider(cls.fake, 'shared', limits=one), fake_provider(cls.fake, 'apart', limits=one)],
            'models': [
                limited('narrow', 60, {'concurrency': 2}, {'queue': {'max_wait': '15s'}}),
                limited('slow', 450, one, {'queue': {'max_wait': '15s', 'max_length': 100}}),
                limited('short', 500, one, {'queue': {'max_wait': '15s', 'max_length': 2}}),
                limited('refuses', 600, one),
                limited('few', 400, one, {'queue': {'max_wait': '15s', 'max_length': 3}}),
                *({'name': name, 'strategy': 'priority', 'routing': {'queue': {'max_wait': wait}}, 'targets': [
                    {'provider': 'fake', 'model': f'{name};status=500'},
                    {'provider': 'fake', 'model': 'second;delay=500', 'limits': one}]}
                  for name, wait in (('patient', '15s'), ('impatient', '0s'))),
                limited('wordy', 0, {'tokens_per_minute': 3500}, {'queue': {'max_wait': '90s'}}),
                {'name': 'falls-on-wordy', 'strategy': 'priority', 'targets': [
                    {'provider': 'fake', 'model': 'sick;status=500'},
                    {'provider': 'fake', 'model': 'wordy;delay=0', 'limits': {'tokens_per_minute': 3500}}]},
                *({'name': f'shared-{i}', 'routing': {'queue': {'max_wait': '15s', 'max_length': 6}}, 'targets': [
                    {'provider': 'shared', 'model': f'shared-{i};delay=100', 'tags': ['a', 'b', 'c'][:i]}]} for i in (1, 2, 3)),
                {'name': 'either', 'strategy': 'priority', 'routing': {'queue': {'max_wait': '15s', 'max_length': 2}}, 'targets': [
                    {'provider': name, 'model': 'either;delay=400'} for name in ('shared', 'apart')]},
                {'name': 'apart', 'routing': {'queue': {'max_wait': '15s', 'max_length': 2}}, 'targets': [
                    {'provider': 'apart', 'model': 'apart;delay=400'}]},
                limited('second', 500, one, {'queue': {'max_wait': '15s'}}),
                limited('minute', 0, {'requests_per_minute': 5}),
                limited('minute-queued', 0, {'requests_per_minute': 5}, {'queue': {'max_wait': '5s'}}),
                limited('minute-counted', 0, {'requests_per_minute': 5}, {'queue': {'max_wait': '5s'}}),
                limited('words', 0, {'tokens_per_minute': 3500}, {'queue': {'max_wait': '1s'}}),
                {'name': 'told', 'targets': [{'provider': 'fake', 'model': 'told;status=429;retry_after=1'}],
                 'routing': {'queue': {'max_wait': '15s'}, 'retry': {'attempts': 1}}},
                *({'name': name, 'targets': [{'provider': 'counted', 'model': f'{name};delay={delay}', **more}]}
                  for name, delay, more in (('busy', 500, {'limits': one}), ('idle', 0, {}))),
                {'name': 'mixed', 'strategy': 'priority', 'targets': [
                    {'provider': 'whole', 'model': 'mixed;delay=500'},
                    {'provider': 'fake', 'model': 'small', 'limits': {'tokens_per_minute': 10}, 'priority': 1}]},
                *({'name': name, 'targets': [{'provider': 'fake', 'model': 'both;delay=800', 'limits': one}],
                   'routing': {'queue': {'max_wait': '15s'}, **more}}
                  for name, more in (('calm', {}), ('hasty', {'timeouts': {'total': '300ms'}}))),
                *({'name': f'part-{i}', 'targets': [{'provider': 'whole', 'model': f'part-{i};delay=60'}],
                   'routing': {'queue': {'max_wait': '15s'}}} for i in (1, 2)),
            ],
            'auth': {'required': False},
            'log': {'level': 'debug', 'format': 'json'},
        }

    def texts(self):
        return [seen.json['messages'][-1]['content'] for seen in self.fake.seen if seen.json]

    def arrivals(self):
        return sorted(seen.at for seen in self.fake.seen)

    def chat(self, model, text='Hello', key=None, **headers):
        fields = {name.replace('_', '-'): value for name, value in headers.items()}
        return self.server.post('/v1/chat/completions', chat_body(model, text), headers=fields, key=key, timeout=60)

    def send(self, model, text, key=None, headers=None):
        """A request that is under way; its answer is read later."""
        conn = self.server.conn(timeout=60)
        self.addCleanup(conn.close)
        return conn.send(request_bytes('POST', '/v1/chat/completions', chat_body(model, text), headers=headers, key=key))

    def in_order(self, *requests):
        """Sends them one behind the other, while the first is under way."""
        conns = []
        for request in requests:
            conns.append(self.send(*request))
            time.sleep(0.03)
        return conns

    def test_concurrency(self):
        replies = in_parallel(12, lambda _: self.chat('narrow'))
        self.assertEqual([r.status for r in replies], [200] * 12)
        at = self.arrivals()
        for i in range(2, 12):
            self.assertGreaterEqual(at[i] - at[i - 2], 0.06)  # never three at a time

    def test_of_a_provider(self):
        """Two models share it: neither starves."""
        replies = in_parallel(12, lambda i: self.chat(f'part-{1 + i % 2}'))
        self.assertEqual([r.status for r in replies], [200] * 12)
        at = self.arrivals()
        for i in range(1, 12):
            self.assertGreaterEqual(at[i] - at[i - 1], 0.06)

    def test_without_queue(self):
        first, second = self.in_order(('refuses', 'first'), ('refuses', 'second'))
        refused = second.read()
        self.check_error(refused, 429, 'rate_limit_exceeded')
        self.assertEqual(refused.header('retry-after'), '1')
        self.assertEqual(first.read().status, 200)

    def test_minute(self):
        for model in ('minute', 'minute-queued'):  # a minute is not waited for
            with self.subTest(model):
                self.fake.reset()
                replies = in_parallel(9, lambda _, model=model: self.chat(model))
                self.assertEqual(sorted(r.status for r in replies), [200] * 5 + [429] * 4)
                self.assertEqual(len(self.fake.seen), 5)
                for refused in (r for r in replies if r.status == 429):
                    self.assertIn(int(refused.header('retry-after')), range(50, 63))
                    self.assertIn('try again soon', refused.error()['message'])
                    self.assertNotIn(' ms', refused.error()['message'])  # it was refused at once

    def test_what_is_not_sent_takes_nothing(self):
        """Calls that a target refuses are not in its provider's minute."""
        first = self.send('busy', 'first')
        self.assertTrue(self.fake.wait(lambda: self.fake.seen))
        self.assertEqual([self.chat('busy').status for _ in range(5)], [429] * 5)
        self.assertEqual([self.chat('idle').status for _ in range(2)], [200] * 2)
        self.assertEqual(first.read().status, 200)
        self.assertEqual(self.chat('idle').status, 429)

    def test_busy_is_not_too_large(self):
        """One target has no room now, the other never has any for it: later there will be some."""
        first = self.send('mixed', 'first')
        self.assertTrue(self.fake.wait(lambda: self.fake.seen))
        self.check_error(self.chat('mixed', 'word ' * 100), 429, 'rate_limit_exceeded')
        self.assertEqual(first.read().status, 200)

    def test_not_beyond_the_time_for_all(self):
        """Nothing is sent for a request whose time was over while it waited."""
        first, hasty = self.in_order(('calm', 'first'), ('hasty', 'second'))
        self.check_error(hasty.read(), 429, 'rate_limit_exceeded')
        self.assertEqual(first.read().status, 200)
        self.assertEqual(self.chat('calm', 'last').status, 200)
        self.assertEqual(self.texts(), ['first', 'last'])

    def test_tokens(self):
        big = 'word ' * 1500
        self.assertEqual(self.chat('words', big).status, 200)
        self.check_error(self.chat('words', big), 429, 'rate_limit_exceeded')
        self.assertEqual(len(self.fake.seen), 1)
        self.assertEqual(self.chat('words', 'word ' * 9000).status, 413)

    def test_bounded(self):
        conns = self.in_order(*(('short', f'{i}') for i in range(7)))
        replies = [conn.read() for conn in conns]
        self.assertEqual([r.status for r in replies], [200] * 3 + [429] * 4)
        for refused in replies[3:]:
            self.check_error(refused, 429, 'rate_limit_exceeded')
            self.assertIn('too many', refused.error()['message'])
            self.assertEqual(refused.header('retry-after'), '1')
        self.assertEqual(self.texts(), ['0', '1', '2'])

    def counted(self):
        """What the queue's metrics say, summed up by their names' last words."""
        found = {k: v for k, v in self.server.metrics().items() if k.startswith('penstock_queue_')}
        wait = 'penstock_queue_wait_seconds_count{class="normal",result="%s"}'
        return {'length': sum(v for k, v in found.items() if k.startswith('penstock_queue_length')),
                **{r: found.get(wait % r, 0) for r in ('served', 'late', 'gone')},
                'seconds': found.get('penstock_queue_wait_seconds_sum{class="normal",result="served"}', 0),
                'full': found.get('penstock_queue_refused_total{model="short",reason="full"}', 0),
                'no room': found.get('penstock_queue_refused_total{model="minute-counted",reason="no_room"}', 0),
                'refused late': found.get('penstock_queue_refused_total{model="slow",reason="late"}', 0)}

    def test_metrics(self):
        before = self.counted()
        conns = self.in_order(*(('short', f'{i}') for i in range(4)))
        self.assertEqual(self.counted()['length'], 2)
        self.assertEqual([conn.read().status for conn in conns], [200] * 3 + [429])
        first, _late, gone = self.in_order(('slow', 'a'), ('slow', 'b', None, {'x-penstock-max-wait': '200ms'}), ('slow', 'c'))
        gone.close()
        self.assertEqual(first.read().status, 200)
        for i in range(6):
            self.chat('minute-counted', f'{i}')
        after = self.counted()
        self.assertEqual({k: after[k] - before[k] for k in after if k != 'seconds'},
                         {'length': 0, 'served': 2, 'late': 1, 'gone': 1, 'full': 1, 'no room': 1, 'refused late': 1})
        self.assertGreater(after['seconds'] - before['seconds'], 0.4)
        known = {m['name'] for m in self.config()['models']}
        for name in self.server.metrics():
            if name.startswith('penstock_queue_refused'):
                self.assertIn(name.split('model="')[1].split('"')[0], known)

    def test_order(self):
        high, low = (self.server.create_key(f'tags=priority={p}')['key'] for p in ('high', 'low'))
        less = {'x-penstock-priority': 'low'}
        more = {'x-penstock-priority': 'high'}
        plain = self.server.create_key()['key']
        conns = self.in_order(('slow', 'first', plain), ('slow', 'low', low), ('slow', 'lowered', high, less),
                              ('slow', 'not raised', plain, more), ('slow', 'high', high))
        self.assertEqual([conn.read().status for conn in conns], [200] * 5)
        self.assertEqual(self.texts()[:3], ['first', 'high', 'not raised'])
        self.assertEqual(set(self.texts()[3:]), {'low', 'lowered'})

    def test_keys_in_turns(self):
        one, other = (self.server.create_key()['key'] for _ in range(2))
        conns = self.in_order(*(('slow', f'one {i}', one) for i in range(4)), ('slow', 'other', other))
        self.assertEqual([conn.read().status for conn in conns], [200] * 5)
        self.assertEqual(self.texts(), ['one 0', 'one 1', 'other', 'one 2', 'one 3'])

    def test_places(self):
        """Who comes when all places are taken takes one of the key that has most."""
        one, other = (self.server.create_key()['key'] for _ in range(2))
        conns = self.in_order(*(('few', f'one {i}', one) for i in range(5)), ('few', 'other', other))
        replies = [conn.read() for conn in conns]
        self.assertEqual([r.status for r in replies], [200, 200, 200, 429, 429, 200])
        for refused in replies[3:5]:
            self.check_error(refused, 429, 'rate_limit_exceeded')
            self.assertIn('too many', refused.error()['message'])
            self.assertEqual(refused.header('retry-after'), '1')
        self.assertEqual(self.texts(), ['one 0', 'one 1', 'other', 'one 2'])

    def test_no_more_turns_for_other_names(self):
        """A provider's room is shared evenly, by whatever models, fallbacks and headers a key asks for it."""
        one, other = (self.server.create_key()['key'] for _ in range(2))
        ways = [(f'shared-{i}', {'x-penstock-fallbacks': ', '.join(f'shared/f{k};delay=100' for k in range(n)),
                                 **({'x-penstock-tags': 'a'} if n % 2 else {})}) for i in (1, 2, 3) for n in range(3)]
        conns = self.in_order(('shared-1', 'first', one), *((model, f'one {i}', one, h) for i, (model, h) in enumerate(ways)),
                              *(('shared-1', f'other {i}', other) for i in range(2)))
        statuses = [conn.read().status for conn in conns]
        served = [text.split()[0] for text in self.texts()]
        at = served.index('other')
        self.assertEqual(statuses.count(200), len(self.texts()))
        self.assertEqual(statuses[-2:], [200, 200])
        self.assertLessEqual(len(self.texts()), 10, self.texts())  # 6 may wait, and some were served meanwhile
        self.assertEqual(served[at:at + 3], ['other', 'one', 'other'])

    def test_places_elsewhere(self):
        """Where one of the targets has no place left, the other is waited for."""
        one, other = (self.server.create_key()['key'] for _ in range(2))
        full = self.in_order(('apart', 'apart', one), ('shared/slow;delay=800', 'shared', one), *(('apart', f'{i}', one) for i in range(2)))
        either = self.in_order(*(('either', f'either {i}', one) for i in range(3)))
        theirs = self.send('apart', 'theirs', other)
        self.assertEqual([conn.read().status for conn in (*full, *either)], [200, 200, 200, 429, 200, 200, 429])
        self.assertEqual(theirs.read().status, 200)
        self.assertEqual(len(self.fake.seen), 6)

    def test_places_of_lower_classes(self):
        high, low = (self.server.create_key(f'tags=priority={p}')['key'] for p in ('high', 'low'))
        conns = self.in_order(*(('few', f'low {i}', low) for i in range(4)), *(('few', f'high {i}', high) for i in range(2)))
        self.assertEqual([conn.read().status for conn in conns], [200, 200, 429, 429, 200, 200])
        self.assertEqual(self.texts(), ['low 0', 'high 0', 'high 1', 'low 1'])

    def test_who_has_failed_elsewhere(self):
        """It waits for the next target as others do, behind higher classes, and where it may not wait it has failed."""
        high, low = (self.server.create_key(f'tags=priority={p}')['key'] for p in ('high', 'low'))
        first, waits, failed = self.in_order(('second', 'first', high), ('second', 'high', high), ('patient', 'low', low))
        self.assertEqual(self.chat('impatient', 'refused', key=low).status, 500)
        replies = [conn.read() for conn in (first, waits, failed)]
        self.assertEqual([r.status for r in replies], [200] * 3)
        self.assertEqual(replies[2].header('x-penstock-attempts'), '2')
        seen = [s.json['messages'][-1]['content'] for s in self.fake.seen if s.json['model'].startswith('second')]
        self.assertEqual(seen, ['first', 'high', 'low'])

    def test_who_has_failed_elsewhere_yields(self):
        """There would be room for it, but not yet for one of a higher class that waits."""
        high, low = (self.server.create_key(f'tags=priority={p}')['key'] for p in ('high', 'low'))
        self.assertEqual(self.chat('wordy', 'word ' * 1500).status, 200)
        waits = self.send('wordy', 'word ' * 1500, high)
        length = 'penstock_queue_length{class="high"}'
        self.assertTrue(eventually(lambda: self.server.metrics().get(length) == 1))
        self.assertEqual(self.chat('falls-on-wordy', key=low).status, 500)
        self.assertEqual(self.chat('falls-on-wordy', key=high).status, 200)  # of its own class it is not behind
        waits.close()
        self.assertTrue(eventually(lambda: self.server.metrics().get(length) == 0))
        self.assertEqual(self.chat('falls-on-wordy', key=low).status, 200)

    def test_deadline(self):
        hurry = {'x-penstock-max-wait': '200ms'}
        first, late, patient = self.in_order(('slow', 'first'), ('slow', 'late', None, hurry), ('slow', 'patient'))
        refused = late.read()
        self.check_error(refused, 429, 'rate_limit_exceeded')
        self.assertRegex(refused.error()['message'], r'were at their limits for \d+ ms')
        self.assertEqual(refused.header('retry-after'), '1')
        self.assertEqual([c.read().status for c in (first, patient)], [200, 200])
        self.assertEqual(self.texts(), ['first', 'patient'])

    def test_who_leaves(self):
        first, gone, last = self.in_order(('slow', 'first'), ('slow', 'gone'), ('slow', 'last'))
        gone.close()
        self.assertEqual([c.read().status for c in (first, last)], [200, 200])
        self.assertEqual(self.texts(), ['first', 'last'])

    def test_retry_after(self):
        """A provider that asks to be left alone for a while is."""
        self.assertEqual(self.chat('told').status, 429)
        self.assertEqual(self.chat('told').status, 429)
        at = self.arrivals()
        self.assertEqual(len(at), 2)
        self.assertGreaterEqual(at[1] - at[0], 1)


class Loops(Suite):
    """Limits are the process's, whichever loop a request is on."""
    workers = 4

    @classmethod
    def config(cls):
        return {'providers': [fake_provider(cls.fake)], 'auth': {'required': False}, 'log': {'level': 'debug', 'format': 'json'},
                'models': [limited('narrow', 40, {'concurrency': 2}, {'queue': {'max_wait': '15s'}}),
                           limited('one', 100, {'concurrency': 1}, {'queue': {'max_wait': '15s', 'max_length': 20}})]}

    def test_keys_in_turns(self):
        """A key that has filled the line holds up none of those that come after it by more than a call each."""
        many, *others = [self.server.create_key()['key'] for _ in range(5)]
        conns = []

        def send(text, key):
            conns.append(self.server.conn(timeout=60))
            self.addCleanup(conns[-1].close)
            conns[-1].send(request_bytes('POST', '/v1/chat/completions', chat_body('one', text), key=key))
        for i in range(21):
            send('many', many)
        self.assertTrue(self.fake.wait(lambda: self.fake.seen))
        for i, key in enumerate(others):
            send(f'other {i}', key)
        statuses = [conn.read().status for conn in conns]
        self.assertEqual((statuses.count(200), statuses[-4:]), (21, [200] * 4))
        texts = [seen.json['messages'][-1]['content'] for seen in self.fake.seen]
        last = max(i for i, text in enumerate(texts) if text != 'many')
        self.assertLess(last, 10, texts)  # some of the others' calls begin while these are being sent

    def test_concurrency(self):
        wrong = []

        def client(_):
            with self.server.conn() as conn:
                for _ in range(4):
                    reply = conn.send(request_bytes('POST', '/v1/chat/completions', chat_body('narrow'))).read()
                    if reply.status != 200:
                        wrong.append(reply)
        threads = [threading.Thread(target=client, args=(i,)) for i in range(10)]
        for t in threads:
            t.start()
        for t in threads:
            t.join(60)
        self.assertEqual(wrong, [])
        at = sorted(seen.at for seen in self.fake.seen)
        self.assertEqual(len(at), 40)
        for i in range(2, 40):
            self.assertGreaterEqual(at[i] - at[i - 2], 0.04)


if __name__ == '__main__':
    main()
