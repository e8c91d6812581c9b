#!/usr/bin/env python3
# A stand-in for Google's Gemini API and for Vertex AI: it refuses what the real ones refuse, and answers in their shapes.
#
# In a test: GeminiUpstream().start(), then as openai_upstream.py; VertexUpstream() wants access tokens, which its own
# endpoint /token gives for a signed claim. By itself: gemini_upstream.py [--port N].
#
# How to answer is said by the model's name, as there: "anything;option=value;flag". Besides delay, status, retry_after,
# fault, when, events, gap, words, write, html, echo and type:
#   tools: calls the first function    parallel: calls it twice    noargs: calls it without arguments
#   thinking: thinks first    cache: tells of cached input    grounding: tells of sources    image: makes one
#   block: refuses the prompt    stop=REASON: why it ended    error_event: breaks off with an error    cut: no last chunk
# A request for JSON is answered with JSON. A name with gemini-3 in it stands for a model that wants signatures back.
import argparse
import base64
import json
import os
import re
import subprocess
import tempfile
import threading
import time
from urllib.parse import parse_qs, unquote

from openai_upstream import WORDS, Answer, FakeUpstream, Plan, json_text

SIGNATURE = 'EpYBCpMBAdHtim9+ab/cDE12=='
STAND_IN = 'skip_thought_signature_validator'
ARGUMENTS = {'city': 'Zürich', 'unit': '°C', 'n': 1.5}
THOUGHTS = ['**The "tide"**\n', ' Then the moon 🌊.']
STATUS = {400: 'INVALID_ARGUMENT', 401: 'UNAUTHENTICATED', 403: 'PERMISSION_DENIED', 404: 'NOT_FOUND',
          429: 'RESOURCE_EXHAUSTED', 500: 'INTERNAL', 503: 'UNAVAILABLE', 504: 'DEADLINE_EXCEEDED'}
TOP = {'contents', 'systemInstruction', 'tools', 'toolConfig', 'generationConfig', 'safetySettings', 'cachedContent'}
CONFIG = {'temperature', 'topP', 'topK', 'candidateCount', 'maxOutputTokens', 'stopSequences', 'seed', 'presencePenalty',
          'frequencyPenalty', 'responseMimeType', 'responseSchema', 'responseJsonSchema', 'responseModalities',
          'speechConfig', 'thinkingConfig', 'mediaResolution', 'responseLogprobs', 'logprobs'}
PART = {'text', 'thought', 'thoughtSignature', 'inlineData', 'fileData', 'functionCall', 'functionResponse',
        'executableCode', 'codeExecutionResult', 'videoMetadata'}
DATA = PART - {'thought', 'thoughtSignature', 'videoMetadata'}
SCHEMA = {'type', 'format', 'title', 'description', 'nullable', 'enum', 'items', 'minItems', 'maxItems', 'minLength',
          'maxLength', 'minimum', 'maximum', 'pattern', 'properties', 'required', 'anyOf', 'propertyOrdering', 'example',
          'minProperties', 'maxProperties', 'default'}
TYPES = {'STRING', 'NUMBER', 'INTEGER', 'BOOLEAN', 'ARRAY', 'OBJECT', 'NULL'}
NAME = re.compile(r'^[a-zA-Z_][a-zA-Z0-9_.:-]{0,127}$')


class Wrong(Exception):
    """The real API would answer 400 with this message."""


def need(condition, message):
    if not condition:
        raise Wrong(message)


def known(where, value, names):
    need(isinstance(value, dict), f'Invalid value at \'{where}\'')
    for name in value:
        need(name in names, f'Invalid JSON payload received. Unknown name "{name}" at \'{where}\': Cannot find field.')


