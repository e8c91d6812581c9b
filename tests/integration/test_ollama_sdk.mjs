// Ollama's own client library, unmodified, against Penstock. Run by test_ollama_sdk.py, which starts what it needs.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Ollama } from "ollama";

const { PENSTOCK_URL: host, PENSTOCK_KEY: key, MODELS, EMBEDDERS } = process.env;
const client = new Ollama({ host, headers: { Authorization: `Bearer ${key}` } });
const messages = [{ role: "user", content: "Hello" }];
const tool = (name) => ({
  type: "function",
  function: { name, description: "of a city", parameters: { type: "object", properties: { city: { type: "string" } } } },
});
const PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII=";
const SCHEMA = { type: "object", properties: { tide: { type: "string" } }, required: ["tide"], additionalProperties: false };
const failed = (promise) => promise.then(() => assert.fail("it was answered"), (e) => e);

for (const [name, model, tools] of JSON.parse(MODELS)) {
  test(`${name}: a chat`, async () => {
    const answer = await client.chat({ model, messages, options: { temperature: 0.5, num_predict: 500 } });
    assert.match(answer.message.content, /strömt durch/);
    assert.equal(answer.message.role, "assistant");
    assert.equal(answer.done, true);
    assert.equal(answer.done_reason, "stop");
    assert.ok(answer.prompt_eval_count > 0 && answer.eval_count > 0 && answer.total_duration > 0);
  });

  test(`${name}: a stream`, async () => {
    let text = "", last;
    for await (const part of await client.chat({ model, messages, stream: true })) {
      text += part.message.content;
      last = part;
    }
    assert.match(text, /strömt durch/);
    assert.ok(last.done && last.eval_count > 0);
  });

  test(`${name}: a prompt`, async () => {
    const answer = await client.generate({ model, prompt: "Hello", system: "Be brief" });
    assert.match(answer.response, /strömt durch/);
    let text = "";
    for await (const part of await client.generate({ model, prompt: "Hello", stream: true })) text += part.response;
    assert.match(text, /strömt durch/);
  });

  test(`${name}: tools and their results`, async () => {
    const asked = { model: tools, messages, tools: [tool("weather")] };
    const whole = await client.chat(asked);
    assert.equal(whole.message.tool_calls[0].function.name, "weather");
    assert.deepEqual(whole.message.tool_calls[0].function.arguments.city, "Zürich");
    const calls = [];
    for await (const part of await client.chat({ ...asked, stream: true })) calls.push(...(part.message.tool_calls ?? []));
    assert.deepEqual(calls.map((c) => c.function.name), ["weather"]);
    const more = [...messages, whole.message, { role: "tool", tool_name: "weather", content: "rain" }];
    assert.ok((await client.chat({ model, messages: more, tools: [tool("weather")] })).message.content);
  });

  test(`${name}: several tools at once`, async () => {
    const asked = { model: `${model};parallel`, messages, tools: [tool("weather")] };
    const whole = await client.chat(asked);
    const calls = [];
    for await (const part of await client.chat({ ...asked, stream: true })) calls.push(...(part.message.tool_calls ?? []));
    for (const found of [whole.message.tool_calls, calls])
      assert.deepEqual(found.map((c) => [c.function.name, c.function.arguments.city]), Array(2).fill(["weather", "Zürich"]));
    // Results without ids: by their order.
    const more = [...messages, whole.message, ...["rain", "sun"].map((content) => ({ role: "tool", tool_name: "weather", content }))];
    assert.ok((await client.chat({ model, messages: more, tools: [tool("weather")] })).message.content);
  });

  test(`${name}: an image`, async () => {
    const answer = await client.chat({ model, messages: [{ ...messages[0], images: [Buffer.from(PIXEL, "base64")] }] });
    assert.ok(answer.message.content);
  });

  test(`${name}: an answer by a schema`, async () => {
    assert.deepEqual(JSON.parse((await client.chat({ model, messages, format: SCHEMA })).message.content), { tide: "high" });
    let text = "";
    for await (const part of await client.generate({ model, prompt: "Hello", format: SCHEMA, stream: true })) text += part.response;
    assert.deepEqual(JSON.parse(text), { tide: "high" });
  });

  test(`${name}: errors`, async () => {
    assert.equal((await failed(client.chat({ model: `${model};status=429`, messages }))).status_code, 429);
    assert.equal((await failed(client.chat({ model: `${model};status=400`, messages, stream: true }))).status_code, 400);
    assert.equal((await failed(client.generate({ model: `${model};status=500`, prompt: "Hello" }))).status_code, 500);
  });
}

test("embeddings", async () => {
  const answer = await client.embed({ model: "vectors", input: ["one", "two"] });
  assert.deepEqual(answer.embeddings, [[0.25, -1.5, 0, 3], [0.5, -1.5, 0, 3]]);
  assert.deepEqual((await client.embeddings({ model: "vectors", prompt: "one" })).embedding, [0.25, -1.5, 0, 3]);
});

for (const model of JSON.parse(EMBEDDERS))
  test(`embeddings: ${model}`, async () => {
    const answer = await client.embed({ model, input: ["one", "three"], dimensions: 4 });
    assert.deepEqual(answer.embeddings.map((vector) => vector.slice(1)), Array(2).fill([-1.5, 0, 3]));
    assert.ok(answer.prompt_eval_count > 0);
  });

test("lists", async () => {
  const { models } = await client.list();
  assert.ok(models.some((m) => m.name === "vectors"));
  assert.ok((await client.show({ model: "vectors" })).details);
  assert.deepEqual((await client.ps()).models, []);
  assert.match((await client.version()).version, /^\d+\.\d+\.\d+$/);
});

test("errors", async () => {
  assert.equal((await failed(client.chat({ model: "gone;here", messages }))).status_code, 404);
  const stranger = new Ollama({ host });
  assert.equal((await failed(stranger.chat({ model: "vectors", messages }))).status_code, 401);
  const broken = await client.chat({ model: "broken", messages, stream: true });
  const error = await failed((async () => { for await (const _ of broken); })());
  assert.match(error.message, /broke off/);
});
