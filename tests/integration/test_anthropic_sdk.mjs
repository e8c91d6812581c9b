// Anthropic's client library, unmodified, against Penstock before providers of several dialects. Run by
// test_anthropic_sdk.py, which starts what it needs.
import assert from "node:assert/strict";
import { test } from "node:test";
import Anthropic from "@anthropic-ai/sdk";
import { jsonSchemaOutputFormat } from "@anthropic-ai/sdk/helpers/json-schema";

const { PENSTOCK_URL: baseURL, PENSTOCK_KEY: apiKey } = process.env;
const fakes = { claude: process.env.ANTHROPIC_FAKE, fake: process.env.OPENAI_FAKE, gemini: process.env.GEMINI_FAKE };
const client = new Anthropic({ baseURL, apiKey, maxRetries: 0 });
const messages = [{ role: "user", content: "Hello" }];
const ask = (more) => ({ max_tokens: 100, messages, ...more });
const WEATHER = { name: "weather", input_schema: { type: "object", properties: { city: { type: "string" } } } };
const ARGUMENTS = { city: "Zürich", unit: "°C", n: 1.5 };
const THOUGHTS = 'First, the "tide".\n Then the moon 🌊.';
const PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const rejected = (promise, kind) => Promise.resolve(promise).then(() => assert.fail("it was answered"), (e) => {
  assert.ok(e instanceof kind, `${e?.constructor?.name}: ${e?.message}`);
  return e;
});
const seenBy = async (name) => (await (await fetch(new URL("/_control/seen", fakes[name]))).json()).seen;
const textOf = (message) => message.content.map((b) => b.text ?? "").join("");

for (const provider of Object.keys(fakes)) {
  const overloaded = provider === "gemini" ? 503 : 529;
  const of = (options) => `${provider}/x${options ? ";" + options : ""}`;

  test(`${provider}: a message`, async () => {
    const { data, request_id } = await client.messages.create(ask({ model: of(), system: "Be brief" })).withResponse();
    assert.equal(textOf(data), "Wasser strömt durch das Tor");
    assert.equal(data.stop_reason, "end_turn");
    assert.match(data.id, /^msg_/);
    assert.ok(data.usage.input_tokens > 0 && data.usage.output_tokens > 0);
    assert.match(request_id, /^req_/);
  });

  test(`${provider}: a stream`, async () => {
    const stream = client.messages.stream(ask({ model: of() }));
    let told = "";
    stream.on("text", (text) => (told += text));
    const message = await stream.finalMessage();
    assert.ok(told.includes(" strömt durch") && told === textOf(message), told);
    assert.equal(message.stop_reason, "end_turn");
    assert.ok(message.usage.output_tokens > 1);
    const names = [];
    for await (const event of await client.messages.create(ask({ model: of(), stream: true }))) names.push(event.type);
    assert.equal(names[0], "message_start");
    assert.deepEqual(names.slice(-3), ["content_block_stop", "message_delta", "message_stop"]);
  });

  test(`${provider}: streams in odd pieces`, async () => {
    for (const options of ["write=1", "eol=crlf", "comments"]) {
      const message = await client.messages.stream(ask({ model: of(options) })).finalMessage();
      assert.ok(textOf(message).includes(" strömt durch"), options);
    }
  });

  test(`${provider}: tools`, async () => {
    for (const [options, calls] of [["tools", 1], ["parallel", 2]]) {
      const whole = await client.messages.create(ask({ model: of(options), tools: [WEATHER] }));
      const streamed = await client.messages.stream(ask({ model: of(options), tools: [WEATHER] })).finalMessage();
      for (const message of [whole, streamed]) {
        const blocks = message.content.filter((b) => b.type === "tool_use");
        assert.deepEqual(blocks.map((b) => [b.name, b.input]), Array(calls).fill(["weather", ARGUMENTS]));
        assert.equal(new Set(blocks.map((b) => b.id)).size, calls);
        assert.equal(message.stop_reason, "tool_use");
      }
      const results = whole.content.map((b) => ({ type: "tool_result", tool_use_id: b.id, content: "rain ☔" }));
      const answer = await client.messages.create(ask({
        model: of(), tools: [WEATHER],
        messages: [...messages, { role: "assistant", content: whole.content }, { role: "user", content: results }],
      }));
      assert.equal(answer.stop_reason, "end_turn");
    }
  });

  test(`${provider}: pictures`, async () => {
    await client.messages.create(ask({
      model: of(),
      messages: [{ role: "user", content: [
        { type: "text", text: "What is it?" },
        { type: "image", source: { type: "base64", media_type: "image/png", data: PNG } },
      ] }],
    }));
    const { json } = (await seenBy(provider)).at(-1);
    assert.ok(JSON.stringify(json.messages ?? json.contents).includes(PNG));
  });

  test(`${provider}: structured output`, async () => {
    const format = jsonSchemaOutputFormat({
      type: "object", properties: { tide: { type: "string" } }, required: ["tide"], additionalProperties: false,
    });
    const message = await client.messages.parse(ask({ model: of(), output_config: { format } }));
    assert.deepEqual(message.parsed_output, { tide: "high" });
    const streamed = await client.messages.stream(ask({ model: of(), output_config: { format } })).finalMessage();
    assert.deepEqual(streamed.parsed_output, { tide: "high" });
  });

  test(`${provider}: tokens are counted`, async () => {
    const count = await client.messages.countTokens({ model: of(), messages, tools: [WEATHER] });
    assert.ok(count.input_tokens > 3);
  });

  test(`${provider}: errors`, async () => {
    const limited = await rejected(client.messages.create(ask({ model: of("status=429;retry_after=1") })), Anthropic.RateLimitError);
    assert.equal(limited.headers.get("retry-after"), "1");
    assert.equal(limited.error.error.type, "rate_limit_error");
    await rejected(client.messages.create(ask({ model: of("status=400") })), Anthropic.BadRequestError);
    await rejected(client.messages.create(ask({ model: of(`status=${overloaded}`) })), Anthropic.InternalServerError);
    await rejected(client.messages.create(ask({ model: of("status=503;html") })), Anthropic.InternalServerError);
    await rejected(client.messages.create(ask({ model: of("fault=reset") })), Anthropic.InternalServerError);
    await rejected(client.messages.stream(ask({ model: of("status=429") })).finalMessage(), Anthropic.RateLimitError);
  });

  test(`${provider}: the library's own retries`, async () => {
    const patient = new Anthropic({ baseURL, apiKey, maxRetries: 1 });
    const before = (await seenBy(provider)).length;
    await rejected(patient.messages.create(ask({ model: of(`status=${overloaded};retry_after=0`) })), Anthropic.APIError);
    assert.equal((await seenBy(provider)).length - before, 2);
  });

  test(`${provider}: an error in the middle of a stream`, async () => {
    for (const options of ["fault=close;when=body", "error_event"]) {
      const stream = client.messages.stream(ask({ model: of(options) }));
      let n = 0;
      stream.on("text", () => n++);
      await rejected(stream.finalMessage(), Anthropic.APIError);
      assert.ok(n >= 1, options);
    }
  });

  test(`${provider}: leaving a stream ends the call to the provider`, async () => {
    const stream = await client.messages.create(ask({ model: `${provider}/leave;endless;gap=20`, stream: true }));
    let n = 0;
    for await (const _ of stream) if (++n === 4) break;
    for (let i = 0; i < 200; i++) {
      if ((await seenBy(provider)).some((s) => s.model.startsWith("leave") && s.gone)) return;
      await new Promise((done) => setTimeout(done, 25));
    }
    assert.fail("the call went on");
  });
}

