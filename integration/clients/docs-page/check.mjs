// Opens the page of the documentation in a browser: it renders, asks nobody but its server, and its "Try it out" works under its policy.
// usage: node check.mjs CHROMIUM DIRECTORY, with TOTE_URL in the environment
import assert from "node:assert/strict";
import { chromium } from "playwright-core";

const base = process.env.TOTE_URL;
const [executablePath, profile] = process.argv.slice(2);
const args = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"];
const browser = await chromium.launchPersistentContext(profile, { executablePath, args, timeout: 60_000 });
const trouble = [];
const asked = [];
try {
  const page = await browser.newPage();
  page.setDefaultTimeout(60_000);
  page.on("console", (m) => ["error", "warning"].includes(m.type()) && trouble.push(`console: ${m.text()} ${m.location().url}`));
  page.on("pageerror", (e) => trouble.push(`exception: ${e}`));
  page.on("requestfailed", (r) => trouble.push(`failed: ${r.url()} ${r.failure()?.errorText}`));
  page.on("request", (r) => asked.push(r.url()));
  const operations = Object.values((await (await fetch(`${base}/openapi.json`)).json()).paths)
    .flatMap((item) => Object.keys(item).filter((k) => ["get", "put", "post", "delete", "head", "options"].includes(k))).length;

  await page.goto(`${base}/docs`);
  await page.waitForFunction((n) => document.querySelectorAll(".opblock").length === n, operations);
  await page.locator("h2#errors").waitFor();
  assert.equal(await page.locator(".errors-wrapper").count(), 0, "errors that the page shows");
  assert.ok((await page.locator(".opblock").first().boundingBox()).height > 20, "styles apply");

  const options = page.locator("[id='operations-Login-loginOptions']");
  await options.locator(".opblock-summary-control").click();
  await options.getByRole("button", { name: "Try it out" }).click();
  await options.getByRole("button", { name: "Execute" }).click();
  await options.locator(".live-responses-table .response-col_status", { hasText: "200" }).waitFor();
  assert.match(await options.locator(".live-responses-table").innerText(), /OAUTH2_INTERNAL/);

  await page.goto(`${base}/docs/`);
  assert.equal(page.url(), `${base}/docs`, "where the slash leads");
  await page.waitForSelector(".opblock");
  await page.goto("about:blank");
  await page.goto(`${base}/docs#errors`);
  await page.locator("h2#errors").waitFor();
  await page.waitForFunction(() => document.getElementById("errors").getBoundingClientRect().top < 200); // it is scrolled to
  assert.deepEqual(trouble, []);
  assert.deepEqual(asked.filter((url) => !url.startsWith(`${base}/`) && !url.startsWith("data:")), [], "requests to elsewhere");
  assert.ok(asked.includes(`${base}/openapi.json`) && asked.includes(`${base}/tenant/loginOptions`), `asked: ${asked}`);
} finally {
  await browser.close();
}
