// The official client library, unmodified, against Penstock. Run by test_openai_sdk.py, which starts what it needs.
import assert from "node:assert/strict";
import { test } from "node:test";
import OpenAI from "openai";

const { PENSTOCK_URL: baseURL, PENSTOCK_KEY: apiKey, FAKE_URL: fakeURL } = process.env;
const client = new OpenAI({ baseURL, apiKey, maxRetries: 0 });
const messages = [{ role: "user", content: "Hello" }];
const WEATHER = {
  type: "function",
  function: { name: "weather", parameters: { type: "object", properties: { city: { type: "string" } } } },
};
const ARGUMENTS = { city: "Zürich", unit: "°C", n: 1.5 };
const rejected = (promise, kind) => promise.then(() => assert.fail("it was answered"), (e) => {
  assert.ok(e instanceof kind, `${e?.constructor?.name}: ${e?.message}`);
  return e;
});
const seenByProvider = async () => (await (await fetch(new URL("/_control/seen", fakeURL))).json()).seen;

test("a chat completion", async () => {
  const { data, response, request_id } = await client.chat.completions.create({ model: "small", messages }).withResponse();
  assert.equal(data.choices[0].message.content, "Wasser strömt durch das Tor");
  assert.ok(data.usage.total_tokens > 0);
  assert.match(request_id, /^req_[0-9a-z]{13}$/);
  assert.equal(response.headers.get("x-penstock-provider"), "fake");
});

test("a stream", async () => {
  const stream = await client.chat.completions.create({ model: "small", messages, stream: true });
  let text = "", finish;
  for await (const chunk of stream) {
    assert.ok(chunk.choices.length, "a chunk of usage that was not asked for");
    text += chunk.choices[0].delta.content ?? "";
    finish = chunk.choices[0].finish_reason ?? finish;
  }
  assert.equal(text, " strömt durch das");
  assert.equal(finish, "stop");
});

test("a stream with usage", async () => {
  const stream = await client.chat.completions.create({
    model: "small", messages, stream: true, stream_options: { include_usage: true },
  });
  let usage;
  for await (const chunk of stream) usage = chunk.usage ?? usage;
  assert.ok(usage.prompt_tokens > 0 && usage.completion_tokens > 0);
});

test("the stream helper", async () => {
  const stream = client.chat.completions.stream({ model: "small", messages, stream_options: { include_usage: true } });
  const completion = await stream.finalChatCompletion();
  assert.equal(completion.choices[0].message.content, " strömt durch das");
  assert.ok(completion.usage.total_tokens > 0);
});

test("streams in odd pieces", async () => {
  for (const options of ["write=1", "eol=crlf", "comments", "usage=null", "pad=20000;events=12"]) {
    const stream = await client.chat.completions.create({ model: `fake/x;${options}`, messages, stream: true });
    let n = 0;
    for await (const chunk of stream) n += chunk.choices.length;
    assert.ok(n >= 5, options);
  }
});

test("tool calls", async () => {
  const answer = await client.chat.completions.create({ model: "fake/x;tools", messages, tools: [WEATHER] });
  const call = answer.choices[0].message.tool_calls[0];
  assert.equal(call.function.name, "weather");
  assert.deepEqual(JSON.parse(call.function.arguments), ARGUMENTS);
});

test("streamed tool calls", async () => {
  const stream = client.chat.completions.stream({ model: "fake/x;tools", messages, tools: [WEATHER] });
  const completion = await stream.finalChatCompletion();
  const call = completion.choices[0].message.tool_calls[0];
  assert.deepEqual(JSON.parse(call.function.arguments), ARGUMENTS);
  assert.equal(completion.choices[0].finish_reason, "tool_calls");
});

test("a conversation with tool results and images", async () => {
  await client.chat.completions.create({
    model: "small", temperature: 0.1, seed: 7, tools: [WEATHER],
    messages: [
      { role: "system", content: "Be brief" },
      { role: "user", content: [{ type: "text", text: "What is it?" }, { type: "image_url", image_url: { url: "data:image/png;base64,AAAA" } }] },
      { role: "assistant", content: null, tool_calls: [{ id: "call_1", type: "function", function: { name: "weather", arguments: "{}" } }] },
      { role: "tool", tool_call_id: "call_1", content: "rain ☔" },
    ],
  });
  const { json } = (await seenByProvider()).at(-1);
  assert.equal(json.model, "gpt-small");
  assert.equal(json.messages[3].content, "rain ☔");
  assert.equal(json.messages[1].content[1].image_url.url, "data:image/png;base64,AAAA");
});

test("embeddings, which the library asks for in base64", async () => {
  const answer = await client.embeddings.create({ model: "small", input: ["a", "b"] });
  assert.deepEqual(answer.data.map((d) => [...d.embedding]), [[0.25, -1.5, 0, 3], [0.5, -1.5, 0, 3]]);
  const floats = await client.embeddings.create({ model: "small", input: "a", encoding_format: "float" });
  assert.deepEqual(floats.data[0].embedding, [0.25, -1.5, 0, 3]);
});