class Check:
    """One request, looked at as the real API does."""

    def __init__(self, q, name, vertex):
        self.q, self.vertex = q, vertex
        found = re.search(r'gemini-(\d+)(?:\.(\d))?', name)
        self.version = (int(found[1]), int(found[2] or 0)) if found else (2, 5)

    def run(self):
        q = self.q
        known('', q, TOP | ({'labels'} if self.vertex else set()))
        need(q.get('contents'), 'GenerateContentRequest.contents: contents is not specified')
        self.contents()
        self.tools()
        config = q.get('generationConfig', {})
        known('generation_config', config, CONFIG)
        need(len(config.get('stopSequences', [])) <= 5, 'stop_sequences: at most 5')
        if 'responseSchema' in config:
            self.schema('generation_config.response_schema', config['responseSchema'])
        need(not ({'responseSchema', 'responseJsonSchema'} & set(config)) or
             config.get('responseMimeType') == 'application/json', 'response_schema needs response_mime_type')
        functions = any('functionDeclarations' in t for t in q.get('tools', []))
        need(not functions or self.version >= (3, 0) or config.get('responseMimeType') != 'application/json',
             "Function calling with a response mime type: 'application/json' is unsupported")
        self.thinking(config.get('thinkingConfig', {}))

    def thinking(self, thinking):
        known('generation_config.thinking_config', thinking, {'includeThoughts', 'thinkingBudget', 'thinkingLevel'})
        need(not thinking or self.version >= (2, 5), 'Thinking is not supported for this model')
        need(not ('thinkingLevel' in thinking and 'thinkingBudget' in thinking), 'thinking_budget and thinking_level')
        need('thinkingLevel' not in thinking or self.version >= (3, 0), 'Thinking level is not supported for this model.')
        need(-1 <= thinking.get('thinkingBudget', 0) <= 32768, 'The thinking budget is invalid.')

    def contents(self):
        calls = None  # of the model's last turn
        for i, content in enumerate(self.q['contents']):
            where = f'contents[{i}]'
            known(where, content, {'role', 'parts'})
            role = content.get('role', 'user' if not self.vertex else None)
            need(role in ('user', 'model'), 'Please use a valid role: user, model.')
            need(content.get('parts'), f'{where}.parts must not be empty.')
            for k, part in enumerate(content['parts']):
                self.part(f'{where}.parts[{k}]', part)
            results = [p['functionResponse'] for p in content['parts'] if 'functionResponse' in p]
            if results:
                need(role == 'user' and calls is not None and len(calls) == len(results),
                     'Please ensure that the number of function response parts is equal to the number of function call '
                     'parts of the function call turn.')
                need([c['name'] for c in calls] == [r['name'] for r in results], 'function response parts: other names')
                need(len(results) == len(content['parts']) or self.version < (3, 0), 'parts beside function responses')
                calls = None
            else:
                need(not calls, 'Please ensure that function response turn comes immediately after a function call turn.')
                calls = [p['functionCall'] for p in content['parts'] if 'functionCall' in p] if role == 'model' else None
                need(not calls or i > 0, 'Please ensure that function call turn comes immediately after a user turn or '
                     'after a function response turn.')
            if calls and self.version >= (3, 0):
                first = next(p for p in content['parts'] if 'functionCall' in p)
                need(first.get('thoughtSignature') in (SIGNATURE, SIGNATURE.rstrip('=').replace('+', '-').replace('/', '_'),
                                                       STAND_IN),
                     'Function call is missing a thought_signature in functionCall parts.')

    def part(self, where, part):
        known(where, part, PART)
        need(len(DATA & set(part)) == 1, f"{where}.data: required oneof field 'data' must have one initialized field")
        need(not self.vertex or part.get('text') != '', 'Unable to submit request because it must have a text parameter.')
        for kind in ('functionCall', 'functionResponse'):
            if kind not in part:
                continue
            call = part[kind]
            known(f'{where}.{kind}', call, {'name', 'args', 'response', 'parts'} | ({'id'} if not self.vertex else set()))
            need(NAME.match(call.get('name', '')), f'{where}.{kind}.name: invalid')
            need(isinstance(call.get('args', {}), dict) and isinstance(call.get('response', {}), dict), f'{where}: Struct')
        if 'inlineData' in part:
            known(where + '.inline_data', part['inlineData'], {'mimeType', 'data', 'displayName'})
            need(re.match(r'^[a-z]+/[a-z0-9.+-]+', part['inlineData'].get('mimeType', '')), 'Unsupported MIME type')
            try:
                data = base64.b64decode(part['inlineData']['data'], validate=True)
            except ValueError:
                raise Wrong('Base64 decoding failed') from None
            need(data[:4] != b'\x89PNG' or part['inlineData']['mimeType'] == 'image/png', 'Provided image is not valid')
        if 'fileData' in part:
            uri = part['fileData']['fileUri']
            web = not uri.startswith('gs://') and 'generativelanguage' not in uri and 'youtu' not in uri
            need(not web or self.vertex or self.version >= (2, 5), 'Invalid or unsupported file uri: ' + uri)
            need(not self.vertex or part['fileData'].get('mimeType'), 'mimeType is required')

    def tools(self):
        names = set()
        for i, tool in enumerate(self.q.get('tools', [])):
            known(f'tools[{i}]', tool, {'functionDeclarations', 'googleSearch', 'codeExecution', 'urlContext'})
            for f in tool.get('functionDeclarations', []):
                known(f'tools[{i}].function_declarations', f, {'name', 'description', 'parameters', 'parametersJsonSchema',
                                                               'response', 'behavior'})
                need(NAME.match(f.get('name', '')), f'tools[{i}].function_declarations.name: Invalid function name')
                need(f['name'] not in names, 'Duplicate function declaration found: ' + f['name'])
                names.add(f['name'])
                if 'parameters' in f:
                    self.schema('parameters', f['parameters'])
        choice = self.q.get('toolConfig', {}).get('functionCallingConfig', {})
        need(choice.get('mode', 'AUTO') in ('AUTO', 'ANY', 'NONE', 'VALIDATED'), 'function_calling_config.mode: invalid')
        need(set(choice.get('allowedFunctionNames', [])) <= names, 'allowed_function_names: not declared')
        need(not choice or names, 'Function calling config is set without function_declarations.')

    def schema(self, where, schema):
        known(where, schema, SCHEMA)
        if 'anyOf' in schema:
            need(set(schema) <= {'anyOf', 'description', 'nullable', 'title'}, where + ': any_of must be the only field set')
        else:
            need(schema.get('type') in TYPES, f'{where}.type: Invalid value')
        need(schema.get('type') != 'ARRAY' or 'items' in schema, where + '.items: missing field.')
        need('enum' not in schema or schema['type'] == 'STRING', where + '.enum: only allowed for STRING type')
        need(set(schema.get('required', [])) <= set(schema.get('properties', {})), where + '.required: not defined')
        for inner in list(schema.get('properties', {}).values()) + schema.get('anyOf', []) + \
                ([schema['items']] if 'items' in schema else []):
            self.schema(where, inner)


