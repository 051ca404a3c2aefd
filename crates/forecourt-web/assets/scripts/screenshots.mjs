// Takes screenshots of pages at 1440 and 390 px, light and dark, and judges each with axe-core.
//
//   node scripts/screenshots.mjs FOLDER URL... [--match TEXT] [--width 1440|390] [--no-shots]
//   FORECOURT_READY={…} OUT=FOLDER node scripts/screenshots.mjs     every page of a preview, by its `ready` line
//
// A URL that ends in / is a preview's index: every page that it lists is visited, or those whose path holds
// TEXT. Fails on an axe violation, a console error, or a page wider than its window.
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { chromium } from "playwright-core";

const THEMES = ["light", "dark"];
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

const { folder, urls, shots, widths } = await inputs(process.argv.length > 2 ? process.argv.slice(2) : started());
mkdirSync(folder, { recursive: true });
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
  ],
});
let problems = 0;
for (const width of widths)
  for (const theme of THEMES) {
    const context = await browser.newContext({
      viewport: { width, height: width > 1000 ? 900 : 844 },
      colorScheme: theme,
      reducedMotion: "reduce",
    });
    for (const url of urls) await visit(context, url, width, theme);
    await context.close();
  }
await browser.close();
console.log(`${urls.length} pages, ${problems} problems`);
process.exit(problems ? 1 : 0);

function started() {
  const { OUT, FORECOURT_READY } = process.env;
  return [OUT, JSON.parse(FORECOURT_READY ?? "{}").preview].filter(Boolean);
}

async function inputs([target, ...rest]) {
  if (!target || !rest.length) throw new Error("usage: screenshots.mjs FOLDER URL... [--match TEXT] [--no-shots]");
  const match = rest.includes("--match") ? rest[rest.indexOf("--match") + 1] : "";
  const widths = rest.includes("--width") ? [Number(rest[rest.indexOf("--width") + 1])] : [1440, 390];
  const given = rest.filter((argument) => argument.startsWith("http"));
  const found = [];
  for (const url of given) {
    if (!url.endsWith("/")) found.push(url);
    else {
      const paths = (await (await fetch(url)).text()).split("\n").filter((path) => path.startsWith("/"));
      found.push(...paths.filter((path) => path.includes(match)).map((path) => new URL(path, url).href));
    }
  }
  return { folder: target, urls: found, shots: !rest.includes("--no-shots"), widths };
}

async function visit(context, url, width, theme) {
  const page = await context.newPage();
  const where = `${new URL(url).pathname} ${width} ${theme}`;
  page.on("console", (message) => {
    if (message.type() === "error") report(where, `console: ${message.text()}`);
  });
  page.on("pageerror", (error) => report(where, `script: ${error.message}`));
  const answer = await page.goto(url, { waitUntil: "load" });
  if (!answer.ok()) report(where, `status ${answer.status()}: ${(await answer.text()).slice(0, 400)}`);
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  if (overflow > 0) report(where, `${overflow} px wider than the window`);
  if (shots) {
    const name = new URL(url).pathname.replace(/^\/(preview\/)?/, "").replaceAll("/", "-") || "index";
    await page.screenshot({ path: join(folder, `${name}-${width}-${theme}.png`), fullPage: true });
  }
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() =>
    window.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"] }),
  );
  for (const violation of violations)
    for (const node of violation.nodes)
      report(where, `${violation.id}: ${node.html.slice(0, 160)} ${node.any[0]?.message ?? violation.help}`);
  await page.close();
}

function report(where, problem) {
  problems += 1;
  console.log(`${where}\n  ${problem}`);
}
