// Google's client library, unmodified, against Penstock before providers of several dialects. Run by
// test_genai_sdk.py, which starts what it needs.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ApiError, FunctionCallingConfigMode, GoogleGenAI, Type } from "@google/genai";

const { PENSTOCK_URL: baseUrl, PENSTOCK_KEY: apiKey } = process.env;
const fakes = JSON.parse(process.env.FAKES);
const ai = new GoogleGenAI({ apiKey, vertexai: false, httpOptions: { baseUrl } });
const WEATHER = {
  name: "weather", description: "The weather",
  parameters: { type: Type.OBJECT, properties: { city: { type: Type.STRING } }, required: ["city"] },
};
const tools = [{ functionDeclarations: [WEATHER] }];
const ARGUMENTS = { city: "Zürich", unit: "°C", n: 1.5 };
const PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const rejected = (promise) => promise.then(() => assert.fail("it was answered"), (e) => {
  assert.ok(e instanceof ApiError, `${e?.constructor?.name}: ${e?.message}`);
  return e;
});
const gathered = async (stream) => {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
};

for (const [provider, name] of [["google", "gemini-2.5-flash"], ["claude", "x"], ["fake", "x"], ["co", "x"]]) {
  const of = (options) => `${provider}/${name}${options ? ";" + options : ""}`;

  test(`${provider}: generateContent`, async () => {
    const answer = await ai.models.generateContent({
      model: of(), contents: "Hello", config: { systemInstruction: "Be brief", temperature: 0.5, maxOutputTokens: 100 },
    });
    assert.equal(answer.text, "Wasser strömt durch das Tor");
    assert.equal(answer.candidates[0].finishReason, "STOP");
    assert.ok(answer.usageMetadata.promptTokenCount > 0 && answer.usageMetadata.totalTokenCount > 0);
  });

  test(`${provider}: a stream`, async () => {
    for (const options of ["", "write=1"]) {
      const chunks = await gathered(await ai.models.generateContentStream({ model: of(options), contents: "Hello" }));
      assert.ok(chunks.map((c) => c.text ?? "").join("").includes(" strömt durch"));
      assert.equal(chunks.at(-1).candidates[0].finishReason, "STOP");
      assert.ok(chunks.at(-1).usageMetadata.candidatesTokenCount > 0);
    }
  });

  test(`${provider}: tools, also several at once`, async () => {
    for (const [options, calls] of [["tools", 1], ["parallel", 2]]) {
      const ask = { model: of(options), contents: "Hello", config: { tools } };
      const whole = await ai.models.generateContent(ask);
      const streamed = await gathered(await ai.models.generateContentStream(ask));
      for (const found of [whole.functionCalls, streamed.flatMap((c) => c.functionCalls ?? [])])
        assert.deepEqual(found.map((c) => [c.name, c.args]), Array(calls).fill(["weather", ARGUMENTS]));
      const results = whole.functionCalls.map(({ id, name }) => ({ functionResponse: { id, name, response: { output: "rain ☔" } } }));
      const answer = await ai.models.generateContent({
        model: of(), config: { tools },
        contents: [{ role: "user", parts: [{ text: "Hello" }] }, whole.candidates[0].content, { role: "user", parts: results }],
      });
      assert.equal(answer.candidates[0].finishReason, "STOP");
    }
    await ai.models.generateContent({
      model: of("tools"), contents: "Hello",
      config: { tools, toolConfig: { functionCallingConfig: { mode: FunctionCallingConfigMode.ANY, allowedFunctionNames: ["weather"] } } },
    });
  });

  test(`${provider}: structured output`, async () => {
    const ask = {
      model: of(), contents: "Hello",
      config: { responseMimeType: "application/json", responseSchema: {
        type: Type.OBJECT, properties: { tide: { type: Type.STRING, nullable: true } }, required: ["tide"] } },
    };
    assert.deepEqual(JSON.parse((await ai.models.generateContent(ask)).text), { tide: "high" });
    const chunks = await gathered(await ai.models.generateContentStream(ask));
    assert.deepEqual(JSON.parse(chunks.map((c) => c.text ?? "").join("")), { tide: "high" });
  });

  test(`${provider}: pictures`, async () => {
    const answer = await ai.models.generateContent({
      model: of(), contents: [{ role: "user", parts: [{ text: "What is it?" }, { inlineData: { mimeType: "image/png", data: PNG } }] }],
    });
    assert.ok(answer.text);
  });

  test(`${provider}: a chat of several turns`, async () => {
    const chat = ai.chats.create({ model: of(), config: { tools } });
    for (const message of ["one", "two", "three"]) assert.ok((await chat.sendMessage({ message })).text);
    for await (const chunk of await chat.sendMessageStream({ message: "four" })) assert.ok(chunk.candidates);
    assert.ok(chat.getHistory().length >= 8);
  });

  test(`${provider}: countTokens`, async () => {
    const { totalTokens } = await ai.models.countTokens({ model: of(), contents: "The quick brown fox jumps over the lazy dog." });
    assert.ok(totalTokens >= 8 && totalTokens < 60, totalTokens);
  });

  test(`${provider}: the library's own retries`, async () => {
    const patient = new GoogleGenAI({ apiKey, vertexai: false, httpOptions: { baseUrl, retryOptions: { attempts: 2 } } });
    const seen = async () => (await (await fetch(new URL("/_control/seen", fakes[provider]))).json()).seen.length;
    const before = await seen();
    await assert.rejects(patient.models.generateContent({ model: of("status=503"), contents: "Hello" }));
    assert.equal((await seen()) - before, 2);
  });

  test(`${provider}: errors`, async () => {
    const error = await rejected(ai.models.generateContent({ model: of("status=400"), contents: "Hello" }));
    assert.equal(error.status, 400);
    assert.match(error.message, /INVALID_ARGUMENT/);
    assert.equal((await rejected(ai.models.generateContent({ model: of("status=429"), contents: "Hello" }))).status, 429);
    const stream = await ai.models.generateContentStream({ model: of("error_event"), contents: "Hello" }).catch((e) => e);
    if (!(stream instanceof Error)) await rejected(gathered(stream));
  });
}

