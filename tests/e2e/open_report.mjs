// Opens a report in Chromium and fails on any request beyond the file, any error on the console, or a missing table.
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const browser = await chromium.launch({
  executablePath: "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
const page = await browser.newPage();
const problems = [];
page.on("request", (request) => {
  if (!request.url().startsWith("file:")) problems.push(`request for ${request.url()}`);
});
page.on("console", (message) => {
  if (message.type() === "error") problems.push(`console: ${message.text()}`);
});
page.on("pageerror", (error) => problems.push(`error: ${error.message}`));
await page.goto(pathToFileURL(process.argv[2]).href);

const figures = await page.locator("svg[role=img]").count();
const rows = await page.locator("tbody tr").count();
const heading = await page.locator("h1").innerText();
if (heading !== "test") problems.push(`heading '${heading}'`);
if (rows < 10) problems.push(`only ${rows} rows`);
for (const title of ["Scenario baseline", "Scenario reliability", "Cells", "Validity", "Cost and time", "Provenance"]) {
  if ((await page.getByRole("heading", { name: title, exact: true }).count()) !== 1) problems.push(`no section '${title}'`);
}
if (process.argv[3]) await page.screenshot({ path: process.argv[3], fullPage: true });
await browser.close();
console.log(`${figures} figures, ${rows} rows`);
for (const problem of problems) console.error(problem);
process.exit(problems.length === 0 ? 0 : 1);