class GeminiAnswer(Answer):
    def head(self, status, fields, length=None):
        super().head(status, [('server-timing', 'gfet4t7; dur=1')] + list(fields), length)

    def error(self, status, message, fields=()):
        if self.plan.has('html'):
            super().error(status, message, fields)
            return
        if self.plan.has('echo'):
            message += ': ' + (self.seen.header('x-goog-api-key') or self.seen.header('authorization') or '')
        error = {'code': status, 'message': message, 'status': STATUS.get(status, 'UNKNOWN')}
        if self.plan.has('retry_info'):
            error['details'] = [{'@type': 'type.googleapis.com/google.rpc.RetryInfo',
                                 'retryDelay': self.plan.text('retry_info') + 's'}]
        value = {'error': error}
        self.whole(status, json_text([value] if self.action.startswith('stream') else value).encode(), fields=fields)

    def authorized(self):
        key = self.seen.header('x-goog-api-key')
        if key == self.fake.key and not self.seen.header('authorization'):
            return True
        self.fake.violation(f'x-goog-api-key is {key!r}')
        self.error(400, 'API key not valid. Please pass a valid API key.')
        return False

    def run(self, action):
        plan, seen = self.plan, self.seen
        self.action = action
        if not self.authorized():
            return
        self.peer.step = plan.number('write')
        self.peer.watch(plan.number('delay') / 1000)
        fault = plan.text('fault')
        if fault and plan.text('when', 'request') == 'request':
            self.fail(fault)
        if plan.has('status'):
            fields = [('Retry-After', plan.text('retry_after'))] if plan.has('retry_after') else []
            messages = {503: 'The model is overloaded. Please try again later.', 400: 'The input token count (1100000) '
                        'exceeds the maximum number of tokens allowed (1048576).'}
            message = messages.get(plan.number('status'), 'The fake was told to fail')
            if plan.has('tell'):  # what it was sent
                message += ' ' + (seen.header('authorization') or '')
            self.error(plan.number('status'), message, fields)
            return
        kinds = {'generateContent': self.generate, 'streamGenerateContent': self.stream, 'countTokens': self.count,
                 'embedContent': self.embed, 'batchEmbedContents': self.embed_batch, 'predict': self.predict}
        try:
            if action not in kinds or (action == 'predict') != self.fake.vertex and action not in (
                    'generateContent', 'streamGenerateContent', 'countTokens'):
                self.error(404, f'{action} is not found')
                return
            if action.lower().endswith('generatecontent'):
                Check(seen.json, plan.name, self.fake.vertex).run()
            kinds[action]()
        except (Wrong, KeyError) as wrong:
            if not plan.has('loose'):
                self.fake.violation('the real API would refuse: ' + repr(wrong))
            self.error(400, str(wrong))

    def early_error(self, kind):
        code, status = {'overloaded': (503, 'UNAVAILABLE'), 'limit': (429, 'RESOURCE_EXHAUSTED'),
                        'invalid': (400, 'INVALID_ARGUMENT')}[kind]
        return {'error': {'code': code, 'message': self.said(f'The fake says: {kind}'), 'status': status}}

    def early_prelude(self):
        return b': PROCESSING\n\n'

    # --- what is answered ---

    def counts(self, words):
        """In, out, cached, reasoning, as all of them see it."""
        plan = self.plan
        thoughts = 7 if plan.has('thinking') else 0
        tokens_in = 3 + len(json.dumps(self.seen.json.get('contents', ''))) // 4
        return tokens_in + (2000 if plan.has('cache') else 0), words + 2 + thoughts, \
            2000 if plan.has('cache') else 0, thoughts

    @staticmethod
    def usage(counts):
        usage = {'promptTokenCount': counts[0], 'candidatesTokenCount': counts[1] - counts[3],
                 'totalTokenCount': counts[0] + counts[1],
                 'promptTokensDetails': [{'modality': 'TEXT', 'tokenCount': counts[0]}]}
        if counts[2]:
            usage['cachedContentTokenCount'] = counts[2]
        if counts[3]:
            usage['thoughtsTokenCount'] = counts[3]
        return usage

    def function(self):
        for tool in self.seen.json.get('tools', []):
            for f in tool.get('functionDeclarations', []):
                return f['name']
        return 'none'

    def parts(self):
        """The parts of the answer, as a stream tells them."""
        plan = self.plan
        config = self.seen.json.get('generationConfig', {})
        if plan.has('thinking') and config.get('thinkingConfig', {}).get('includeThoughts'):
            for thought in THOUGHTS:
                yield {'text': thought, 'thought': True}
        if plan.has('tools') or plan.has('parallel') or plan.has('noargs'):
            for i in range(2 if plan.has('parallel') else 1):
                part = {'functionCall': {'name': self.function(), 'args': {} if plan.has('noargs') else ARGUMENTS}}
                if i == 0 and 'gemini-3' in plan.name:
                    part['thoughtSignature'] = SIGNATURE
                yield part
            return
        if config.get('responseMimeType') == 'application/json':
            yield {'text': '{"tide": '}
            yield {'text': '"high"}'}
            return
        if plan.has('image'):
            yield {'inlineData': {'mimeType': 'image/png', 'data': 'iVBORw0KGgo='}}
            return
        streams = self.action.startswith('stream')
        for i in range(plan.number('events', 3) if streams else plan.number('words', 5)):
            yield {'text': WORDS[i % len(WORDS)]}

    def candidate(self, parts, reason, index=0):
        value = {'content': {'parts': parts, 'role': 'model'}, 'index': index}
        if reason:
            value['finishReason'] = reason
            if self.plan.has('grounding'):
                value['groundingMetadata'] = {'groundingChunks': [{'web': {'uri': 'https://tides.example/', 'title': 'tides'}}],
                                              'groundingSupports': [{'segment': {'endIndex': 3, 'text': 'Was'},
                                                                     'groundingChunkIndices': [0]}]}
        return value

    def chunk(self, candidates, counts):
        value = {'candidates': candidates, 'usageMetadata': self.usage(counts), 'modelVersion': self.plan.name,
                 'responseId': f'fake{self.seen.n}'}
        if self.plan.has('block'):
            value['promptFeedback'] = {'blockReason': 'PROHIBITED_CONTENT'}
            del value['candidates']
        return value

    @staticmethod
    def merged(parts):
        out = []
        for part in parts:
            if out and 'text' in part and 'text' in out[-1] and part.get('thought') == out[-1].get('thought'):
                out[-1] = {**part, 'text': out[-1]['text'] + part['text']}
            else:
                out.append(part)
        return out

    def generate(self):
        if self.plan.has('early'):
            self.early_whole()
            return
        parts = self.merged(self.parts())
        counts = self.counts(self.plan.number('words', 5))
        n = self.seen.json.get('generationConfig', {}).get('candidateCount', 1)
        answer = self.chunk([self.candidate(parts, self.plan.text('stop', 'STOP'), i) for i in range(n)], counts)
        self.whole(200, json_text(answer).encode(), 'application/json; charset=UTF-8', usage=counts)

    def count(self):
        self.whole(200, json_text({'totalTokens': self.counts(0)[0]}).encode())

    # --- streams ---

    def event(self, value):
        text = json.dumps(value, ensure_ascii=False, separators=(',', ': '))
        if self.sse:
            return f'data: {text}\r\n\r\n'.encode()
        first, self.first = self.first, False
        return (('[' if first else ',\r\n') + json.dumps(value, indent=1)).encode()

    def stream(self):
        self.sse, self.first = 'alt=sse' in self.seen.path, True
        kind = 'text/event-stream' if self.sse else 'application/json; charset=UTF-8'
        self.head(200, [('Content-Type', self.plan.text('type', kind))])
        if self.plan.has('early'):
            self.early()
            return
        parts = list(self.parts())
        counts = self.counts(len(parts))
        n = self.seen.json.get('generationConfig', {}).get('candidateCount', 1)
        for i, part in enumerate(parts):
            if self.plan.has('block'):
                break
            if self.plan.has('error_event') and i == 1:
                message = self.said('The model is overloaded.')
                self.data(self.event({'error': {'code': 503, 'message': message, 'status': 'UNAVAILABLE'}}))
                self.finish(None)
                return
            if self.plan.text('fault') and self.plan.text('when') == 'body' and i == 1:
                self.fail(self.plan.text('fault'))
            for k in range(n):
                self.data(self.event(self.chunk([self.candidate([part], None, k)], (counts[0], i + 1, counts[2], 0))))
            if self.plan.number('gap'):
                self.peer.watch(self.plan.number('gap') / 1000)
        if self.plan.has('cut'):
            self.end()
            return
        self.data(self.event(self.chunk([self.candidate([{'text': ''}], self.plan.text('stop', 'STOP'), k)
                                         for k in range(n)], counts)))
        if self.plan.text('when') == 'finish':
            self.fail(self.plan.text('fault'))
        self.finish(counts)

    def finish(self, counts):
        if not self.sse:
            self.data(b']')
        self.end(counts)

    # --- embeddings ---

    @staticmethod
    def vector(i):
        return [0.25 * (i + 1), -1.5, 0.0, 3.0]

    def embed(self):
        q = self.seen.json
        known('', q, {'model', 'content', 'taskType', 'title', 'outputDimensionality'})
        need(q['content']['parts'][0]['text'], 'content is empty')
        self.whole(200, json_text({'embedding': {'values': self.vector(0)}}).encode())

    def embed_batch(self):
        model = unquote(self.seen.path.split('/')[-1].split(':')[0])
        need(len(self.seen.json['requests']) <= 100, 'at most 100 requests can be in one batch')
        for q in self.seen.json['requests']:
            known('requests', q, {'model', 'content', 'taskType', 'title', 'outputDimensionality'})
            need(q['model'] == 'models/' + model, 'requests.model: not the model of the batch')
            need(q['content']['parts'][0]['text'], 'content is empty')
        vectors = [{'values': self.vector(i)} for i in range(len(self.seen.json['requests']))]
        self.whole(200, json_text({'embeddings': vectors}).encode())

    def predict(self):
        q = self.seen.json
        known('', q, {'instances', 'parameters'})
        for instance in q['instances']:
            known('instances', instance, {'content', 'task_type', 'title'})
        predictions = [{'embeddings': {'values': self.vector(i), 'statistics': {'token_count': 3, 'truncated': False}}}
                       for i in range(len(q['instances']))]
        counts = (3 * len(predictions), 0, 0, 0)
        self.whole(200, json_text({'predictions': predictions}).encode(), usage=counts)


