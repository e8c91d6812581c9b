# Images, sound, moderations and rerankings (as vLLM and others have them) of the stand-in for OpenAI.
import email.parser
import email.policy
import json

PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='
PICTURE = {'type': 'image_url', 'image_url': {'url': 'data:image/png;base64,' + PNG}, 'index': 0}
SOUND = bytes(range(256)) * 8
IMAGE_USAGE = {'input_tokens': 12, 'output_tokens': 1056, 'total_tokens': 1068,
               'input_tokens_details': {'text_tokens': 12, 'image_tokens': 0}}
SPEECH_USAGE = {'type': 'tokens', 'input_tokens': 14, 'output_tokens': 5, 'total_tokens': 19,
                'input_token_details': {'text_tokens': 0, 'audio_tokens': 14}}


def form(seen):
    """The fields of form data by their names, files as bytes; None where it is none."""
    kind = seen.header('content-type') or ''
    if not kind.startswith('multipart/form-data'):
        return None
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(
        b'Content-Type: ' + kind.encode() + b'\r\n\r\n' + seen.body)
    fields = {}
    for part in message.iter_parts():
        data = part.get_payload(decode=True)
        name = part.get_param('name', header='content-disposition')
        fields[name] = data if part.get_filename() else data.decode()
    return fields


def events(answer, values, named):
    answer.head(200, [('Content-Type', 'text/event-stream')])
    for value in values:
        name = f'event: {value["type"]}\n' if named else ''
        answer.data((name + 'data: ' + json.dumps(value) + '\n\n').encode())
    answer.end()


def images(answer):
    if answer.seen.json.get('stream') in (True, 'true'):
        events(answer, [{'type': 'image_generation.partial_image', 'b64_json': PNG, 'partial_image_index': 0},
                        {'type': 'image_generation.completed', 'b64_json': PNG, 'usage': IMAGE_USAGE}], True)
        return
    count = int(answer.seen.json.get('n') or 1)
    body = {'created': 1700000000, 'data': [{'b64_json': PNG}] * count, 'usage': IMAGE_USAGE}
    answer.whole(200, json.dumps(body).encode())


def speech(answer):
    if answer.seen.json.get('stream_format') == 'sse':
        events(answer, [{'type': 'speech.audio.delta', 'audio': 'AAAA'},
                        {'type': 'speech.audio.done', 'usage': {'input_tokens': 14, 'output_tokens': 101,
                                                                'total_tokens': 115}}], False)
        return
    answer.whole(200, SOUND, 'audio/mpeg')


def transcription(answer):
    asked = answer.seen.json
    if asked.get('stream') == 'true':
        events(answer, [{'type': 'transcript.text.delta', 'delta': 'Hallo'},
                        {'type': 'transcript.text.done', 'text': 'Hallo', 'usage': SPEECH_USAGE}], False)
    elif asked.get('response_format') == 'text':
        answer.whole(200, b'Hallo\n', 'text/plain; charset=utf-8')
    else:
        answer.whole(200, json.dumps({'text': 'Hallo', 'usage': SPEECH_USAGE}).encode())


def moderations(answer):
    inputs = answer.seen.json['input']
    count = len(inputs) if isinstance(inputs, list) else 1
    body = {'id': 'modr-1', 'model': answer.seen.model, 'results': [
        {'flagged': False, 'categories': {'violence': False}, 'category_scores': {'violence': 0.0001}}] * count}
    answer.whole(200, json.dumps(body).encode())


def rerank(answer):
    q = answer.seen.json
    texts = [d if isinstance(d, str) else d['text'] for d in q['documents']]
    order = sorted(range(len(texts)), key=lambda i: -len(texts[i]))[:q.get('top_n') or len(texts)]
    body = {'id': 'score-1', 'model': answer.seen.model, 'usage': {'prompt_tokens': 20, 'total_tokens': 20}, 'results': [
        {'index': i, 'document': {'text': texts[i], 'multi_modal': None}, 'relevance_score': round(0.9 / (n + 1), 6)}
        for n, i in enumerate(order)]}
    answer.whole(200, json.dumps(body).encode(), usage=(20, 0, 0, 0))


KINDS = {'/images/generations': images, '/images/edits': images, '/images/variations': images, '/audio/speech': speech,
         '/audio/transcriptions': transcription, '/audio/translations': transcription, '/moderations': moderations,
         '/rerank': rerank}


def answer(of):
    """Answers where the path is one of these."""
    for path, make in KINDS.items():
        if of.seen.path.endswith(path):
            make(of)
            return True
    return False
