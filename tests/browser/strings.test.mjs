// Both languages have the same texts, with the same parts to fill in; no text is missing or unused.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { parseSync } from "vite";

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

test("no text of the page stands outside of the two files", () => {
  const read = ["aria-label", "title", "label", "placeholder", "alt"]; // attributes that a person reads or hears
  const found = [];
  const look = (node, name) => {
    if (node === null || typeof node !== "object") return;
    const text =
      node.type === "JSXText"
        ? node.value
        : node.type === "JSXAttribute" && read.includes(node.name.name) && node.value?.type === "Literal"
          ? node.value.value
          : "";
    if (/\p{L}{2}|\p{Script=Han}/u.test(text)) found.push(`${name}: ${text.trim()}`);
    for (const child of Object.values(node)) look(child, name);
  };
  for (const name of readdirSync(folder).filter((one) => one.endsWith(".tsx"))) {
    const { program, errors } = parseSync(name, readFileSync(new URL(name, folder), "utf8"));
    assert.deepEqual(errors, []);
    look(program, name);
  }
  // The names of the languages, each in its own, and the program's.
  assert.deepEqual(
    found.sort(),
    ["app.tsx: English", "app.tsx: Sortie", "app.tsx: 中文", "report.tsx: English", "report.tsx: 中文"].sort(),
  );
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