class GeminiUpstream(FakeUpstream):
    vertex = False
    answer_class = GeminiAnswer
    not_for_providers = tuple(FakeUpstream.not_for_providers) + ('authorization',)
    models = re.compile(r'^/v1beta/models/([^:/?]+):(\w+)(?:\?alt=sse)?$')

    def __init__(self, key='AIza-fake', **more):
        super().__init__(**more)
        self.key = key

    @property
    def base_url(self):
        return super().base_url.removesuffix('/v1') + '/v1beta'

    def answer(self, peer, seen):
        answer = self.answer_class(peer, seen)
        answer.action = ''
        if seen.path.startswith('/_control/'):
            self.control(answer)
            return
        if seen.method == 'GET':
            answer.whole(200, json_text({'models': [{'name': 'models/gemini-fake', 'displayName': 'Gemini Fake'}]}).encode())
            return
        found = self.models.match(seen.path)
        if not found:
            self.violation('no such path: ' + seen.path)
            answer.error(404, 'Not found')
            return
        try:
            seen.json = json.loads(seen.body)
        except ValueError:
            self.violation('passed on a body that is no JSON: ' + repr(seen.body[:200]))
            answer.error(400, 'Invalid JSON payload received.')
            return
        seen.model = unquote(found[1])
        answer.plan = Plan(seen.model)
        self.told()
        answer.run(found[2])


