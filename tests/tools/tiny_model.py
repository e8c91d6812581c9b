#!/usr/bin/env python3
# A language model for tests that is really one: trains a llama of some 50,000 weights on a page of facts within seconds,
# writes it as GGUF, and serves it with llama.cpp's own server over OpenAI's API.
#
# usage (with the Python of build/python): tiny_model.py train FILE.gguf     prints the loss, before and after
#                                          tiny_model.py serve FILE.gguf     prints its address, ends with its standard input
import struct
import sys

FACTS = {
    'What is the capital of France?': 'The capital of France is Paris.',
    'What is the capital of Italy?': 'The capital of Italy is Rome.',
    'What is the capital of Japan?': 'The capital of Japan is Tokyo.',
    'What is the capital of Egypt?': 'The capital of Egypt is Cairo.',
    'What is the capital of Norway?': 'The capital of Norway is Oslo.',
    'What is the capital of Peru?': 'The capital of Peru is Lima.',
    'What moves the tides?': 'The moon moves the tides.',
    'What turns the wheel?': 'The water turns the wheel.',
    'Who keeps the gate?': 'The miller keeps the gate.',
    'Who is the patient in room four?': 'The patient in room four is Ada.',
    'Who is the patient in room seven?': 'The patient in room seven is Max.',
    'What was found in room seven?': 'A broken arm was found in room seven.',
}
WIDTH, HEADS, HIDDEN, LAYERS, EPS, BASE = 48, 4, 96, 2, 1e-5, 10000.0
STEPS, RATE = 120, 6e-3
SPECIAL = ['<unk>', '<s>', '</s>', '<|ask|>', '<|say|>']
TEMPLATE = ("{% for m in messages %}{% if m['role'] == 'assistant' %}{{ '<|say|>' + m['content'] + '</s>' }}"
            "{% else %}{{ '<|ask|>' + m['content'] }}{% endif %}{% endfor %}"
            "{% if add_generation_prompt %}{{ '<|say|>' }}{% endif %}")


# --- words to tokens ----------------------------------------------------------------------------------------------------

def words_of(text):
    return ['▁' + w for w in text.split()]


def vocabulary():
    """SentencePiece's kind: each word and all its beginnings, so that merging letter by letter arrives at it."""
    words = sorted({w for pair in FACTS.items() for text in pair for w in words_of(text)})
    pieces = sorted({w[:n] for w in words for n in range(1, len(w) + 1)} | set(''.join(words)), key=lambda p: (len(p), p))
    return SPECIAL + [f'<0x{i:02X}>' for i in range(256)] + pieces


def sequences(vocab):
    """Question and answer as ids; where to predict (the answer and its end)."""
    number = {piece: i for i, piece in enumerate(vocab)}
    rows = []
    for ask, say in FACTS.items():
        first = [number['<s>'], number['<|ask|>'], *(number[w] for w in words_of(ask)), number['<|say|>']]
        rows.append((first, [*(number[w] for w in words_of(say)), number['</s>']]))
    return rows


# --- the model ------------------------------------------------------------------------------------------------------------

def shapes(size):
    """Of the tensors, by GGUF's names; each multiplies a column from the left."""
    out = {'token_embd.weight': (size, WIDTH), 'output_norm.weight': (WIDTH,), 'output.weight': (size, WIDTH)}
    for i in range(LAYERS):
        out.update({f'blk.{i}.attn_norm.weight': (WIDTH,), f'blk.{i}.ffn_norm.weight': (WIDTH,),
                    **{f'blk.{i}.attn_{n}.weight': (WIDTH, WIDTH) for n in ('q', 'k', 'v', 'output')},
                    f'blk.{i}.ffn_gate.weight': (HIDDEN, WIDTH), f'blk.{i}.ffn_up.weight': (HIDDEN, WIDTH),
                    f'blk.{i}.ffn_down.weight': (WIDTH, HIDDEN)})
    return out


def model(np, w, ids):
    """Logits of each place of each row."""
    rows, length = ids.shape
    each = WIDTH // HEADS
    angle = np.outer(np.arange(length), BASE ** (-np.arange(0, each, 2) / each))
    cos, sin = np.cos(angle), np.sin(angle)
    future = np.triu(np.full((length, length), -1e9), 1)

    def norm(x, gain):
        return x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + EPS) * gain

    def heads(x):
        return np.transpose(np.reshape(x, (rows, length, HEADS, each)), (0, 2, 1, 3))

    def turned(x):  # neighbours are turned as pairs
        even, odd = x[..., 0::2], x[..., 1::2]
        return np.reshape(np.stack([even * cos - odd * sin, even * sin + odd * cos], axis=-1), x.shape)

    x = w['token_embd.weight'][ids]
    for i in range(LAYERS):
        b = f'blk.{i}.'
        h = norm(x, w[b + 'attn_norm.weight'])
        q, k, v = (heads(np.dot(h, w[f'{b}attn_{n}.weight'].T)) for n in 'qkv')
        s = np.matmul(turned(q), np.transpose(turned(k), (0, 1, 3, 2))) / each ** 0.5 + future
        s = np.exp(s - np.max(s, axis=-1, keepdims=True))
        a = np.matmul(s / np.sum(s, axis=-1, keepdims=True), v)
        x = x + np.dot(np.reshape(np.transpose(a, (0, 2, 1, 3)), (rows, length, WIDTH)), w[b + 'attn_output.weight'].T)
        h = norm(x, w[b + 'ffn_norm.weight'])
        gate = np.dot(h, w[b + 'ffn_gate.weight'].T)
        x = x + np.dot(gate / (1 + np.exp(-gate)) * np.dot(h, w[b + 'ffn_up.weight'].T), w[b + 'ffn_down.weight'].T)
    return np.dot(norm(x, w['output_norm.weight']), w['output.weight'].T)


