// A client of yaml-language-server: opens texts and asks what an editor asks.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const SERVER = fileURLToPath(new URL('node_modules/yaml-language-server/bin/yaml-language-server', import.meta.url));
const SETTINGS = {
  yaml: { validate: true, hover: true, completion: true, schemaStore: { enable: false }, yamlVersion: '1.2' },
};
const CAPABILITIES = {
  textDocument: {
    hover: { contentFormat: ['markdown'] },
    completion: { completionItem: { documentationFormat: ['markdown'], snippetSupport: true } },
    publishDiagnostics: {},
  },
  workspace: { configuration: true, didChangeConfiguration: {} },
};

export class LanguageServer {
  #process = spawn(process.execPath, [SERVER, '--stdio'], { stdio: ['pipe', 'pipe', 'inherit'] });
  #bytes = Buffer.alloc(0);
  #pending = new Map();
  #diagnostics = new Map(); // uri → { resolve, promise }
  #last = 0;

  static async start() {
    const server = new LanguageServer();
    server.#process.stdout.on('data', (data) => server.#receive(data));
    await server.#request('initialize', { processId: process.pid, rootUri: null, capabilities: CAPABILITIES });
    server.#send({ method: 'initialized', params: {} });
    server.#send({ method: 'workspace/didChangeConfiguration', params: { settings: SETTINGS } });
    return server;
  }

  async stop() {
    await this.#request('shutdown', null);
    const ended = once(this.#process, 'exit');
    this.#send({ method: 'exit' });
    await ended;
  }

  #send(message) {
    const body = Buffer.from(JSON.stringify({ jsonrpc: '2.0', ...message }));
    this.#process.stdin.write(`Content-Length: ${body.length}\r\n\r\n`);
    this.#process.stdin.write(body);
  }

  #request(method, params) {
    const id = ++this.#last;
    const answer = new Promise((resolve, reject) => this.#pending.set(id, { resolve, reject }));
    this.#send({ id, method, params });
    return answer;
  }

  #receive(data) {
    this.#bytes = Buffer.concat([this.#bytes, data]);
    for (;;) {
      const end = this.#bytes.indexOf('\r\n\r\n');
      if (end < 0) return;
      const length = Number(/Content-Length: (\d+)/i.exec(this.#bytes.subarray(0, end).toString())[1]);
      if (this.#bytes.length < end + 4 + length) return;
      const message = JSON.parse(this.#bytes.subarray(end + 4, end + 4 + length).toString());
      this.#bytes = this.#bytes.subarray(end + 4 + length);
      this.#handle(message);
    }
  }

  #handle(message) {
    const { id, method, params } = message;
    if (method === undefined) {
      const { resolve, reject } = this.#pending.get(id);
      this.#pending.delete(id);
      if (message.error) reject(new Error(message.error.message));
      else resolve(message.result);
    } else if (method === 'textDocument/publishDiagnostics') {
      this.#diagnostics.get(params.uri)?.resolve(params.diagnostics);
    } else if (id !== undefined) { // a request: for settings, or one that needs no more than an answer
      const result = method === 'workspace/configuration' ? params.items.map((i) => SETTINGS[i.section] ?? {}) : null;
      this.#send({ id, result });
    }
  }

  // Opens a text; what is wrong with it.
  async open(uri, text) {
    let resolve;
    const promise = new Promise((done) => (resolve = done));
    this.#diagnostics.set(uri, { resolve, promise });
    this.#send({ method: 'textDocument/didOpen', params: { textDocument: { uri, languageId: 'yaml', version: 1, text } } });
    return promise;
  }

  async complete(uri, position) {
    const result = await this.#request('textDocument/completion', { textDocument: { uri }, position });
    return result.items ?? result;
  }

  async hover(uri, position) {
    const result = await this.#request('textDocument/hover', { textDocument: { uri }, position });
    return result?.contents.value ?? '';
  }
}
