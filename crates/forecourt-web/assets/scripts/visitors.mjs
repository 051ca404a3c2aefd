// A person at a browser, as the walks need one: every page that a visitor comes to is looked at.
//
// Looking at a page judges it: its status, a title, exactly one first heading, no axe-core violation, no error on
// the console, nothing wider than the window. With a folder it is also drawn at both widths in both themes.
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { chromium } from "playwright-core";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
const WIDE = { width: 1440, height: 900 };
const NARROW = { width: 390, height: 844 };
const PATIENCE = 15_000;

export class Browser {
  /** Starts Chromium; with `folder`, pages are drawn into it. */
  static async start(folder) {
    if (folder) mkdirSync(folder, { recursive: true });
    const flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"];
    flags.push("--disable-background-networking", "--disable-component-update", "--disable-sync");
    const executablePath = process.env.CHROMIUM || "/usr/bin/chromium";
    return new Browser(await chromium.launch({ executablePath, args: flags }), folder);
  }

  constructor(chromium, folder) {
    this.chromium = chromium;
    this.folder = folder;
    this.drawn = new Map();
    this.looks = 0;
  }

  /** Somebody with a browser profile of their own, at the site `origin`. */
  async visitor(name, origin) {
    const context = await this.chromium.newContext({ viewport: WIDE, colorScheme: "light", reducedMotion: "reduce" });
    context.setDefaultTimeout(PATIENCE);
    return new Visitor(this, name, origin, await context.newPage());
  }

  async close() {
    await this.chromium.close();
  }
}

export class Visitor {
  constructor(browser, name, origin, page) {
    Object.assign(this, { browser, name, origin, page, status: 0, errors: [] });
    page.on("response", (answer) => {
      if (answer.request().isNavigationRequest() && answer.frame() === page.mainFrame()) this.status = answer.status();
    });
    page.on("console", (message) => {
      if (message.type() === "error") this.errors.push(`console: ${message.text()}`);
    });
    page.on("pageerror", (error) => this.errors.push(`script: ${error.message}`));
  }

  get path() {
    return new URL(this.page.url()).pathname;
  }

  /** Goes to `path` by the address bar. */
  async open(path, status = 200) {
    await this.leave(() => this.page.goto(new URL(path, this.origin).href), status);
  }

  /** Follows the link called `text`; within the row or card that says `near`, where that is given. */
  async follow(text, near) {
    await this.leave(() => this.named("link", text, near).click());
  }

  /** Fills fields by their names (a list chooses boxes) and presses `button`; the answer is to have this status. */
  async send(fields, button, status = 200) {
    const scope = await this.front();
    for (const [name, value] of Object.entries(fields)) {
      if (!Array.isArray(value)) await scope.locator(`[name="${name}"]:not([type=hidden])`).fill(value);
      else for (const choice of value) await this.tick(scope, name, choice);
    }
    await this.leave(() => scope.getByRole("button", { name: button, exact: true }).click(), status);
  }

  /** Chooses the box or radio button `name` whose label begins with `text`. */
  async tick(scope, name, text) {
    await scope.locator("label.choice", { hasText: text }).locator(`input[name="${name}"]`).check();
  }

  /** Opens the dialog behind the link `text` and looks at the page with it. */
  async ask(text, near) {
    await this.named("link", text, near).click();
    await this.page.locator("dialog[open]").waitFor();
    await this.look(`-${text}`);
  }

  /** Presses a button whose answer replaces a part of the page, and waits until `gone` has left it. */
  async press(button, near, gone) {
    await this.named("button", button, near).click();
    await this.page.locator(gone).waitFor({ state: "detached" });
    await this.look("-after");
  }

  /** Whether the page says `text` where people can see it. */
  async sees(text) {
    const found = this.page.locator("main, dialog[open], .toast").getByText(text);
    return (await found.filter({ visible: true }).count()) > 0;
  }

  /** The text of the first element that `selector` finds. */
  async reads(selector) {
    return (await this.page.locator(selector).first().textContent()).trim();
  }

  named(role, name, near) {
    const scope = near ? this.page.locator("main tr, main li, main section").filter({ hasText: near }).last() : this.page;
    return scope.getByRole(role, { name, exact: typeof name === "string" }).filter({ visible: true }).first();
  }

  /** The dialog where one is open, else the page. */
  async front() {
    const dialog = this.page.locator("dialog[open]");
    return (await dialog.count()) ? dialog : this.page.locator("main");
  }

