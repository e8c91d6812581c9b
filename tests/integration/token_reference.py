# The vendors' own programs for the tokenizers, to compare with: run by the Python of build/python, which has them.
#
# usage: token_reference.py NODE_MODULES TOKENIZER FILE…   prints a JSON array of ids for each file
import base64
import glob
import importlib.util
import json
import os
import sys

LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
          r"|\s+(?!\S)|\s+")  # of Meta's llama_models/llama3/api/tokenizer.py


def read(*path):
    with open(os.path.join(*path), encoding='utf-8') as f:
        return f.read()


def ranks_of(compact):
    ranks = {}
    for line in compact.split('\n'):
        _, first, *tokens = line.split(' ')
        ranks.update((base64.b64decode(token), int(first) + i) for i, token in enumerate(tokens))
    return ranks


def tiktoken_encoder(pattern, ranks):
    import tiktoken
    return tiktoken.Encoding('reference', pat_str=pattern, mergeable_ranks=ranks, special_tokens={}).encode_ordinary


def of_openai(root, name):
    data = json.loads(read(root, 'tiktoken', 'encoders', name + '.json'))
    return tiktoken_encoder(data['pat_str'], ranks_of(data['bpe_ranks']))


def of_claude(root, _):
    data = json.loads(read(root, '@anthropic-ai', 'tokenizer', 'claude.json'))
    return tiktoken_encoder(data['pat_str'], ranks_of(data['bpe_ranks']))


def of_llama3(root, _):
    text = read(root, 'llama3-tokenizer-js', 'src', 'data-converted.js')
    words = base64.b64decode(text.split('llama_vocab_base64 = "')[1].split('"')[0]).decode().split('\n')
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = {chr(b): b for b in plain}
    letters.update((chr(256 + i), b) for i, b in enumerate(b for b in range(256) if b not in plain))
    return tiktoken_encoder(LLAMA3, {bytes(letters[c] for c in word): i for i, word in enumerate(words)})


def mistral_data():
    return os.path.join(os.path.dirname(importlib.util.find_spec('mistral_common').origin), 'data')


def of_tekken(_root, _):
    data = json.loads(read(mistral_data(), 'tekken_240911.json'))  # Mistral's own file, not that of the npm package
    config = data['config']
    special = config['default_num_special_tokens']
    size = config['default_vocab_size'] - special
    encode = tiktoken_encoder(config['pattern'],
                              {base64.b64decode(v['token_bytes']): v['rank'] for v in data['vocab'][:size]})
    return lambda text: [i + special for i in encode(text)]


def of_mistral(_root, _):
    import sentencepiece
    model = glob.glob(os.path.join(mistral_data(), '*.model.v3'))[0]
    return sentencepiece.SentencePieceProcessor(model_file=model).encode


def of_gemma(root, _):
    import tokenizers
    tokenizer = tokenizers.Tokenizer.from_file(os.path.join(root, '@lenml', 'tokenizer-gemma3', 'models', 'tokenizer.json'))
    tokenizer.encode_special_tokens = True  # a special token in a text is text
    return lambda text: tokenizer.encode(text, add_special_tokens=False).ids


REFERENCES = {'o200k_base': of_openai, 'cl100k_base': of_openai, 'p50k_base': of_openai, 'llama3': of_llama3,
              'mistral': of_mistral, 'mistral-tekken': of_tekken, 'gemma': of_gemma, 'claude-approximate': of_claude}


def main():
    root, name, *files = sys.argv[1:]
    encode = REFERENCES[name](root, name)
    for path in files:
        with open(path, 'rb') as f:
            json.dump(encode(f.read().decode('utf-8', 'replace')), sys.stdout)
        print()


if __name__ == '__main__':
    main()
