// Drives a browser for support/browser.py: one JSON command a line comes in, one JSON answer a line goes out.
//   node driver.mjs MODULES CHROMIUM
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const [modules, executablePath] = process.argv.slice(2);
const require = createRequire(modules + "/");
const { chromium } = require("playwright-core");
const axeFile = require.resolve("axe-core/axe.min.js");
// A container's root has no user namespaces to put the browser's own sandbox into.
const args = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"];
let browser;
try {
  browser = await chromium.launch({ executablePath, args });
} catch (problem) {
  console.log(JSON.stringify({ broken: String(problem).split("\n")[0] }));
  process.exit(1);
}
console.log(JSON.stringify({ ready: true }));
let page;
let told;

// Files of other origins would show here, since the policy of the pages refuses them.
function listen() {
  told = { console: [], requests: [] };
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && told.console.push(message.text()));
  page.on("pageerror", (problem) => told.console.push(String(problem)));
  page.on("request", (request) => told.requests.push(request.url()));
}

const commands = {
  async open({ url, width = 1200, scheme = "light" }) {
    await page?.context().close();
    const options = { viewport: { width, height: 900 }, colorScheme: scheme, bypassCSP: false };
    page = await (await browser.newContext(options)).newPage();
    listen();
    const answer = await page.goto(url);
    return { status: answer.status(), headers: answer.headers() };
  },
  click: ({ selector }) => page.locator(selector).first().click(),
  fill: ({ selector, text }) => page.locator(selector).first().fill(text),
  press: ({ key }) => page.keyboard.press(key),
  wait: ({ selector, limit }) => page.locator(selector).first().waitFor({ timeout: limit * 1000, state: "attached" }),
  text: ({ selector }) => page.locator(selector).allInnerTexts(),
  evaluate: ({ script }) => page.evaluate(script),
  screenshot: ({ file }) => page.screenshot({ path: file, fullPage: true }),
  told: () => told,
  // The engine is put into the page by the debugger, past the policy, which holds for pages alone.
  async axe() {
    await page.evaluate(await (await import("node:fs/promises")).readFile(axeFile, "utf8"));
    const found = await page.evaluate(() => axe.run());
    return found.violations.map((one) => ({ id: one.id, help: one.help, nodes: one.nodes.map((node) => node.html) }));
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { command, ...more } = JSON.parse(line);
  let answer;
  try {
    answer = { value: (await commands[command](more)) ?? null };
  } catch (problem) {
    answer = { problem: String(problem) };
  }
  console.log(JSON.stringify(answer));
}
await browser.close();