for (const model of ["google/text-embedding-004", "fake/text-embedding-3-small", "co/embed-v4.0"])
  test(`embeddings: ${model}`, async () => {
    const { embeddings } = await ai.models.embedContent({ model, contents: ["a", "b", "c"], config: { outputDimensionality: 4 } });
    assert.deepEqual(embeddings.map((e) => e.values.slice(1)), Array(3).fill([-1.5, 0, 3]));
  });

test("thoughts", async () => {
  for (const model of ["google/gemini-2.5-flash;thinking", "claude/x;thinking", "co/x;thinking"]) {
    const config = { thinkingConfig: { includeThoughts: true, thinkingBudget: 2048 }, maxOutputTokens: 8000 };
    const parts = (await ai.models.generateContent({ model, contents: "Hello", config })).candidates[0].content.parts;
    assert.ok(parts.some((p) => p.thought && p.text.includes("tide")), JSON.stringify(parts));
    assert.ok(parts.some((p) => !p.thought && p.text));
  }
});

test("models", async () => {
  const names = [];
  for await (const model of await ai.models.list({ config: { pageSize: 1 } })) names.push(model.name);
  assert.deepEqual(names, ["models/small", "models/large"]);
  assert.equal((await ai.models.get({ model: "small" })).displayName, "small");
  assert.equal((await ai.models.generateContent({ model: "small", contents: "Hello" })).text, "Wasser strömt durch das Tor");
  assert.equal((await rejected(ai.models.get({ model: "none" }))).status, 404);
});

test("wrong keys", async () => {
  const stranger = new GoogleGenAI({ apiKey: "ps-nobody", vertexai: false, httpOptions: { baseUrl } });
  const error = await rejected(stranger.models.generateContent({ model: "small", contents: "Hello" }));
  assert.equal(error.status, 401);
  assert.match(error.message, /UNAUTHENTICATED/);
});
