// An independent server for aimock_wires_test.py that speaks OpenAI, Azure, Anthropic and Gemini. Arguments: "native" for
// tool calls instead of commands in the text, "chaos" for faults. Its model searches for a tool, calls one with what the task
// says, and finishes: enough to get some tasks right and others wrong. Prints its address; ends when standard input does.
import { createInterface } from "node:readline";
import { LLMock } from "@copilotkit/aimock";

const native = process.argv.includes("native");
// The whole journal is kept: the test looks for every wire in it.
const mock = new LLMock({ port: 0, host: "127.0.0.1", journalMaxEntries: 0 });
if (process.argv.includes("chaos")) {
  mock.setChaos({ dropRate: 0.08, malformedRate: 0.08, rateLimitRate: 0.08, disconnectRate: 0.08 });
}

const turn = (request) => request.messages.filter((message) => message.role === "assistant").length;
const textOf = (message) =>
  typeof message.content === "string" ? message.content : (message.content ?? []).map((part) => part.text ?? "").join("");
const urlIn = (request) => {
  const prompt = request.messages.filter((message) => message.role === "user").map(textOf)[0] ?? "";
  return (prompt.match(/https?:\/\/[^\s,;]+[^\s,;.]/) ?? ["https://nowhere.example"])[0];
};
let calls = 0;
const call = (name, argument) =>
  native
    ? { content: "Next.", toolCalls: [{ id: `call_${++calls}`, name, arguments: JSON.stringify(argument) }] }
    : { content: `Next.\n${name === "network_fetcher"
        ? `<use_tool>${JSON.stringify({ name, arguments: argument })}</use_tool>`
        : `<${name}>${Object.values(argument)[0]}</${name}>`}` };
mock.on({ predicate: (request) => turn(request) === 0 }, () => call("find_tool", { query: "fetch an address" }));
mock.on({ predicate: (request) => turn(request) === 1 }, (request) => call("network_fetcher", { url: urlIn(request) }));
mock.on({}, () => call("finish", { result: "done" }));
await mock.start();
console.log(JSON.stringify({ url: mock.url }));

for await (const line of createInterface({ input: process.stdin })) {
  if (line === "journal") {
    console.log(JSON.stringify(mock.getRequests().map((entry) => ({ path: entry.path, status: entry.response.status }))));
  }
}
await mock.stop();