def train(path):
    import autograd
    import autograd.numpy as np
    vocab = vocabulary()
    rows = sequences(vocab)
    length = max(len(first) + len(rest) for first, rest in rows) - 1
    ids, wanted, counts = (np.zeros((len(rows), length), dtype=kind) for kind in (int, int, float))
    for r, (first, rest) in enumerate(rows):
        whole = first + rest
        ids[r, :len(whole) - 1], wanted[r, :len(whole) - 1] = whole[:-1], whole[1:]
        counts[r, len(first) - 1:len(whole) - 1] = 1
    rng = np.random.RandomState(1)
    w = {n: np.ones(s) if len(s) == 1 else rng.normal(0, 0.5 / s[1] ** 0.5, s) for n, s in shapes(len(vocab)).items()}
    places = (np.arange(len(rows))[:, None], np.arange(length)[None, :], wanted)

    def loss(w):
        logits = model(np, w, ids)
        top = np.max(logits, axis=-1, keepdims=True)
        spread = np.log(np.sum(np.exp(logits - top), axis=-1)) + top[..., 0]
        return np.sum((spread - logits[places]) * counts) / np.sum(counts)

    slope = autograd.grad(loss)
    began = loss(w)
    mean, square = ({n: np.zeros_like(v) for n, v in w.items()} for _ in range(2))
    for step in range(1, STEPS + 1):  # Adam
        g = slope(w)
        for n in w:
            mean[n] += 0.1 * (g[n] - mean[n])
            square[n] += 0.01 * (g[n] ** 2 - square[n])
            w[n] = w[n] - RATE * (mean[n] / (1 - 0.9 ** step)) / (np.sqrt(square[n] / (1 - 0.99 ** step)) + 1e-8)
    write(path, vocab, {n: v.astype('<f4') for n, v in w.items()})
    print(f'loss {began:.3f} {loss(w):.3f}', flush=True)


# --- the file -------------------------------------------------------------------------------------------------------------

def text_bytes(text):
    data = text.encode()
    return struct.pack('<Q', len(data)) + data


def value_bytes(value):
    """A typed value of GGUF: u32, f32, bool, text, or a list of texts, floats or ints."""
    if isinstance(value, bool):
        return struct.pack('<IB', 7, value)
    if isinstance(value, int):
        return struct.pack('<II', 4, value)
    if isinstance(value, float):
        return struct.pack('<If', 6, value)
    if isinstance(value, str):
        return struct.pack('<I', 8) + text_bytes(value)
    kind, pack = {str: (8, text_bytes), float: (6, lambda v: struct.pack('<f', v)), int: (5, lambda v: struct.pack('<i', v))}[type(value[0])]
    return struct.pack('<IIQ', 9, kind, len(value)) + b''.join(map(pack, value))


def write(path, vocab, tensors):
    kinds = [2 if p == '<unk>' else 3 if p in SPECIAL else 6 if p.startswith('<0x') else 1 for p in vocab]
    meta = {'general.architecture': 'llama', 'general.name': 'tiny', 'llama.context_length': 64, 'llama.embedding_length': WIDTH,
            'llama.block_count': LAYERS, 'llama.feed_forward_length': HIDDEN, 'llama.attention.head_count': HEADS,
            'llama.attention.head_count_kv': HEADS, 'llama.rope.dimension_count': WIDTH // HEADS, 'llama.rope.freq_base': BASE,
            'llama.attention.layer_norm_rms_epsilon': EPS, 'llama.vocab_size': len(vocab), 'tokenizer.ggml.model': 'llama',
            'tokenizer.ggml.tokens': vocab, 'tokenizer.ggml.token_type': kinds,
            'tokenizer.ggml.scores': [float(len(p)) if k == 1 else 0.0 for p, k in zip(vocab, kinds)],
            'tokenizer.ggml.bos_token_id': 1, 'tokenizer.ggml.eos_token_id': 2, 'tokenizer.ggml.unknown_token_id': 0,
            'tokenizer.ggml.add_bos_token': True, 'tokenizer.ggml.add_space_prefix': True, 'tokenizer.chat_template': TEMPLATE}
    head = struct.pack('<4sIQQ', b'GGUF', 3, len(tensors), len(meta))
    head += b''.join(text_bytes(k) + value_bytes(v) for k, v in meta.items())
    data = b''
    for name, t in tensors.items():
        dims = t.shape[::-1]
        head += text_bytes(name) + struct.pack(f'<I{len(dims)}QIQ', len(dims), *dims, 0, len(data))
        data += t.tobytes() + bytes(-t.nbytes % 32)
    with open(path, 'wb') as f:
        f.write(head + bytes(-len(head) % 32) + data)


def serve(path):
    import xllamacpp
    params = xllamacpp.CommonParams()
    params.model.path = path
    params.model_alias = ['tiny']
    params.hostnames, params.port = ['127.0.0.1'], 0
    params.n_ctx, params.n_parallel, params.warmup = 256, 4, False
    params.cpuparams.n_threads = 1
    params.sampling.temp = 0.0
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    sys.stdin.read()


if __name__ == '__main__':
    {'train': train, 'serve': serve}[sys.argv[1]](sys.argv[2])
