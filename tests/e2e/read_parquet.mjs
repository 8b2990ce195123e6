// Reads Parquet files with an implementation of its own (Rust's parquet as WebAssembly, and Apache Arrow) and prints
// one JSON line a row; whole numbers as text, since JavaScript's numbers hold 53 bits.
//   node read_parquet.mjs FILE…
import { readFileSync } from "node:fs";
import { tableFromIPC } from "apache-arrow";
import { readParquet } from "parquet-wasm/node";

for (const file of process.argv.slice(2)) {
  const table = tableFromIPC(readParquet(new Uint8Array(readFileSync(file))).intoIPCStream());
  const names = table.schema.fields.map((field) => field.name);
  for (const row of table) {
    const values = names.map((name) => (typeof row[name] === "bigint" ? { int: row[name].toString() } : row[name]));
    process.stdout.write(JSON.stringify(values) + "\n");
  }
}
