// Both languages have the same texts, with the same parts to fill in; no text is missing or unused.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";

const folder = new URL("../../web/src/", import.meta.url);
const read = (name) => JSON.parse(readFileSync(new URL(name, folder), "utf8"));
const en = read("strings.en.json");
const zh = read("strings.zh.json");

test("the languages have the same keys in the same order", () => {
  assert.deepEqual(Object.keys(zh), Object.keys(en));
});

test("translations fill in the same values and are not left in English", () => {
  const parts = (text) => [...text.matchAll(/\{\w+\}/g)].map((match) => match[0]).sort();
  for (const key of Object.keys(en)) {
    assert.deepEqual(parts(zh[key]), parts(en[key]), key);
    assert.match(zh[key], /[\u3400-\u9fff]/, `${key} is not translated: ${zh[key]}`);
  }
});

test("every text is used", () => {
  const source = readdirSync(folder)
    .filter((name) => /\.tsx?$/.test(name))
    .map((name) => readFileSync(new URL(name, folder), "utf8"))
    .join("\n");
  for (const key of Object.keys(en)) {
    if (key.startsWith("word.")) continue; // vocabulary of the ledger
    const dynamic = key.startsWith("call.") && source.includes("`call.${");
    assert.ok(dynamic || source.includes(`"${key}"`), `${key} is not used`);
  }
});