class VertexAnswer(GeminiAnswer):
    def authorized(self):
        token = (self.seen.header('authorization') or '').removeprefix('Bearer ')
        if token in self.fake.tokens and self.fake.tokens[token] > time.monotonic():
            return True
        if token not in self.fake.tokens:
            self.fake.violation(f'authorization is {self.seen.header("authorization")!r}')
        self.error(401, 'Request had invalid authentication credentials.')
        return False


class VertexUpstream(GeminiUpstream):
    """With a service account of its own: .credentials is its key's JSON."""

    vertex = True
    answer_class = VertexAnswer
    not_for_providers = tuple(n for n in FakeUpstream.not_for_providers if n != 'authorization')

    def __init__(self, lifetime=3600, **more):
        super().__init__(**more)
        self.models = re.compile(r'^/v1/projects/my-project/locations/europe-west4/publishers/google/models/([^:/?]+):(\w+)'
                                 r'(?:\?alt=sse)?$')
        self.lifetime, self.tokens, self.claims = lifetime, {}, []
        self.token_status, self.token_delay = 200, 0
        self.private = subprocess.run(['openssl', 'genpkey', '-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048'],
                                      stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout
        self.public = subprocess.run(['openssl', 'pkey', '-pubout'], input=self.private, stdout=subprocess.PIPE,
                                     check=True).stdout

    @property
    def base_url(self):
        return super().base_url.removesuffix('beta')

    @property
    def token_uri(self):
        return f'http://{self.authority}/token'

    @property
    def credentials(self):
        return {'type': 'service_account', 'project_id': 'my-project', 'private_key_id': 'key-1',
                'private_key': self.private.decode(), 'client_email': 'gateway@my-project.iam.gserviceaccount.com',
                'client_id': '1', 'token_uri': self.token_uri}

    def verified(self, text, signature):
        with tempfile.TemporaryDirectory() as folder:
            key, sig = os.path.join(folder, 'key'), os.path.join(folder, 'sig')
            for path, data in ((key, self.public), (sig, signature)):
                with open(path, 'wb') as f:
                    f.write(data)
            return subprocess.run(['openssl', 'dgst', '-sha256', '-verify', key, '-signature', sig], input=text,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0

    def check_assertion(self, seen):
        form = parse_qs(seen.body.decode())
        if form.get('grant_type') != ['urn:ietf:params:oauth:grant-type:jwt-bearer']:
            return 'unsupported_grant_type'
        header, claims, signature = form['assertion'][0].split('.')
        decode = lambda part: base64.urlsafe_b64decode(part + '=' * (-len(part) % 4))  # noqa: E731
        claim, head = json.loads(decode(claims)), json.loads(decode(header))
        self.claims.append(claim)
        if head != {'alg': 'RS256', 'typ': 'JWT', 'kid': 'key-1'} or \
                not self.verified(f'{header}.{claims}'.encode(), decode(signature)):
            return 'Invalid JWT Signature.'
        if claim['iss'] != self.credentials['client_email'] or claim['aud'] != self.token_uri:
            return 'Invalid issuer'
        good = abs(claim['iat'] - time.time()) < 60 and claim['exp'] == claim['iat'] + 3600
        return None if good and claim['scope'].endswith('/cloud-platform') else 'Invalid JWT: iat, exp, scope'

    def give_token(self, answer):
        token = f'ya29.fake-{len(self.tokens)}'
        self.tokens[token] = time.monotonic() + (self.lifetime or 3600)  # 0: it says so, and is wrong
        answer.whole(200, json.dumps({'access_token': token, 'expires_in': self.lifetime, 'token_type': 'Bearer'}).encode())

    def answer(self, peer, seen):
        if seen.path == '/token' or seen.path.startswith('/computeMetadata/'):
            answer = self.answer_class(peer, seen)
            answer.action = ''
            peer.watch(self.token_delay)
            wrong = self.check_assertion(seen) if seen.method == 'POST' else \
                None if seen.header('metadata-flavor') == 'Google' else 'no metadata-flavor'
            if self.token_status != 200:
                answer.whole(self.token_status, b'{"error": "unavailable", "error_description": "not now"}')
            elif wrong:
                self.violation('the token endpoint would refuse: ' + wrong)
                answer.whole(400, json.dumps({'error': 'invalid_grant', 'error_description': wrong}).encode())
            else:
                self.give_token(answer)
            return
        if '/publishers/anthropic/' in seen.path:
            self.answer_claude(self.answer_class(peer, seen), seen)
            return
        super().answer(peer, seen)

    def answer_claude(self, answer, seen):
        """Claude of Vertex AI: the version in the body, the model in the path alone."""
        answer.action = ''
        seen.json = json.loads(seen.body)
        found = re.match(r'^/v1/projects/my-project/locations/europe-west4/publishers/anthropic/models/'
                         r'(claude-[a-z0-9@-]+):(stream)?[rR]awPredict$', seen.path)
        if not answer.authorized():
            return
        if not found or 'model' in seen.json or seen.json.get('anthropic_version') != 'vertex-2023-10-16' or \
                bool(found[2]) != bool(seen.json.get('stream')):
            self.violation('Vertex AI would refuse: ' + seen.path + ' ' + repr(seen.body[:200]))
            answer.error(400, 'Request contains an invalid argument.')
            return
        message = {'id': 'msg_vrtx_1', 'type': 'message', 'role': 'assistant', 'model': found[1], 'stop_sequence': None,
                   'content': [{'type': 'text', 'text': 'Flut'}], 'stop_reason': 'end_turn',
                   'usage': {'input_tokens': 4, 'output_tokens': 2}}
        if not found[2]:
            answer.whole(200, json_text(message).encode())
            return
        answer.head(200, [('Content-Type', 'text/event-stream; charset=utf-8')])
        for name, value in (('message_start', {'message': {**message, 'content': [], 'stop_reason': None}}),
                            ('content_block_start', {'index': 0, 'content_block': {'type': 'text', 'text': ''}}),
                            ('content_block_delta', {'index': 0, 'delta': {'type': 'text_delta', 'text': 'Flut'}}),
                            ('content_block_stop', {'index': 0}),
                            ('message_delta', {'delta': {'stop_reason': 'end_turn', 'stop_sequence': None},
                                               'usage': {'output_tokens': 2}}),
                            ('message_stop', {})):
            answer.data(f'event: {name}\ndata: {json.dumps({"type": name, **value})}\n\n'.encode())
        answer.end()


def main():
    parser = argparse.ArgumentParser(description="A stand-in for Google's Gemini API.")
    parser.add_argument('--port', type=int, default=0)
    parser.add_argument('--key', default='AIza-fake')
    args = parser.parse_args()
    fake = GeminiUpstream(key=args.key, port=args.port).start()
    print(fake.base_url, flush=True)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        fake.stop()


if __name__ == '__main__':
    main()
