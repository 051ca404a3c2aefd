// Opens every page of both sites that a link leads to, as a guest, as a developer and as an administrator.
//
//   FORECOURT_READY={…} node scripts/tour.mjs
//
//   FORECOURT_READY  the JSON of the `ready` line of a `forecourt demo`
//   OUT              a folder for pictures of every page; without it none are taken
//   CHROMIUM         the browser; /usr/bin/chromium without it
//
// Of pages that differ in an id alone, a few are opened. Every problem is told; any of them ends it with code 1.
import { Browser } from "./visitors.mjs";

/** How many pages of one kind are opened: enough to see a short and a long one. */
const ALIKE = 2;

const addresses = JSON.parse(process.env.FORECOURT_READY ?? "{}");
if (!addresses.admin || !addresses.site) {
  console.error("FORECOURT_READY must hold the JSON of the `ready` line, with admin and site");
  process.exit(2);
}
const browser = await Browser.start(process.env.OUT);
let problems = 0;
try {
  const guest = await browser.visitor("guest", addresses.site);
  await tour(guest, "/");
  await attempt(() => guest.open("/no/such/page", 404));

  const developer = await browser.visitor("site", addresses.site);
  await developer.open("/sign-in");
  await developer.send({ username: "ada@example.com", password: "demo-ada-password" }, "Sign in");
  await tour(developer, "/");
  await attempt(() => developer.open("/hub?search=nothing-is-called-this"));
  await attempt(() => developer.open("/applications?search=nothing-is-called-this"));

  const provider = await browser.visitor("console", addresses.admin);
  await provider.open("/");
  await provider.send({ username: "admin", password: "demo-admin-password" }, "Sign in");
  await tour(provider, provider.path);
  await attempt(() => provider.open("/no/such/page", 404));
} finally {
  await browser.close();
}
console.log(`${browser.looks} looks at pages, ${problems} with problems`);
process.exitCode = problems ? 1 : 0;

/** Opens `start`, and then what its links and theirs lead to. */
async function tour(visitor, start) {
  const known = new Set([start]);
  const alike = new Map();
  const ahead = [start];
  for (let path = ahead.shift(); path; path = ahead.shift()) {
    const kind = visitor.kind(path);
    const seen = alike.get(kind) ?? 0;
    if (seen >= ALIKE) continue;
    alike.set(kind, seen + 1);
    await attempt(() => visitor.open(path));
    for (const link of await visitor.links())
      if (!known.has(link)) {
        known.add(link);
        ahead.push(link);
      }
  }
}

async function attempt(visit) {
  try {
    await visit();
  } catch (error) {
    problems += 1;
    console.error(error.message);
  }
}