  /** Does `act`, which leads to another page, and looks at that. */
  async leave(act, status = 200) {
    // The act is given up first: what it lacked says more than that nothing was loaded.
    await Promise.all([this.page.waitForEvent("load", { timeout: 2 * PATIENCE }), act()]);
    const problems = this.status === status ? [] : [`it answers ${this.status}, not ${status}`];
    // Chromium reports a refused form as an error of its console; that is no fault where a refusal is expected.
    if (status >= 400) this.errors = this.errors.filter((error) => !error.includes(`status of ${status}`));
    await this.look("", problems);
  }

  /** Judges the page that is shown, and draws it; `suffix` tells states of one page apart. */
  async look(suffix = "", problems = []) {
    this.browser.looks += 1;
    const drawing = this.browser.folder && this.picture(suffix);
    const sizes = drawing ? [WIDE, NARROW] : [WIDE];
    problems.push(...(await this.outline()));
    for (const size of sizes) {
      await this.page.setViewportSize(size);
      const room = await this.page.evaluate(() => document.documentElement.clientWidth - document.documentElement.scrollWidth);
      if (room < 0) problems.push(`${-room} px wider than a window of ${size.width} px`);
      for (const theme of drawing ? ["light", "dark"] : ["light"]) {
        await this.page.emulateMedia({ colorScheme: theme });
        await this.settle();
        // What lies over a page covers the window, not the whole length of the page.
        if (drawing) await this.draw(`${drawing}-${size.width}-${theme}`, !suffix);
        problems.push(...(await this.judge()).map((problem) => `${size.width} px, ${theme}: ${problem}`));
      }
    }
    if (drawing) {
      await this.page.setViewportSize(WIDE);
      await this.page.emulateMedia({ colorScheme: "light" });
    }
    problems.push(...this.errors.splice(0));
    if (problems.length) throw new Error(`${this.page.url()} is not as a page must be:\n  ${problems.join("\n  ")}`);
  }

  /** Waits until the page stands as it is to be seen: a change of theme or size takes a frame, and transitions. */
  async settle() {
    await this.page.evaluate(async () => {
      const frame = () => new Promise((drawn) => requestAnimationFrame(drawn));
      await frame();
      for (const animation of document.getAnimations()) animation.finish();
      await frame();
    });
  }

  async outline() {
    const title = await this.page.title();
    const headings = await this.page.evaluate(
      () => [...document.querySelectorAll("h1")].filter((heading) => !heading.closest("dialog")).length,
    );
    return [
      ...(title.trim() ? [] : ["it has no title"]),
      ...(headings === 1 ? [] : [`it has ${headings} first headings`]),
    ];
  }

  async judge() {
    // By the debugger's protocol, which the page's content security policy does not concern.
    await this.page.evaluate(AXE);
    const { violations } = await this.page.evaluate((rules) => window.axe.run(document, { runOnly: rules }), RULES);
    return violations.flatMap((violation) =>
      violation.nodes.map(
        (node) => `${violation.id}: ${node.html.slice(0, 160)}: ${node.any[0]?.message ?? violation.help}`,
      ),
    );
  }

  async draw(name, fullPage) {
    await this.page.screenshot({ path: join(this.browser.folder, `${name}.png`), fullPage });
  }

  /** Paths and queries of this site that the page links to; downloads are no pages. */
  async links() {
    const found = await this.page.evaluate(() =>
      [...document.querySelectorAll("a[href]:not([download])")].map((link) => link.href),
    );
    const own = found.map((href) => new URL(href)).filter((url) => url.origin === new URL(this.origin).origin);
    return [...new Set(own.map((url) => url.pathname + url.search))];
  }

  /** What pages that differ in an id or in a query's values alone have in common. */
  kind(path) {
    const url = new URL(path, this.origin);
    const names = [...url.searchParams.keys()].join("-");
    return `${nameless(url.pathname).replace(/^\/+/, "")} ${names}`;
  }

  /** The name of a picture of this page, who sees it first; none where one has been taken. */
  picture(suffix) {
    const { pathname, search } = new URL(this.page.url());
    const name = `${this.name} ${this.kind(pathname + search).trim() || "home"}${suffix}`;
    const taken = this.browser.drawn.get(name) ?? new Set();
    if (taken.has(pathname + search)) return undefined;
    this.browser.drawn.set(name, taken.add(pathname + search));
    return `${name} ${taken.size > 1 ? taken.size : ""}`.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/-$/, "");
  }
}

function nameless(path) {
  return path.replace(/\b[a-z]{3}_[0-9a-z]{8,}/gi, "one");
}
