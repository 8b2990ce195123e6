// The vendors' own clients against a simulated provider: chat, stream, a tool call with its result, and errors. Arguments:
// origin, key, a task of the pilot suite. Prints one JSON document of what each client understood.
import Anthropic from "@anthropic-ai/sdk";
import { GoogleGenAI } from "@google/genai";
import OpenAI, { AzureOpenAI } from "openai";

const [origin, key, task] = process.argv.slice(2);
const SYSTEM = "You work with tools.";
const PROMPT = `# Task\n\n${task}\n\n`;
const SCHEMA = { type: "object", properties: { query: { type: "string" } }, required: ["query"], additionalProperties: false };
const NAMES = ["find_tool", "show_tool", "finish"];
const FAULTS = ["limited", "broken", "busy", "poor", "nobody"];

async function caught(call) {
  try {
    await call();
    return "no error";
  } catch (error) {
    return { name: error.constructor.name, status: error.status ?? null, message: String(error.message).slice(0, 300) };
  }
}

async function errors(ask, wrongKey) {
  const found = {};
  for (const model of FAULTS) found[model] = await caught(() => ask(model));
  found.key = await caught(wrongKey);
  return found;
}

async function chatCompletions(make) {
  const client = (model, apiKey = key) => make(apiKey, model);
  const messages = [{ role: "system", content: SYSTEM }, { role: "user", content: PROMPT }];
  const tools = NAMES.map((name) => ({ type: "function", function: { name, parameters: SCHEMA } }));
  const ask = (model, more = {}, apiKey = key) =>
    client(model, apiKey).chat.completions.create({ model, messages, seed: 7, max_tokens: 4000, ...more });
  const plain = await ask("good");
  let streamed = "";
  let usage = null;
  let finish = null;
  for await (const chunk of await ask("good", { stream: true, stream_options: { include_usage: true } })) {
    streamed += chunk.choices[0]?.delta?.content ?? "";
    finish = chunk.choices[0]?.finish_reason ?? finish;
    usage = chunk.usage ?? usage;
  }
  const first = await ask("good", { tools });
  const calls = first.choices[0].message.tool_calls ?? [];
  const results = calls.map((call) => ({ role: "tool", tool_call_id: call.id, content: "done" }));
  const after = await ask("good", { tools, messages: [...messages, first.choices[0].message, ...results] });
  const runner = client("good").chat.completions.stream({ model: "good", messages, tools, seed: 7, max_tokens: 4000 });
  const streamedCalls = (await runner.finalChatCompletion()).choices[0].message.tool_calls ?? [];
  return {
    model: plain.model,
    text: plain.choices[0].message.content,
    streamed,
    usage: [plain.usage.prompt_tokens, plain.usage.completion_tokens],
    streamedUsage: [usage.prompt_tokens, usage.completion_tokens],
    finish: [plain.choices[0].finish_reason, finish],
    calls: calls.map((call) => [call.function.name, JSON.parse(call.function.arguments)]),
    streamedCalls: streamedCalls.map((call) => [call.function.name, JSON.parse(call.function.arguments)]),
    toolFinish: first.choices[0].finish_reason,
    after: after.choices[0].finish_reason,
    errors: await errors((model) => ask(model), () => ask("good", {}, "wrong")),
  };
}

async function messages() {
  const client = (apiKey = key) => new Anthropic({ apiKey, baseURL: origin, maxRetries: 0 });
  const base = { max_tokens: 4000, system: SYSTEM, messages: [{ role: "user", content: PROMPT }] };
  const ask = (model, more = {}, apiKey = key) => client(apiKey).messages.create({ model, ...base, ...more });
  const text = (message) => message.content.filter((block) => block.type === "text").map((block) => block.text).join("");
  const toolUses = (message) =>
    message.content.filter((block) => block.type === "tool_use").map((block) => [block.name, block.input]);
  const tools = NAMES.map((name) => ({ name, input_schema: SCHEMA }));
  const plain = await ask("good");
  const streamed = await client().messages.stream({ model: "good", ...base }).finalMessage();
  const first = await ask("good", { tools });
  const results = first.content
    .filter((block) => block.type === "tool_use")
    .map((block) => ({ type: "tool_result", tool_use_id: block.id, content: "done" }));
  const after = await ask("good", {
    tools,
    messages: [...base.messages, { role: "assistant", content: first.content }, { role: "user", content: results }],
  });
  const streamedTools = await client().messages.stream({ model: "good", ...base, tools }).finalMessage();
  return {
    model: plain.model,
    text: text(plain),
    streamed: text(streamed),
    usage: [plain.usage.input_tokens, plain.usage.output_tokens],
    streamedUsage: [streamed.usage.input_tokens, streamed.usage.output_tokens],
    finish: [plain.stop_reason, streamed.stop_reason],
    calls: toolUses(first),
    streamedCalls: toolUses(streamedTools),
    toolFinish: first.stop_reason,
    after: after.stop_reason,
    errors: await errors((model) => ask(model), () => ask("good", {}, "wrong")),
  };
}

async function generateContent() {
  const client = (apiKey = key) => new GoogleGenAI({ apiKey, httpOptions: { baseUrl: origin } });
  const config = { systemInstruction: SYSTEM, maxOutputTokens: 4000, seed: 7 };
  const contents = [{ role: "user", parts: [{ text: PROMPT }] }];
  const ask = (model, more = {}, apiKey = key) =>
    client(apiKey).models.generateContent({ model, contents: more.contents ?? contents, config: { ...config, ...more.config } });
  const functions = { tools: [{ functionDeclarations: NAMES.map((name) => ({ name, parametersJsonSchema: SCHEMA })) }] };
  const callsOf = (response) => (response.functionCalls ?? []).map((call) => [call.name, call.args]);
  const plain = await ask("good");
  let streamed = "";
  let last = null;
  for await (const chunk of await client().models.generateContentStream({ model: "good", contents, config })) {
    streamed += chunk.text ?? "";
    last = chunk;
  }
  const first = await ask("good", { config: functions });
  const results = (first.functionCalls ?? []).map((call) => ({
    functionResponse: { name: call.name, response: { result: "done" } },
  }));
  const after = await ask("good", {
    config: functions,
    contents: [...contents, first.candidates[0].content, { role: "user", parts: results }],
  });
  let streamedCalls = [];
  const stream = await client().models.generateContentStream({ model: "good", contents, config: { ...config, ...functions } });
  for await (const chunk of stream) streamedCalls = streamedCalls.concat(callsOf(chunk));
  const usageOf = (response) => [response.usageMetadata.promptTokenCount, response.usageMetadata.candidatesTokenCount];
  return {
    model: plain.modelVersion,
    text: plain.text,
    streamed,
    usage: usageOf(plain),
    streamedUsage: usageOf(last),
    finish: [plain.candidates[0].finishReason, last.candidates[0].finishReason],
    calls: callsOf(first),
    streamedCalls,
    toolFinish: first.candidates[0].finishReason,
    after: after.candidates[0].finishReason,
    errors: await errors((model) => ask(model), () => ask("good", {}, "wrong")),
  };
}

console.log(
  JSON.stringify({
    openai: await chatCompletions((apiKey) => new OpenAI({ apiKey, baseURL: `${origin}/v1`, maxRetries: 0 })),
    azure: await chatCompletions(
      (apiKey, deployment) =>
        new AzureOpenAI({ apiKey, endpoint: origin, deployment, apiVersion: "2024-10-21", maxRetries: 0 }),
    ),
    anthropic: await messages(),
    gemini: await generateContent(),
  }),
);
