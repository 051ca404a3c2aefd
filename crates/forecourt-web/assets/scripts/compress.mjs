// Writes a brotli and a gzip twin beside each built file that gains from it; assets.rs serves what the
// browser accepts. Fails when the first load of a page grows past its budget.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const BUDGET_KB = 60;
const dist = fileURLToPath(new URL("../dist/", import.meta.url));
let total = 0;
for (const name of readdirSync(dist)) {
  if (!/\.(js|css|svg)$/.test(name)) continue;
  const bytes = readFileSync(dist + name);
  const gzip = gzipSync(bytes, { level: 9 });
  writeFileSync(`${dist}${name}.gz`, gzip);
  writeFileSync(
    `${dist}${name}.br`,
    brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }),
  );
  total += gzip.length;
}
console.log(`first load: ${(total / 1024).toFixed(1)} KB gzip of ${BUDGET_KB} KB`);
if (total > BUDGET_KB * 1024) process.exit(1);
