// The pages of finished runs: LINK serves "test" (three models) and "strange" (a model that answers with what no page should
// show as it is).
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

const go = (path) => page.goto(at(link, path));
const total = async () => {
  await page.locator("[aria-busy=false]").waitFor();
  return Number((await page.getByRole("heading", { level: 2, name: /trials$/ }).innerText()).replace(/\D/g, ""));
};

test("the list shows both runs", async () => {
  await page.getByRole("link", { name: "strange" }).waitFor();
  await page.getByRole("link", { name: "test", exact: true }).click();
  await page.getByRole("heading", { name: "Models" }).waitFor();
  assert.match(await page.locator(".tiles").innerText(), /100 %/);
  assert.match(await page.locator(".connection").innerText(), /not running/);
});

test("a cell of the matrix opens its trials", async () => {
  await page.getByRole("link", { name: "Matrix" }).click();
  const cell = page.locator("td.heat a").first();
  await cell.waitFor();
  const label = await cell.getAttribute("title");
  await cell.click();
  await page.locator(".chip").waitFor();
  assert.match(page.url(), /\/trials\?cell=[0-9a-f]{32}$/);
  assert.equal(await total(), Number(/of (\d+) scored/.exec(label)[1]));
});

test("filters work, are in the address, and a reload keeps them", async () => {
  await go("/runs/test/trials");
  const all = await total();
  await page.locator("select[name=model]").selectOption("sim-small");
  await page.waitForURL(/model=sim-small/);
  await page.locator("select[name=success]").selectOption("0");
  await page.waitForURL(/success=0/);
  await page.waitForFunction(
    (before) => Number(document.querySelector("h2").innerText.replace(/\D/g, "")) < before,
    all,
  );
  const failed = await total();
  assert.ok(failed > 0 && failed < all / 2);
  const rows = await page.locator("tbody tr").allInnerTexts();
  assert.ok(rows.every((row) => row.includes("sim-small")));
  await page.getByLabel("Repaired turns ≥").fill("1");
  await page.waitForURL(/repairs_min=1/);
  await page.getByRole("button", { name: /Cost/ }).click();
  await page.waitForURL(/sort=cost/);
  const address = page.url();
  const some = await total();
  const texts = await page.locator("tbody").innerText();
  await page.reload();
  await page.locator("tbody tr").first().waitFor();
  assert.equal(page.url(), address);
  assert.equal(await total(), some);
  assert.equal(await page.locator("tbody").innerText(), texts);
  assert.equal(await page.locator("select[name=model]").inputValue(), "sim-small");
  await page.goBack();
  await page.getByRole("button", { name: "Clear filters" }).click();
  await page.waitForURL(/trials(\?sort=[a-z]+&order=[a-z]+)?$/);
});

test("lists are paged by the server", async () => {
  await go("/runs/test/trials?limit=20");
  const first = await page.locator("a.row-link").first().innerText();
  await page.getByRole("button", { name: /Next/ }).click();
  await page.waitForURL(/offset=20/);
  await page.waitForFunction((before) => document.querySelector("a.row-link").innerText !== before, first);
  assert.equal(await page.locator("tbody tr").count(), 20);
});

test("a transcript opens by its link, with goal, plan, lineage and requests", async () => {
  await go("/runs/test/trials?prompt=flawed_tool_misuse&success=1");
  await page.locator("a.row-link").first().click();
  await page.getByRole("heading", { name: "Plan that was shown" }).waitFor();
  const address = page.url();
  assert.match(address, /\/runs\/test\/trials\/\d+$/);
  const other = await open(browser, link);
  await other.goto(address);
  await other.getByRole("heading", { name: "Goal" }).waitFor();
  assert.ok((await other.locator(".steps li.flawed").count()) > 0, "the flaw of the plan is marked");
  assert.ok((await other.locator(".lineage .node").count()) > 0);
  assert.ok((await other.locator(".message.assistant").count()) > 0);
  assert.match(await other.locator(".sidebar").innerText(), /answered/);
  await other.locator(".lineage a").first().click();
  assert.match(other.url(), /#trial-turn-\d+$/);
  assert.ok((await other.locator(":target").count()) === 1);
  assert.deepEqual(other.problems, []);
  await other.context().close();
});

test("injected failures, repairs and the evidence of a label are marked where they happened", async () => {
  await go("/runs/test/trials?injected_min=1&sort=turns&order=desc");
  await page.locator("a.row-link").first().click();
  await page.locator(".message .badge", { hasText: "injected failure" }).first().waitFor();
  await go("/runs/test/trials?success=0&repairs_min=1");
  await page.locator("a.row-link").first().click();
  await page.locator(".message .badge", { hasText: "repaired:" }).first().waitFor();
  await page.getByRole("link", { name: /shown by turn/ }).click();
  assert.ok((await page.locator(":target .badge.bad").count()) > 0);
});

test("two models are compared on the same task, side by side", async () => {
  await go("/runs/test/compare");
  await page.getByLabel("Model A").selectOption("sim-large");
  await page.getByLabel("Model B").selectOption("sim-small");
  await page.getByLabel("Only where they differ").check();
  await page.locator("a.row-link").first().click();
  await page.waitForURL(/left=\d+&right=\d+/);
  await page.locator(".transcript").nth(1).waitFor();
  const tasks = await page.locator(".transcript-head h1 .mono").allInnerTexts();
  assert.equal(tasks[0], tasks[1]);
  const models = await page.locator(".transcript-head strong").allInnerTexts();
  assert.deepEqual(models, ["sim-large", "sim-small"]);
});

test("the report has its figures here, and all of it behind a link in either language", async () => {
  await go("/runs/test/report");
  await page.locator(".figures img").first().waitFor();
  const sizes = await page.locator(".figures img").evaluateAll(async (images) => {
    for (const image of images) image.loading = "eager";
    await Promise.all(images.map((image) => image.decode()));
    return images.map((image) => image.naturalWidth);
  });
  assert.ok(sizes.length > 2 && sizes.every((size) => size > 100), `${sizes}`);
  for (const [name, language, title] of [
    ["English", "en", "Every cell"],
    ["中文", "zh-CN", "所有单元"],
  ]) {
    const opened = page.context().waitForEvent("page");
    await page.getByRole("link", { name }).click();
    const report = await opened;
    await report.getByRole("heading", { name: title, exact: true }).waitFor();
    assert.equal(await report.locator("html").getAttribute("lang"), language);
    const column = await report
      .locator("table")
      .first()
      .evaluate((table) => getComputedStyle(table).borderCollapse);
    assert.equal(column, "collapse", "its own style is in force");
    await report.close();
  }
});

test("keys move through pages and rows, and can be switched off", async () => {
  await go("/runs/test");
  await page.getByRole("heading", { name: "Models" }).waitFor();
  await page.keyboard.press("4");
  await page.waitForURL(/\/trials$/);
  await page.locator("a.row-link").first().waitFor();
  await page.keyboard.press("j");
  await page.keyboard.press("j");
  const focused = await page.evaluate(() => document.activeElement.textContent);
  assert.equal(focused, await page.locator("a.row-link").nth(1).innerText());
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/trials\/\d+$/);
  await page.keyboard.press("?");
  await page.getByLabel("Single keys are on").uncheck();
  await page.keyboard.press("Escape");
  await page.locator("dialog").waitFor({ state: "detached" });
  await page.keyboard.press("1");
  assert.match(page.url(), /\/trials\/\d+$/);
});

