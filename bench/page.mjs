// How quickly the page answers a hand, in Chromium.
//
//   node bench/page.mjs LINK live RUN [SECONDS]     a run that goes on, e.g. page_bench --clients 0
//   node bench/page.mjs LINK finished RUN           a finished run
//
// live: clicks through the page's views, with real clicks. Of each the time to the next paint as the browser measures it
// (Event Timing, what Interaction to Next Paint is made of; steps of 8 ms), the page's long tasks, and the bytes of the event
// stream. finished: from a click, or an address, to the rows on the screen.
import { at, launch, open } from "../tests/browser/page.mjs";

const [link, mode, run, seconds = "30"] = process.argv.slice(2);
const browser = await launch();
const page = await open(browser, link);
page.setDefaultTimeout(300_000);

const quantile = (values, share) =>
  [...values].sort((a, b) => a - b)[Math.max(0, Math.ceil(share * values.length) - 1)] ?? 0;

async function live() {
  await page.goto(at(link, `/runs/${run}`));
  await page.locator(".connection.running").waitFor();
  const session = await page.context().newCDPSession(page);
  await session.send("Network.enable");
  let bytes = 0;
  const streams = new Set();
  session.on("Network.responseReceived", (event) => {
    if (event.response.mimeType === "text/event-stream") streams.add(event.requestId);
  });
  session.on("Network.dataReceived", (event) => {
    if (streams.has(event.requestId)) bytes += event.dataLength;
  });
  await page.reload();
  await page.locator(".connection.running").waitFor();
  await page.evaluate(() => {
    window.clicks = [];
    window.tasks = [];
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) if (entry.name === "click") window.clicks.push(entry.duration);
    }).observe({ type: "event", durationThreshold: 16 });
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) window.tasks.push(entry.duration);
    }).observe({ type: "longtask" });
  });
  bytes = 0;
  const begin = Date.now();
  let clicks = 0;
  while (Date.now() - begin < 1000 * Number(seconds)) {
    for (const name of ["Lanes", "Matrix", "Trials", "Overview"]) {
      await page.getByRole("link", { name, exact: true }).click();
      clicks += 1;
      await page.waitForTimeout(300);
    }
  }
  const took = (Date.now() - begin) / 1000;
  const { slow, tasks } = await page.evaluate(() => ({ slow: window.clicks, tasks: window.tasks }));
  // A click that was painted within 16 ms is not reported at all.
  const all = [...slow, ...Array(Math.max(0, clicks - slow.length)).fill(16)];
  console.log(`clicks                ${clicks}`);
  console.log(
    `click to next paint   median ${quantile(all, 0.5)} ms, p95 ${quantile(all, 0.95)} ms, most ${quantile(all, 1)} ms`,
  );
  console.log(`long tasks (> 50 ms)  ${tasks.length}, the longest ${Math.round(quantile(tasks, 1))} ms`);
  console.log(`event stream          ${(bytes / 1000 / took).toFixed(1)} KB/s`);
}

async function timed(name, act, shown) {
  const begin = Date.now();
  await act();
  await shown();
  console.log(`${name.padEnd(40)} ${Date.now() - begin} ms`);
}

async function finished() {
  const overview = () => page.getByRole("heading", { name: "Models" }).waitFor();
  const rows = () => page.locator("[aria-busy=false] tbody tr").first().waitFor();
  const filtered = async (act) => {
    const answer = page.waitForResponse((response) => /\/trials\?/.test(response.url()));
    await act();
    await answer;
  };
  await timed("overview, the first of this server", () => page.goto(at(link, `/runs/${run}`)), overview);
  await timed("overview, again", () => page.reload(), overview);
  await timed(
    "matrix",
    () => page.getByRole("link", { name: "Matrix", exact: true }).click(),
    () => page.locator("td.heat a").first().waitFor(),
  );
  await timed("trials", () => page.getByRole("link", { name: "Trials", exact: true }).click(), rows);
  const model = await page
    .locator("select[name=model] option")
    .nth(1)
    .evaluate((option) => option.value);
  await timed("filter: model", () => filtered(() => page.locator("select[name=model]").selectOption(model)), rows);
  await timed("filter: and failed", () => filtered(() => page.locator("select[name=success]").selectOption("0")), rows);
  await timed("sort: cost", () => filtered(() => page.getByRole("button", { name: /Cost/ }).click()), rows);
}

await (mode === "live" ? live() : finished());
await browser.close();
