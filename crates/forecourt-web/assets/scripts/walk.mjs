// The main job, done by hand in a browser through both sites of an empty installation: a provider publishes an
// API product, a developer gets a key and a subscription, and the gateway lets exactly that through.
//
//   FORECOURT_READY={…} node scripts/walk.mjs
//
//   FORECOURT_READY  the JSON of the `ready` line of a `forecourt serve` on an empty database
//   UPSTREAM         host:port of something that answers 200; without it the walk runs its own
//   ADMIN_PASSWORD   the one-time password; `admin` without it
//   OUT              a folder for pictures of every page; without it none are taken
//   CHROMIUM         the browser; /usr/bin/chromium without it
//
// Each step is a sentence, printed as it passes. The first that fails ends the walk with code 1, a message and a
// picture of the page.
import { execFile } from "node:child_process";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { Browser } from "./visitors.mjs";

const DOCUMENT = {
  openapi: "3.1.0",
  info: { title: "Payments", version: "2.1" },
  paths: {
    "/payments": {
      get: { tags: ["Payments"], summary: "List payments", responses: { 200: { description: "Payments" } } },
      post: { tags: ["Payments"], summary: "Take a payment", responses: { 201: { description: "Taken" } } },
    },
    "/payments/{id}": {
      get: { tags: ["Payments"], summary: "Look up a payment", responses: { 200: { description: "It" } } },
    },
  },
};
const PASSWORD = "four quiet words here";
const ADA = { name: "Ada Lovelace", email: "ada@example.com", password: "another four quiet words" };

const addresses = JSON.parse(process.env.FORECOURT_READY ?? "{}");
const { OUT: folder, ADMIN_PASSWORD: oneTime = "admin" } = process.env;
let here;
if (!addresses.admin || !addresses.site || !addresses.gateway) {
  console.error("FORECOURT_READY must hold the JSON of the `ready` line, with admin, site and gateway");
  process.exit(2);
}
const own = process.env.UPSTREAM ? undefined : await answeringServer();
const upstream = process.env.UPSTREAM ?? `127.0.0.1:${own.address().port}`;
const browser = await Browser.start(folder);
const provider = await browser.visitor("console", addresses.admin);
const developer = await browser.visitor("site", addresses.site);
try {
  await walk();
  console.log(`${browser.looks} looks at pages, each without a violation`);
} catch (error) {
  const picture = join(folder ?? tmpdir(), `walk-failed-${process.pid}.png`);
  await here.page.screenshot({ path: picture, fullPage: true }).catch(() => {});
  console.error(`\nFAILED as ${here.name} at ${here.page.url()}\n${error.message}\npicture: ${picture}`);
  process.exitCode = 1;
} finally {
  await browser.close();
  own?.close();
}

async function walk() {
  await provide();
  await register();
  const line = await getKey();
  const newLine = await subscribe(line);
  await leave(newLine);
}

