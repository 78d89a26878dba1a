/** Prints the bytes of all files of `ui/dist`, each compressed by gzip as web servers do. */
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const DIST = fileURLToPath(new URL("../dist", import.meta.url));
let bytes = 0;
for (const entry of readdirSync(DIST, { recursive: true, withFileTypes: true })) {
  if (entry.isFile()) bytes += gzipSync(readFileSync(join(entry.parentPath, entry.name)), { level: 9 }).length;
}
console.log(bytes);