test("thinking and its signature", async () => {
  const thinking = { type: "enabled", budget_tokens: 1024 };
  const request = { model: "claude/x;thinking;redacted;tools", tools: [WEATHER], thinking, max_tokens: 2000, messages };
  const whole = await client.messages.create(request);
  const streamed = await client.messages.stream(request).finalMessage();
  for (const message of [whole, streamed]) {
    assert.deepEqual(message.content.map((b) => b.type), ["thinking", "redacted_thinking", "tool_use"]);
    assert.equal(message.content[0].thinking, THOUGHTS);
    const result = { type: "tool_result", tool_use_id: message.content[2].id, content: "rain" };
    const next = await client.messages.create({
      ...request, model: "claude/x",
      messages: [...messages, { role: "assistant", content: message.content }, { role: "user", content: [result] }],
    });
    assert.equal(next.stop_reason, "end_turn");
  }
});

test("models", async () => {
  const names = [];
  for await (const model of client.models.list()) names.push(model.id);
  assert.ok(names.includes("small"), names.join());
  const model = await client.models.retrieve("small");
  assert.equal(model.id, "small");
  assert.equal(model.type, "model");
  await rejected(client.models.retrieve("nothing"), Anthropic.NotFoundError);
});

test("errors of ours have the library's own classes", async () => {
  const wrong = new Anthropic({ baseURL, apiKey: "ps-wrong", maxRetries: 0 });
  const refused = await rejected(wrong.messages.create(ask({ model: "small" })), Anthropic.AuthenticationError);
  assert.match(refused.requestID, /^req_/);
  assert.equal(refused.error.error.type, "authentication_error");
  await rejected(client.messages.create(ask({ model: "smal" })), Anthropic.NotFoundError);
  await rejected(client.messages.create({ model: "small", max_tokens: 1 }), Anthropic.BadRequestError);
});

test("many calls at once", async () => {
  const answers = await Promise.all(Array.from({ length: 40 }, (_, i) =>
    client.messages.create(ask({ model: `${i % 2 ? "claude" : "fake"}/many-${i}` }))));
  for (const answer of answers) assert.equal(textOf(answer), "Wasser strömt durch das Tor");
});