test("dark mode and Chinese are kept, and follow the system where nothing is chosen", async () => {
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  await go("/runs/test");
  await page.getByLabel("Light or dark").selectOption("light");
  const light = await ground();
  await page.getByLabel("Light or dark").selectOption("dark");
  const dark = await ground();
  assert.notEqual(light, dark);
  await page.reload();
  await page.getByRole("banner").waitFor();
  assert.equal(await ground(), dark);
  await page.getByLabel("Light or dark").selectOption("auto");
  await page.emulateMedia({ colorScheme: "dark" });
  assert.equal(await ground(), dark);
  await page.emulateMedia({ colorScheme: "light" });
  assert.equal(await ground(), light);
  await page.getByLabel("Language").selectOption("zh");
  await page.getByRole("heading", { name: "概览" }).waitFor();
  assert.equal(await page.evaluate(() => document.documentElement.lang), "zh-CN");
  await page.getByLabel("语言").selectOption("en");
  await page.getByRole("heading", { name: "Overview" }).waitFor();
});

test("every page is without serious finding, light and dark", async () => {
  const trial = 1;
  const pages = [
    "/",
    "/runs/test",
    "/runs/test/lanes",
    "/runs/test/matrix",
    "/runs/test/trials",
    `/runs/test/trials/${trial}`,
    "/runs/test/compare?a=sim-large&b=sim-small",
    "/runs/test/report",
  ];
  for (const theme of ["light", "dark"]) {
    for (const path of pages) {
      await go(path);
      await page.getByLabel("Light or dark").selectOption(theme);
      await page.waitForLoadState("networkidle");
      assert.deepEqual(await findings(page), [], `${path}, ${theme}`);
    }
  }
});

test("strange answers are shown harmlessly", async () => {
  await go("/runs/strange/trials/1");
  await page.locator(".message.assistant").first().waitFor();
  const first = page.locator(".message.assistant").first();
  const text = await first.locator("pre.text").first().innerText();
  assert.match(text, /<script>window\.hacked = 1<\/script>/);
  assert.match(text, /<img src=x onerror=/);
  assert.match(text, /\\u001b\[31m/, "escapes of terminals are written out");
  assert.match(text, /\\u202e/, "controls of bidirectional text are written out");
  assert.doesNotMatch(text, /[\u001b\u202e\u2066]/);
  assert.equal(await page.evaluate(() => window.hacked), undefined);
  assert.equal(await page.locator(".message script, .message img").count(), 0);
  assert.ok(text.length < 10_000, "a text of 1 MB is not shown at once");
  const more = first.getByRole("button", { name: /Show all \(1\.\d MB\)/ });
  const start = Date.now();
  await more.click();
  await first.getByRole("button", { name: "Show less" }).waitFor();
  const all = await first
    .locator("pre.text")
    .first()
    .evaluate((element) => element.textContent.length);
  assert.ok(all > 1_000_000);
  assert.ok(Date.now() - start < 10_000);
  assert.equal(await page.evaluate(() => window.hacked), undefined);
  await go("/runs/strange/trials/1");
  await page.locator(".sidebar .steps").first().waitFor();
  const wide = await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);
  assert.equal(wide, false, "nothing is wider than the page");
});

test("no page had an error, and nothing was asked of anybody else", () => {
  assert.deepEqual(page.problems, []);
});

test("without the token the page says what to do", async () => {
  const context = await browser.newContext();
  const locked = await context.newPage();
  await locked.goto(at(link, "/runs/test"));
  await locked.getByRole("alert").first().waitFor();
  assert.match(await locked.getByRole("alert").first().innerText(), /Open the link that sortie printed/);
  assert.doesNotMatch(await locked.locator("main").innerText(), /sim-large/);
  await context.close();
});
