#!/usr/bin/env python3
"""What decides whether a target may be asked at all: the hour where the tenant is."""
import datetime
import unittest
import zoneinfo

from harness import Suite, chat_body, fake_provider, main

ZONES = {'east': 'Pacific/Kiritimati', 'west': 'Pacific/Pago_Pago', 'half': 'Asia/Kolkata'}


class Hours(Suite):
    @classmethod
    def config(cls):
        def by(name, values):
            return [{'provider': 'fake', 'model': f'{name}-{v}', 'when': f'{name} == {v}'} for v in values]

        return {'providers': [fake_provider(cls.fake)],
                'models': [{'name': 'hours', 'targets': by('hour', range(24))},
                           {'name': 'minutes', 'targets': by('minute', range(60))},
                           {'name': 'days', 'targets': by('weekday', range(1, 8))}]}

    def asked(self, key, zone):
        """What was taken, and what the clocks there say before and after."""
        now = lambda: datetime.datetime.now(zone)  # noqa: E731
        told = lambda t: [f'hour-{t.hour}', f'minute-{t.minute}', f'weekday-{t.isoweekday()}']  # noqa: E731
        for _ in range(3):
            before, taken = told(now()), []
            for model in ('hours', 'minutes', 'days'):
                self.fake.reset()
                self.assertEqual(self.server.post('/v1/chat/completions', chat_body(model), key=key).status, 200)
                taken.append(self.fake.seen[-1].json['model'])
            if told(now()) == before:  # no minute has passed meanwhile
                break
        return taken, before

    def test_where_the_tenant_is(self):
        for tenant, zone in ZONES.items():
            self.assertEqual(self.server.cli('tenant', 'create', tenant).returncode, 0)
            key = self.server.create_key('--tenant', tenant)['key']
            self.assertEqual(*self.asked(key, datetime.timezone.utc))
            done = self.server.cli('tenant', 'update', tenant, f'time_zone={zone}')
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(*self.asked(key, zoneinfo.ZoneInfo(zone)))


if __name__ == '__main__':
    main()
