// An independent OpenAI-compatible server for aimock_test.py. Prints its address as one JSON line; answers the line
// "journal" on standard input with its request journal; ends when standard input does.
import { createInterface } from "node:readline";
import { LLMock } from "@copilotkit/aimock";

const mock = new LLMock({ port: 0, host: "127.0.0.1" });
// Searches first, then ends the dialogue: a model that talks, with Sortie's commands in its text.
mock.on({ predicate: (request) => request.messages.length === 2 }, { content: "Let me look around.\n<find_tool>read a file</find_tool>" });
mock.on({ predicate: (request) => request.messages.length === 4 }, { content: "<show_tool>file_operations_reader</show_tool>" });
// A model that thinks: its command stands in the reasoning field alone.
mock.on({ predicate: (request) => request.model === "thinker" }, { content: "", reasoning: "That is all I need. <finish>done</finish>" });
mock.on({}, { content: "<finish>nothing more to do</finish>" });
await mock.start();
console.log(JSON.stringify({ url: mock.url }));

for await (const line of createInterface({ input: process.stdin })) {
  if (line === "journal") {
    const entries = mock.getRequests().map((entry) => ({
      path: entry.path,
      status: entry.response.status,
      headers: entry.headers,
      model: entry.body.model,
      seed: entry.body.seed,
      messages: entry.body.messages.length,
    }));
    console.log(JSON.stringify(entries));
  }
}
await mock.stop();