test("embeddings of the demonstration", async () => {
  const answer = await client.embeddings.create({ model: "offline/embed", input: "a" });
  assert.ok(answer.data[0].embedding.length > 1);
  assert.ok(answer.data[0].embedding.every((x) => typeof x === "number" && Math.abs(x) <= 1));
});

test("legacy completions", async () => {
  const answer = await client.completions.create({ model: "small", prompt: "Once" });
  assert.equal(answer.choices[0].text, "und so weiter");
  let text = "";
  for await (const part of await client.completions.create({ model: "small", prompt: "Once", stream: true })) text += part.choices[0].text;
  assert.ok(text.startsWith("Wasser"));
});

test("models", async () => {
  const names = [];
  for await (const model of client.models.list()) names.push(model.id);
  assert.ok(names.includes("small") && names.includes("quick"), names.join());
  assert.equal((await client.models.retrieve("small")).id, "small");
  assert.equal((await client.models.retrieve("offline/echo")).id, "offline/echo");
  await rejected(client.models.retrieve("nothing"), OpenAI.NotFoundError);
});

test("errors have the library's own classes", async () => {
  const wrong = new OpenAI({ baseURL, apiKey: "ps-wrong", maxRetries: 0 });
  const unauthenticated = await rejected(wrong.chat.completions.create({ model: "small", messages }), OpenAI.AuthenticationError);
  assert.equal(unauthenticated.code, "invalid_api_key");
  assert.match(unauthenticated.requestID, /^req_/);
  const missing = await rejected(client.chat.completions.create({ model: "smal", messages }), OpenAI.NotFoundError);
  assert.equal(missing.code, "model_not_found");
  assert.equal(missing.param, "model");
  await rejected(client.chat.completions.create({ messages }), OpenAI.BadRequestError);
  const limited = await rejected(client.chat.completions.create({ model: "fake/x;status=429;retry_after=1", messages }), OpenAI.RateLimitError);
  assert.equal(limited.headers.get("retry-after"), "1");
  await rejected(client.chat.completions.create({ model: "fake/x;status=500", messages }), OpenAI.InternalServerError);
  await rejected(client.chat.completions.create({ model: "fake/x;status=503;html", messages }), OpenAI.InternalServerError);
  await rejected(client.chat.completions.create({ model: "fake/x;fault=reset", messages }), OpenAI.InternalServerError);
  await rejected(client.chat.completions.create({ model: "fake/x;status=429", messages, stream: true }), OpenAI.RateLimitError);
});

test("the library's own retries", async () => {
  const patient = new OpenAI({ baseURL, apiKey, maxRetries: 2 });
  const before = (await seenByProvider()).length;
  await rejected(patient.chat.completions.create({ model: "fake/x;status=503;retry_after=0", messages }), OpenAI.InternalServerError);
  assert.equal((await seenByProvider()).length - before, 3);
});

test("an error in the middle of a stream", async () => {
  for (const fault of ["reset;when=body", "close;when=body", "garbage;when=body"]) {
    const stream = await client.chat.completions.create({ model: `fake/x;fault=${fault}`, messages, stream: true });
    let n = 0;
    const error = await rejected((async () => { for await (const _ of stream) n++; })(), OpenAI.APIError);
    assert.ok(n >= 1);
    assert.match(error.code, /^upstream_/);
  }
});

test("leaving a stream ends the call to the provider", async () => {
  const stream = await client.chat.completions.create({ model: "fake/leave;endless;gap=20", messages, stream: true });
  let n = 0;
  for await (const _ of stream) if (++n === 3) break;
  for (let i = 0; i < 200; i++) {
    if ((await seenByProvider()).some((s) => s.model.startsWith("leave") && s.gone)) return;
    await new Promise((done) => setTimeout(done, 25));
  }
  assert.fail("the call went on");
});

test("aborting before the first byte", async () => {
  const controller = new AbortController();
  const call = client.chat.completions.create({ model: "fake/abort;delay=20000", messages }, { signal: controller.signal });
  setTimeout(() => controller.abort(), 200);
  await rejected(call, OpenAI.APIUserAbortError);
  for (let i = 0; i < 200; i++) {
    if ((await seenByProvider()).some((s) => s.model.startsWith("abort") && s.gone)) return;
    await new Promise((done) => setTimeout(done, 25));
  }
  assert.fail("the call went on");
});

test("many calls at once", async () => {
  const answers = await Promise.all(Array.from({ length: 60 }, (_, i) =>
    client.chat.completions.create({ model: `fake/many-${i}`, messages })));
  answers.forEach((answer, i) => assert.equal(answer.model, `many-${i}-0613`));
});
