/** A folder between two real windows: how its progress is seen, and a conflict that is decided. */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { closeSync, createReadStream, existsSync, mkdirSync, openSync, readFileSync, statSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { test } from "node:test";

import { directory, until } from "./driver.mjs";
import { pair, stage } from "./stage.mjs";

const { app } = stage("folders-server");

/** Two windows that share a folder; what is in it is made before. */
async function shared(fill) {
  const [one, other] = await Promise.all([app("Studio"), app("Laptop")]);
  await Promise.all([one.size(960, 640), other.size(960, 640)]);
  await pair(one, other);
  const [here, there] = [join(directory("shared"), "Garden"), join(directory("taken"), "Garden")];
  mkdirSync(here);
  fill(here);
  await one.press("Share a folder");
  await one.fill("Which folder?", here);
  await one.press("Add folder");
  // Right after pairing the other window asks where it shall lie.
  await other.see("Take part in “Garden”");
  await other.fill("Where shall it lie?", there);
  return { one, other, here, there };
}

async function hash(path) {
  const sum = createHash("sha256");
  await pipeline(createReadStream(path), sum);
  return sum.digest("hex");
}

/** A file of a gigabyte whose bytes are random, so that none of them is there already. */
function gigabyte(path) {
  const file = openSync(path, "w");
  for (let part = 0; part < 64; part += 1) writeSync(file, randomBytes(2 ** 24));
  closeSync(file);
}

test("the progress of a gigabyte is seen until it is there", async () => {
  const { other, here, there } = await shared((here) => gigabyte(join(here, "film.raw")));
  // Keeps what the progress shows, each time that it is another.
  await other.run(`window.seen = [];
    new MutationObserver(() => {
      const now = document.querySelector("[role=progressbar]")?.getAttribute("aria-valuenow");
      if (now != null && window.seen.at(-1) !== Number(now)) window.seen.push(Number(now));
    }).observe(document.body, { subtree: true, childList: true, attributes: true })`);
  await other.press("Accept");
  await other.until("half of it", async () => (await other.run("return window.seen")).some((share) => share >= 50));
  await other.picture("progress-1-half");
  const film = join(there, "film.raw");
  await until("the whole file", () => existsSync(film) && statSync(film).size === 2 ** 30);
  await other.see("In sync");
  const seen = await other.run("return window.seen");
  assert.ok(seen.length >= 5, `there was little to see: ${seen}`);
  assert.ok(seen.every((share, place) => place === 0 || share >= seen[place - 1]), `it went back: ${seen}`);
  assert.equal(await hash(film), await hash(join(here, "film.raw")));
  await other.picture("progress-2-there");
});

test("a conflict is shown side by side and decided", async () => {
  const { one, other, here, there } = await shared((here) => writeFileSync(join(here, "tomatoes.txt"), "plant in May\n"));
  const reads = (path, text) => until(path, () => existsSync(path) && readFileSync(path, "utf8") === text);
  await other.press("Accept");
  await reads(join(there, "tomatoes.txt"), "plant in May\n");
  await Promise.all([one.see("In sync"), other.see("In sync")]);
  await other.press("Pause");
  await other.see("Nothing is sent or received until you resume.");
  writeFileSync(join(here, "tomatoes.txt"), "plant in the middle of May\n");
  writeFileSync(join(there, "tomatoes.txt"), "plant after the last frost\n");
  await one.see("1 file, 27 bytes");
  await other.press("Resume");
  await other.press("Conflicts 1");
  await other.press("Compare the versions of tomatoes.txt");
  await other.see("plant after the last frost");
  await other.see("plant in the middle of May");
  await other.picture("conflict-1-compared");
  await other.press("Keep the version of Studio");
  await other.see("Decided, on every device");
  for (const place of [here, there]) await reads(join(place, "tomatoes.txt"), "plant in the middle of May\n");
  await one.press("Conflicts");
  await one.see("No conflicts");
  await other.picture("conflict-2-decided");
});
