#!/usr/bin/env python3
# A stand-in for Azure OpenAI: the OpenAI stand-in at Azure's addresses, with Azure's key, versions and content filter.
#
# As openai_upstream.py; besides its options: filtered (the prompt is refused), cut_by_filter (the answer ends so).
import json
import re
import urllib.parse

from openai_upstream import Answer, FakeUpstream, Plan, Refused

SAFE = {k: {'filtered': False, 'severity': 'safe'} for k in ('hate', 'self_harm', 'sexual', 'violence')}
PROMPT = [{'prompt_index': 0, 'content_filter_results': {**SAFE, 'jailbreak': {'filtered': False, 'detected': False}}}]
REFUSAL = ("The response was filtered due to the prompt triggering Azure OpenAI's content management policy. Please modify "
           'your prompt and retry.')


class AzureAnswer(Answer):
    told_prompt = False

    def run(self):
        seen, fake = self.seen, self.fake
        given = seen.header('api-key') or (seen.header('authorization') or '').removeprefix('Bearer ')
        if given != fake.key or (seen.header('api-key') and seen.header('authorization')):
            if not fake.quiet:
                fake.violation(f'the key is {given!r}')
            self.whole(401, json.dumps({'error': {'code': '401', 'message': 'Access denied due to invalid subscription key '
                                                  'or wrong API endpoint.'}}).encode())
            return
        seen.headers = [(k, v) for k, v in seen.headers if k != 'authorization']
        if self.plan.has('filtered'):
            self.whole(400, json.dumps({'error': {
                'message': REFUSAL, 'type': None, 'param': 'prompt', 'code': 'content_filter', 'status': 400,
                'innererror': {'code': 'ResponsibleAIPolicyViolation', 'content_filter_result': {
                    **SAFE, 'hate': {'filtered': True, 'severity': 'high'}}}}}).encode())
            return
        super().run()

    def chunk(self, choices, counts):
        data = super().chunk(self.filter(choices), counts)
        if not self.told_prompt:  # the first event speaks of the prompt alone
            self.told_prompt = True
            first = {'choices': [], 'created': 0, 'id': '', 'model': '', 'object': '', 'prompt_filter_results': PROMPT}
            data = self.event(first) + data
        return data

    def filter(self, choices):
        out = [dict(c, content_filter_results=SAFE) for c in choices]
        for choice in out:
            if self.plan.has('cut_by_filter') and choice.get('finish_reason'):
                choice['finish_reason'] = 'content_filter'
        return out

    def whole(self, status, body, *args, **more):
        value = json.loads(body)
        if status == 200 and 'choices' in value:
            value.update(prompt_filter_results=PROMPT, choices=self.filter(value['choices']))
            body = json.dumps(value).encode()
        super().whole(status, body, *args, **more)


class AzureUpstream(FakeUpstream):
    def __init__(self, key='az-fake', version=None, **more):
        super().__init__(key=None, **more)
        self.quiet = False  # a wrong key is no fault of the client's
        self.key, self.version = key, version  # version: of the paths of deployments; None: the newer paths

    @property
    def base_url(self):
        return f'http://{self.authority}'

    def answer(self, peer, seen):
        path, _, query = seen.path.partition('?')
        params = dict(urllib.parse.parse_qsl(query))
        pattern = r'/openai/deployments/([^/]+)/(.+)' if self.version else r'/openai/(v1)/(.+)'
        match = re.fullmatch(pattern, path)
        if not match or params.get('api-version') != self.version:
            raise Refused('no such resource: ' + seen.path)
        seen.json = json.loads(seen.body)
        seen.model = urllib.parse.unquote(match.group(1)) if self.version else seen.json['model']
        seen.path = '/' + match.group(2)
        answer = AzureAnswer(peer, seen)
        answer.plan = Plan(seen.model)
        self.told()
        answer.run()