async function provide() {
  await step(provider, "the provider signs in with the one-time password and must choose another", async () => {
    await provider.open("/");
    await provider.send({ username: "admin", password: "not the password" }, "Sign in", 422);
    expect(await provider.sees("not right"), "a wrong password is refused in words");
    await provider.send({ username: "admin", password: oneTime }, "Sign in");
    expect(await provider.sees("Choose your password"), "the password must be chosen first");
    await provider.open("/portals");
    expect(await provider.sees("Choose your password"), "no page but this one opens before that");
    await provider.send({ password: PASSWORD, again: PASSWORD }, "Save and continue");
    expect(await provider.sees("Overview"), "the overview is shown");
  });
  await step(provider, "the provider makes a service with a route to the upstream", async () => {
    await provider.follow("Gateway");
    await provider.follow("default");
    await provider.follow("New service");
    await provider.send({ name: "Payments", upstreams: "nonsense", path_prefix: "/pay" }, "Create service", 422);
    expect(await provider.sees("is not host:port"), "a wrong upstream is refused at its field");
    await provider.send({ name: "Payments", upstreams: upstream, path_prefix: "/pay" }, "Create service");
    await provider.follow("New route");
    await provider.send({ name: "everything", paths: "/*" }, "Create route");
    expect((await status(`curl '${addresses.gateway}/pay/payments'`)) === "200", "the route is open at once");
  });
  await step(provider, "the provider uploads an OpenAPI document", async () => {
    await provider.follow("OpenAPI document");
    await provider.send({ document: JSON.stringify(DOCUMENT, null, 2) }, "Save changes");
    expect(await provider.sees("Present"), "the service says that it is documented");
  });
  await step(provider, "the provider creates a product with API keys and publishes it", async () => {
    await provider.follow("Products");
    await provider.follow("Create product");
    const desc = "Take payments and look them up, in every currency that your customers carry.";
    const choices = { services: ["Payments"], auth: ["API key"], subscription_approval: ["Subscriptions need approval"] };
    const hidden = { hide_credentials: ["Keep credentials from the upstream"] };
    const readable = { can_view_unsubscribed: ["Readable without a subscription"], visibility: ["Everyone"] };
    await provider.send({ name: "Payments", desc, labels: "team: money", ...choices, ...hidden, ...readable }, "Create product");
    expect(await provider.sees("Draft"), "it begins as a draft");
    await provider.ask("Publish");
    await provider.send({}, "Publish");
    expect(await provider.sees("Payments is published"), "the console says that it is published");
  });
}

async function register() {
  await step(developer, "a developer looks around as a guest and signs up", async () => {
    await developer.open("/");
    await developer.follow("Payments");
    expect(await developer.sees("Sign in to subscribe"), "a guest is told the way in");
    await developer.open("/");
    await developer.follow("Create an account");
    await developer.send(ADA, "Create your account");
    expect(await developer.sees("Almost there"), "the registration waits for approval");
  });
  await step(developer, "while waiting the developer sees public products and nothing more", async () => {
    await developer.follow("Look at public APIs");
    await developer.follow("Payments");
    expect(await developer.sees("You can subscribe once your account is approved"), "the page says so");
    expect(!(await developer.sees("Applications")), "applications are not offered");
  });
  await step(provider, "the provider approves the registration in the inbox", async () => {
    await decide("Ada Lovelace");
  });
}

async function getKey() {
  let base;
  await step(developer, "the approved developer reads the product's operations", async () => {
    await developer.follow("APIs");
    await developer.follow("Payments");
    for (const word of ["List payments", "Take a payment", "/payments/{id}"])
      expect(await developer.sees(word), `the operation list has ${word}`);
    base = await developer.reads("aside li code.break-all");
  });
  await step(developer, "the developer creates an application", async () => {
    await developer.follow("Applications");
    await developer.follow("Create application");
    await developer.send({ name: "Checkout frontend", desc: "The shop's checkout" }, "Create application");
    expect(await developer.sees("Checkout frontend is ready"), "the site says that it is ready");
  });
  return step(developer, "the developer creates an API key, which opens nothing before a subscription", async () => {
    await developer.follow("Create API key");
    await developer.send({ name: "Production" }, "Create credential");
    const key = await developer.reads(".secret pre");
    await developer.page.getByLabel("I have stored it").check();
    await developer.follow("Back to Checkout frontend");
    expect(!(await developer.page.content()).includes(key), "the key is shown once");
    const line = `curl -H 'apikey: ${key}' '${base}/payments'`;
    await answers(line, "401", "before the subscription");
    return line;
  });
}

