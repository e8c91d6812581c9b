"""OpenAI's files and batches, as a part of openai_upstream.py: as strict as OpenAI is with a batch's file.

A batch goes one state further each time it is looked at, but no further than `hold` says. What becomes of a line is said
by the text of its last message: "… status=N", "… expired" (in the file of errors, not run) or "… forgotten" (in neither).
"""
import json
import threading

STATES = ['validating', 'in_progress', 'finalizing', 'completed']
ENDPOINTS = ('/v1/chat/completions', '/v1/embeddings', '/v1/completions', '/v1/responses')
COUNTS = {'prompt_tokens': 20, 'completion_tokens': 10, 'total_tokens': 30}


class Batches:
    def __init__(self):
        self.lock = threading.RLock()
        self.files, self.batches = {}, {}
        self.deleted = []
        self.hold = None       # the state that batches stay in
        self.outcome = None    # 'failed', 'expired': how they end instead
        self.lose = set()      # 'upload', 'create': done, but the answer does not arrive
        self.refuse = {}       # 'upload', 'create', 'poll', 'content': a status
        self.asked = []        # methods and paths

    # --- files ---

    def put(self, content, name, purpose):
        with self.lock:
            file = {'id': f'file-fake{len(self.files) + len(self.deleted)}', 'object': 'file', 'bytes': len(content),
                    'created_at': 1700000000, 'filename': name, 'purpose': purpose, 'status': 'processed'}
            self.files[file['id']] = (file, content)
            return file

    def upload(self, seen):
        import email
        import email.policy
        kind = seen.header('content-type') or ''
        assert kind.startswith('multipart/form-data; boundary='), kind
        message = email.message_from_bytes(b'Content-Type: ' + kind.encode() + b'\r\n\r\n' + seen.body,
                                           policy=email.policy.HTTP)
        parts = {p.get_param('name', header='content-disposition'): p for p in message.iter_parts()}
        assert sorted(parts) == ['file', 'purpose'], sorted(parts)
        purpose = parts['purpose'].get_payload(decode=True).decode()
        name = parts['file'].get_filename()
        assert purpose == 'batch' and name.endswith('.jsonl'), (purpose, name)
        return self.put(parts['file'].get_payload(decode=True), name, purpose)

    # --- batches ---

    def check(self, content, endpoint):
        """What is wrong with a batch's file."""
        ids, models, wrong = set(), set(), []
        for n, text in enumerate(content.decode().rstrip('\n').split('\n'), 1):
            def fault(code, number=n):
                wrong.append({'code': code, 'line': number, 'message': code, 'param': None})
            try:
                line = json.loads(text)
            except ValueError:
                fault('invalid_json_line')
                continue
            if sorted(line) != ['body', 'custom_id', 'method', 'url']:
                fault('invalid_members')
                continue
            if line['custom_id'] in ids:
                fault('duplicate_custom_id')
            if line['method'] != 'POST':
                fault('invalid_method')
            if line['url'] != endpoint:
                fault('mismatched_url')
            if line['body'].get('stream'):
                fault('stream')
            ids.add(line['custom_id'])
            models.add(line['body'].get('model'))
            if len(models) > 1:
                fault('mismatched_model')
        return wrong

    def create(self, wanted):
        assert wanted['completion_window'] == '24h' and wanted['endpoint'] in ENDPOINTS, wanted
        assert all(isinstance(v, str) for v in wanted.get('metadata', {}).values()), wanted
        with self.lock:
            file, content = self.files[wanted['input_file_id']]
            assert file['purpose'] == 'batch'
            wrong = self.check(content, wanted['endpoint'])
            batch = {'id': f'batch_fake{len(self.batches)}', 'object': 'batch', 'endpoint': wanted['endpoint'],
                     'errors': {'object': 'list', 'data': wrong} if wrong else None,
                     'input_file_id': wanted['input_file_id'], 'completion_window': '24h',
                     'status': 'failed' if wrong else 'validating', 'output_file_id': None, 'error_file_id': None,
                     'created_at': 1700000000, 'metadata': wanted.get('metadata'),
                     'request_counts': {'total': 0, 'completed': 0, 'failed': 0}}
            self.batches[batch['id']] = batch
            return batch

    def run(self, batch, all_lines=True):
        """Fills the files of results."""
        output, errors = [], []
        content = self.files[batch['input_file_id']][1]
        lines = [json.loads(x) for x in content.decode().rstrip('\n').split('\n')]
        for n, line in enumerate(reversed(lines)):  # in no order of ours
            text = json.dumps(line['body'])
            said = line['body']['messages'][-1]['content'] if 'messages' in line['body'] else ''
            status = int(said.split('status=')[1]) if 'status=' in said else 200
            result = {'id': f'batch_req_{n}', 'custom_id': line['custom_id'], 'response': None, 'error': None}
            if said.endswith('forgotten'):
                continue
            if said.endswith('expired') or (not all_lines and n % 2):
                result['error'] = {'code': 'batch_expired', 'message': 'This request was not executed.'}
                errors.append(result)
                continue
            if status == 200:
                body = {'id': f'chatcmpl-{n}', 'object': 'chat.completion', 'created': 1700000000,
                        'model': line['body']['model'], 'usage': COUNTS,
                        'choices': [{'index': 0, 'logprobs': None, 'finish_reason': 'stop',
                                     'message': {'role': 'assistant', 'content': f'Answer to {said}', 'refusal': None}}]}
            else:
                body = {'error': {'message': f'told to fail, {len(text)}', 'type': 'api_error', 'param': None,
                                  'code': f'fake_{status}'}}
            result['response'] = {'status_code': status, 'request_id': f'req_{n}', 'body': body}
            (output if status == 200 else errors).append(result)
        for name, results in (('output_file_id', output), ('error_file_id', errors)):
            if results:
                text = ''.join(json.dumps(r) + '\n' for r in results).encode()
                batch[name] = self.put(text, name + '.jsonl', 'batch_output')['id']

    def look(self, batch):
        """One state further."""
        status = batch['status']
        if status == 'cancelling':
            self.run(batch, all_lines=False)
            batch['status'] = 'cancelled'
        elif status in STATES[:-1] and status != self.hold:
            batch['status'] = STATES[STATES.index(status) + 1]
            if batch['status'] == 'completed':
                if self.outcome == 'failed':
                    batch['status'] = 'failed'
                else:
                    batch['status'] = self.outcome or 'completed'
                    self.run(batch, all_lines=not self.outcome)
        return batch

    # --- over HTTP ---

    def answer(self, seen):
        """Status and value or bytes; None: the connection breaks; False: it is nothing of ours."""
        path, _, query = seen.path.partition('?')
        parts = path.split('/')[2:]  # behind /v1
        if not path.startswith('/v1/') or parts[0] not in ('files', 'batches'):
            return False
        key = (seen.method, *parts)
        with self.lock:
            self.asked.append(f'{seen.method} {seen.path}')
            step = {('POST', 'files'): 'upload', ('POST', 'batches'): 'create'}.get(key)
            step = step or ('poll' if parts[0] == 'batches' and len(parts) == 2 and seen.method == 'GET' else None)
            step = step or ('content' if parts[-1] == 'content' else None)
            if step in self.refuse:
                return self.refuse[step], {'error': {'message': f'refused: {step}', 'type': 'x', 'code': 'x', 'param': None}}
            value = self.value(key, seen, query)
            if step in self.lose:
                self.lose.discard(step)
                return None
            return (200, value) if value is not False else (404, {'error': {'message': 'No such object'}})

    def value(self, key, seen, query):
        if key == ('POST', 'files'):
            return self.upload(seen)
        if key == ('POST', 'batches'):
            assert seen.header('content-type') == 'application/json'
            return self.create(json.loads(seen.body))
        if key == ('GET', 'batches'):
            all_ = list(self.batches.values())[::-1]
            wanted = dict(p.split('=') for p in query.split('&') if p)
            at = next((i + 1 for i, b in enumerate(all_) if b['id'] == wanted.get('after')), 0)
            page = all_[at:at + int(wanted.get('limit', 20))]
            return {'object': 'list', 'data': page, 'has_more': at + len(page) < len(all_)}
        if key[1] == 'batches' and key[2] in self.batches:
            batch = self.batches[key[2]]
            if key[0] == 'POST' and key[3:] == ('cancel',):
                batch['status'] = 'cancelling'
                return batch
            return self.look(batch) if key[0] == 'GET' else False
        if key[1] == 'files' and key[2] in self.files:
            file, content = self.files[key[2]]
            if key[0] == 'DELETE':
                del self.files[key[2]]
                self.deleted.append(key[2])
                return {'id': key[2], 'object': 'file', 'deleted': True}
            return content if key[3:] == ('content',) else file
        return False
