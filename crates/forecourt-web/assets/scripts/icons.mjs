// Gathers the icons that templates use (icon('name') or icon="name") into one sprite, src/icons.svg.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const iconFolder = join(root, "node_modules/lucide-static/icons");
const sources = walk(join(root, "../templates"), ".html");
// Any quoted word that is an icon's name: a few too many do no harm, one too few fails the page's test.
const uses = /['"]([a-z][a-z0-9-]*)['"]/g;
const known = new Set(readdirSync(iconFolder).map((file) => file.replace(/\.svg$/, "")));
const names = new Set();
for (const source of sources)
  for (const [, name] of readFileSync(source, "utf8").matchAll(uses))
    if (known.has(name)) names.add(name);

const symbols = [...names].sort().map((name) => {
  const svg = readFileSync(join(iconFolder, `${name}.svg`), "utf8");
  const body = svg.slice(svg.indexOf(">", svg.indexOf("<svg")) + 1, svg.lastIndexOf("</svg>"));
  return `<symbol id="${name}" viewBox="0 0 24 24">${body.replace(/\s+/g, " ").trim()}</symbol>`;
});
writeFileSync(
  join(root, "src/icons.svg"),
  `<svg xmlns="http://www.w3.org/2000/svg" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round">\n${symbols.join("\n")}\n</svg>\n`,
);
console.log(`${names.size} icons`);

function walk(folder, ending) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(ending))
    .map((entry) => join(entry.parentPath, entry.name));
}
