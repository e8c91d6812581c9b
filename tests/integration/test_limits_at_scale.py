#!/usr/bin/env python3
# Limits of providers under more requests than they allow, by the provider's own log: no minute has more requests or tokens
# than the limit, Retry-After is obeyed, the queue is bounded. A minute is looked at in whole where PENSTOCK_TEST_SCALE is
# "full"; else its first seconds.
import bisect
import collections
import contextlib
import json
import os
import threading
import time
import unittest

from harness import Penstock, main, request_bytes
from recorder import Answer, Stage, completion

FULL = os.environ.get('PENSTOCK_TEST_SCALE') == 'full'
SECONDS = 75 if FULL else 3
RPM, OTHER_RPM, TPM, ITPM, OTPM, QUEUED = 60, 40, 6000, 3400, 1500, 20
TEXT = 'The sky is blue because the air scatters the light of the sun, and blue light the most. '  # 21 tokens
PAUSE = 4 if FULL else 1


def counted(up, request):
    """Notes when it came and how many tokens it took."""
    body = request.json
    prompt, output = 10 + 21 * (len(body['messages'][0]['content']) // len(TEXT)), body.get('max_tokens', 5)
    up.log.append((request.at, prompt + output))
    return Answer(completion(prompt=prompt, output=output), delay=0.02)


def apart(up, request):
    """Notes its input and its output each by itself."""
    answer = counted(up, request)
    at, tokens = up.log[-1]
    up.outputs.append((at, request.json['max_tokens']))
    up.log[-1] = (at, tokens - up.outputs[-1][1])
    return answer


def strict(up, request):
    """After five requests it wants to be left alone, and notes who does not listen."""
    up.log.append((request.at, 0))
    if request.at < up.closed_until:
        up.violations.append(f'a request {up.closed_until - request.at:.3f} s too early')
    if len(up.log) % 5:
        return Answer(completion())
    up.closed_until = request.at + PAUSE
    up.pauses += 1
    return Answer({'error': {'message': 'slow down', 'type': 'rate_limit_error'}}, 429, fields=[f'retry-after: {PAUSE}'])


def fullest_minute(log, weigh):
    """The most that 60 s of the log hold."""
    times, sums = [at for at, _ in log], [0]
    for _, tokens in log:
        sums.append(sums[-1] + (tokens if weigh else 1))
    return max((sums[bisect.bisect_left(times, at + 60)] - sums[i] for i, at in enumerate(times)), default=0)


class Limits(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stage = Stage()
        cls.addClassCleanup(cls.stage.close)
        answers = {'requests': counted, 'others': counted, 'tokens': counted, 'queued': counted, 'strict': strict,
                   'apart': apart}
        cls.ups = {name: cls.stage.upstream(name, answer) for name, answer in answers.items()}
        cls.ups['apart'].outputs = []
        cls.ups['strict'].closed_until, cls.ups['strict'].pauses = 0, 0
        limits = {'requests': {'requests_per_minute': RPM}, 'others': {'requests_per_minute': OTHER_RPM},
                  'apart': {'input_tokens_per_minute': ITPM, 'output_tokens_per_minute': OTPM},
                  'tokens': {'tokens_per_minute': TPM}, 'queued': {'requests_per_minute': RPM}}

        def model(name, *targets, **routing):
            return {'name': name, 'targets': [{'provider': t, 'model': 'm', 'limits': limits.get(t, {})} for t in targets],
                    'routing': {'retry': {'attempts': 1}, **routing}}
        cls.server = Penstock({'providers': [up.provider() for up in cls.ups.values()], 'log': {'level': 'error'}, 'models': [
            model('two', 'requests', 'others'), model('tokens', 'tokens'), model('strict', 'strict'), model('apart', 'apart'),
            model('queued', 'queued', queue={'max_wait': '70s', 'max_length': QUEUED})]}, workers=1)
        cls.addClassCleanup(cls.server.remove)
        cls.server.start()

    def request(self, model, sentences=1, **more):
        body = {'model': model, 'messages': [{'role': 'user', 'content': TEXT * sentences}], **more}
        return request_bytes('POST', '/v1/chat/completions', json.dumps(body).encode(), key=self.server.key)

    def steady(self, requests, statuses, clients=4, gap=0.05):
        """A request from each client every now and then, until the time is over."""
        end = time.monotonic() + SECONDS

        def until(_, reply):
            statuses[reply.status] += 1
            if reply.status == 429:
                self.assertGreaterEqual(int(reply.header('retry-after')), 1, reply)
            return time.monotonic() < end

        def paced():
            i = 0
            while True:
                yield requests[i % len(requests)]
                i += 1
        return threading.Thread(target=self.stage.crowd, args=(self.server.port, paced(), clients, until, gap))

    def burst(self, answers):
        def one():
            with contextlib.suppress(ConnectionError):  # some may still wait when the server ends
                answers.extend(self.stage.crowd(self.server.port, [self.request('queued')] * 200, clients=200,
                                                seen=lambda _, r: when.append(time.monotonic() - begun)))
        begun, when = time.monotonic(), []
        return threading.Thread(target=one, daemon=True), when

    def test_no_minute_has_more(self):
        seen = {name: collections.Counter() for name in ('two', 'tokens', 'strict', 'apart')}
        sizes = [self.request('tokens', n, max_tokens=m) for n, m in ((1, 20), (5, 100), (12, 7), (2, 300), (20, 50))]
        queued = []
        queue, when = self.burst(queued)
        threads = [self.steady([self.request('two')], seen['two'], clients=8), self.steady(sizes, seen['tokens']),
                   self.steady([self.request('apart', n, max_tokens=m) for n, m in ((1, 20), (5, 100), (12, 7), (2, 300), (20, 50))],
                               seen['apart']),
                   # One by one: none is under way while it is told to wait.
                   self.steady([self.request('strict')], seen['strict'], clients=1)]
        for t in [queue, *threads]:
            t.start()
        for t in threads:
            t.join(SECONDS + 60)
        if FULL:
            queue.join(60)
        most = {name: fullest_minute(up.log, name in ('tokens', 'apart')) for name, up in self.ups.items()}
        most['output'] = fullest_minute(self.ups['apart'].outputs, True)
        told = {name: len(up.log) for name, up in self.ups.items()}
        print(f'  limits: {SECONDS} s; the fullest minute has {most["requests"]} of {RPM} and {most["others"]} of {OTHER_RPM} requests, '
              f'{most["tokens"]} of {TPM} tokens, {most["apart"]} of {ITPM} of input and '
              f'{most["output"]} of {OTPM} of output, behind a queue {most["queued"]} of {RPM}; calls {told}; '
              f'asked: {({k: dict(v) for k, v in seen.items()})}', flush=True)
        for name, limit in (('requests', RPM), ('others', OTHER_RPM), ('tokens', TPM), ('queued', RPM),
                            ('apart', ITPM), ('output', OTPM)):
            self.assertLessEqual(most[name], limit, name)
            self.assertGreater(most[name], 0.8 * limit, f'{name}: the limit is not used')
        # What asks to be left alone is.
        self.assertEqual(self.ups['strict'].violations, [])
        self.assertGreater(self.ups['strict'].pauses, 1)
        self.assertEqual(set(seen['two']) | set(seen['tokens']) | set(seen['strict']) | set(seen['apart']), {200, 429})
        # Of 200 at once so many were sent, so many wait and the others were refused at once.
        if FULL:
            self.assertEqual(collections.Counter(r.status for r in queued), {200: RPM + QUEUED, 429: 200 - RPM - QUEUED})
            self.assertGreater(told['requests'], RPM, 'there was room again after the minute')
            self.assertEqual(sum(at > 50 for at in when), QUEUED)
        else:
            self.assertEqual((len(when), told['queued']), (200 - QUEUED, RPM))

    def test_counting_is_able_to_fail(self):
        log = [(0, 5), (1, 5), (59.9, 5), (60.5, 5), (61, 1)]
        self.assertEqual((fullest_minute(log, False), fullest_minute(log, True)), (3, 15))


if __name__ == '__main__':
    main()