async function subscribe(line) {
  await step(developer, "the developer subscribes and waits, and the key is still refused", async () => {
    await developer.follow("APIs");
    await developer.follow("Payments");
    await developer.send({}, "Subscribe");
    expect(await developer.sees("Waiting for approval"), "the subscription waits");
    await answers(line, "401", "while the subscription waits");
  });
  await step(provider, "the provider accepts the subscription, and the next call passes", async () => {
    await decide("Payments");
    await answers(line, "200", "once accepted");
  });
  return step(developer, "a regenerated key replaces the old one at once, by the line on its page", async () => {
    await developer.follow("Applications");
    await developer.follow("Checkout frontend");
    await developer.ask("Regenerate");
    await developer.send({}, "Replace secret");
    const newLine = await developer.reads(".secret > div:last-of-type pre");
    expect(newLine.startsWith("curl "), "the page shows a ready line");
    await answers(line, "401", "with the key that was replaced");
    await answers(newLine, "200", "with the new key");
    await developer.page.getByLabel("I have stored it").check();
    await developer.follow("Back to Checkout frontend");
    return newLine;
  });
}

async function leave(line) {
  await step(developer, "the developer unsubscribes, and the key is refused", async () => {
    await developer.ask("Unsubscribe");
    await developer.send({}, "End subscription");
    await answers(line, "401", "after the end of the subscription");
  });
  await step(developer, "the developer deletes the application", async () => {
    await developer.ask("Delete");
    await developer.send({ confirm: "Checkout frontend" }, "Delete application");
    expect(await developer.sees("Create your first application"), "none is left");
    await answers(line, "401", "after the application was deleted");
  });
  await step(developer, "the developer asks for the product again, with a new application", async () => {
    await developer.follow("Create application");
    await developer.send({ name: "Back office", products: ["Payments"] }, "Create application");
    expect(await developer.sees("Waiting for approval"), "the new subscription waits");
    await developer.follow("Create API key");
    await developer.send({ name: "Nightly" }, "Create credential");
    expect(await developer.sees("Once it is approved, this line works"), "the page says why the key opens nothing yet");
    await answers(await developer.reads(".secret > div:last-of-type pre"), "401", "while the subscription waits");
    await developer.page.getByLabel("I have stored it").check();
  });
  await step(developer, "the developer looks at the account and signs out", async () => {
    for (const path of ["/account", "/account/password", "/account/sessions"]) await developer.open(path);
    await developer.page.locator("header summary", { hasText: "Account of Ada Lovelace" }).click();
    await developer.look("-menu");
    await developer.leave(() => developer.named("button", "Sign out").click());
    expect(await developer.sees("You are signed out"), "the site says so");
  });
  await step(provider, "the provider takes the product back, and its service is open", async () => {
    await provider.follow("Products");
    await provider.follow("Payments");
    await provider.ask("Take back to draft");
    expect(await provider.sees("1 waiting request is withdrawn"), "the dialog shows what it does to others");
    await provider.send({ confirm: "Payments" }, "Take back to draft");
    expect(await provider.sees("Payments is a draft again"), "the console says so");
    await answers(`curl '${addresses.gateway}/pay/payments'`, "200", "without a key");
  });
}

/** Accepts the request about `subject` in the inbox. */
async function decide(subject) {
  await provider.follow("Approvals");
  expect(await provider.sees(subject), `the inbox holds ${subject}`);
  await provider.press(`Accept ${subject}`, subject, `button[aria-label="Accept ${subject}"]`);
}

/** Does one step as `visitor`; the sentence is printed once it has passed. */
async function step(visitor, sentence, act) {
  here = visitor;
  try {
    const outcome = await act();
    console.log(`ok  ${sentence}`);
    return outcome;
  } catch (error) {
    throw new Error(`in the step "${sentence}":\n${error.message}`);
  }
}

function expect(holds, what) {
  if (!holds) throw new Error(`this does not hold: ${what}`);
}

/** Runs the line in a shell, as the reader of the page would. */
async function answers(line, expected, when) {
  const told = await status(line);
  expect(told === expected, `the gateway answers ${expected} ${when}, not ${told}: ${line}`);
}

async function status(line) {
  const quiet = `${line} --silent --show-error --max-time 20 --output /dev/null --write-out '%{http_code}'`;
  return (await promisify(execFile)("/bin/sh", ["-c", quiet])).stdout;
}

async function answeringServer() {
  const server = createServer((_, answer) => answer.setHeader("content-type", "application/json").end("[]"));
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  return server;
}
