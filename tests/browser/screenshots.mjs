// screenshots.mjs live|finished LINK FOLDER: a picture of each page.
import { join } from "node:path";
import { at, launch, open } from "./page.mjs";

const [what, link, folder] = process.argv.slice(2);
const browser = await launch();
const page = await open(browser, link, { colorScheme: "light", deviceScaleFactor: 1 });
const shoot = async (name) => page.screenshot({ path: join(folder, `${name}.png`) });

if (what === "live") {
  await page.locator(".connection.running").waitFor();
  await page.waitForTimeout(12_000); // of the run, so that the curves show something
  await page.waitForFunction(() => /Time left\n~?\d/i.test(document.querySelector(".tiles").innerText));
  await shoot("overview");
  await page.goto(at(link, "/runs/test/lanes"));
  await page.locator(".lane").first().waitFor();
  await page.waitForTimeout(6_000);
  await shoot("lanes");
} else {
  await page.goto(at(link, "/runs/test"));
  await page.locator("canvas").first().waitFor();
  await shoot("finished");
  await page.goto(at(link, "/runs/test/matrix"));
  await page.locator("td.heat").first().waitFor();
  await shoot("matrix");
  await page.goto(at(link, "/runs/test/trials?success=0&sort=turns&order=desc"));
  await page.locator("tbody tr").first().waitFor();
  await shoot("trials");
  await page.goto(at(link, "/runs/test/trials?prompt=flawed_tool_misuse&success=1&injected_min=1"));
  await page.locator("a.row-link").first().click();
  await page.locator(".sidebar").waitFor();
  await shoot("transcript");
  await page.getByLabel("Light or dark").selectOption("dark");
  await shoot("transcript-dark");
  await page.goto(at(link, "/runs/test/compare?a=sim-large&b=sim-small&differ=1"));
  await page.locator("a.row-link").first().waitFor();
  await shoot("compare-list-dark");
  await page.getByLabel("Light or dark").selectOption("light");
  await page.locator("a.row-link").first().click();
  await page.locator(".transcript").nth(1).waitFor();
  await shoot("compare");
  await page.goto(at(link, "/runs/test/report"));
  await page.locator(".figures img").first().waitFor();
  await page.waitForLoadState("networkidle");
  await shoot("report");
}
await browser.close();
