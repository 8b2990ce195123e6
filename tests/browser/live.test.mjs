// The page of a run that goes on: LINK with the token, run "test" over a provider that throttles.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { at, findings, launch, open } from "./page.mjs";

const link = process.env.LINK;
let browser;
let page;

before(async () => {
  browser = await launch();
  page = await open(browser, link);
});
after(async () => browser.close());

async function scored() {
  const text = await page.locator(".tile").first().innerText();
  return Number(/(\d[\d,]*) of/.exec(text)?.[1]?.replaceAll(",", ""));
}

test("the link lets in, leads to the only run, and the token leaves the address", async () => {
  await page.getByRole("heading", { name: "Overview" }).waitFor();
  assert.equal(page.url(), at(link, "/runs/test"));
  assert.equal(await page.evaluate(() => location.hash), "");
});

test("progress moves without a reload", async () => {
  await page.locator(".connection.running").waitFor();
  const first = await scored();
  await page.waitForFunction(
    (old) =>
      Number(/(\d[\d,]*) of/.exec(document.querySelector(".tile").innerText)?.[1]?.replaceAll(",", "")) > old + 3,
    first,
  );
  await page.waitForFunction(() => /[1-9].* turns\/s/.test(document.querySelector(".tiles").innerText));
});

test("the time left stands with its range and the least time that the limits allow", async () => {
  await page.waitForFunction(() =>
    /Time left\n~?[\d.]+ .*\n.* to .*\(9 in 10\).*at least [\d.]+/i.test(document.querySelector(".tiles").innerText),
  );
});

test("a lane shows a throttle", async () => {
  await page.getByRole("link", { name: "Lanes", exact: true }).click();
  await page.locator(".lane").first().waitFor();
  const row = page.locator(".provider", { hasText: "pool" }).locator("tbody tr").first();
  await page.waitForFunction(
    () => Number(document.querySelector(".provider .warn-text")?.textContent.match(/\d+/)?.[0]) > 0,
  );
  assert.match(await row.innerText(), /pool\/key-1\/sim-large/);
  const times = (await row.locator("td.number").allInnerTexts()).filter((text) => / m?s$/.test(text));
  assert.equal(times.length, 2, `half and 95 % of the answers came within ${times}`);
  assert.equal(
    (await page.locator(".lane", { hasText: "learned" }).count()) > 0,
    true,
    "the limit that nobody declared is shown as learned",
  );
});

test("a run is paused and goes on from the page", async () => {
  await page.getByRole("link", { name: "Overview" }).click();
  await page.getByRole("button", { name: "Pause" }).click();
  await page.locator(".connection.paused").waitFor();
  await page.getByRole("button", { name: "Resume" }).click();
  await page.locator(".connection.running").waitFor();
  assert.match(await page.locator(".log").innerText(), /the web page/);
});

test("pages of a live run have no serious finding and no error, light and dark", async () => {
  for (const theme of ["light", "dark"]) {
    await page.getByLabel("Light or dark").selectOption(theme);
    for (const name of ["Overview", "Lanes"]) {
      await page.getByRole("link", { name, exact: true }).click();
      await page.locator("canvas").first().waitFor();
      assert.deepEqual(await findings(page), [], `${name}, ${theme}`);
    }
  }
  assert.deepEqual(page.problems, []);
});
