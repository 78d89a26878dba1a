/** The app in a desktop's real tray: what its sign says and does, closing, ending, and a start without a window. */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { directory, until } from "./driver.mjs";
import { stage } from "./stage.mjs";
import { openTray } from "./tray.mjs";

const { app, desktop, open } = stage("tray-server");

const ALONE = "Not connected to another computer yet";
const FILES = 400;

async function tray() {
  const shown = await openTray();
  open.push(() => shown.end());
  return shown;
}

const isRunning = (window) => !window.log().includes("device stopped");

const hasEnded = (window) => until("the engine's last word", () => !isRunning(window));

test("a closed window stays in the tray, whose sign and a second start bring it back", async () => {
  const around = await desktop();
  const panel = await tray();
  const shed = await app("Shed");
  await shed.see("A direct line between your computers");
  const sign = await panel.sign();
  await sign.see(ALONE);
  assert.deepEqual(
    sign.lines().map(({ text, isChoice }) => [text, isChoice]),
    [[ALONE, false], [null, false], ["Open Towline", true], [null, false], ["Quit Towline", true]],
  );
  assert.ok(sign.tip().includes(ALONE));

  await shed.press("Pair a device");
  await shed.press("Home");
  const window = await around.window("Towline");
  const place = await around.place(window, { x: 300, y: 170, width: 900, height: 560 });
  around.picture("tray-1-open");
  around.close(window);
  await around.gone("Towline");
  around.picture("tray-2-closed");
  await sign.choose("Open Towline");
  await around.inFront(window);
  assert.deepEqual(around.placeOf(window), place);
  await shed.see("Towline went on when you closed its window.");
  await shed.picture("tray-3-asks");
  await shed.press("Keep it so");

  around.close(window);
  await around.gone("Towline");
  assert.equal(await shed.again("--hidden"), 0);
  assert.equal(await shed.again(), 0);
  await around.inFront(window);
  assert.doesNotMatch(await shed.text(), /Towline went on/);

  around.close(window);
  await around.gone("Towline");
  sign.press();
  await around.inFront(window);
  assert.ok(isRunning(shed));
  await sign.choose("Quit Towline");
  await hasEnded(shed);
  await panel.empty();
});

test("all folders are paused from the tray, and what was begun is whole after the end", async () => {
  const panel = await tray();
  const home = directory("Shed");
  const shed = await app("Shed", { TOWLINE_HOME: home });
  const root = join(directory("whole"), "Garden");
  mkdirSync(root);
  for (let number = 0; number < FILES; number += 1) writeFileSync(join(root, `${number}.txt`), `${number}\n`.repeat(2000));
  await shed.press("Pair a device");
  await shed.press("Folders");
  await shed.press("Add a folder");
  await shed.fill("Which folder?", root);
  await shed.press("Add folder");
  const sign = await panel.sign();
  await sign.choose("Pause all folders");
  await sign.see("Your folders are paused");
  await shed.see("Paused");
  await sign.choose("Resume all folders");
  await sign.see("Pause all folders");
  await sign.choose("Quit Towline");
  await hasEnded(shed);
  await panel.empty();

  const again = await app("Shed-again", { TOWLINE_HOME: home });
  await again.press("Folders");
  await again.see(`${FILES} files`);
  const names = readdirSync(root).filter((name) => name.endsWith(".txt"));
  assert.equal(names.length, FILES);
  assert.ok(names.every((name) => readFileSync(join(root, name), "utf8") === `${parseInt(name, 10)}\n`.repeat(2000)));
});

test("where a person wants it, closing ends the app although there is a tray", async () => {
  const around = await desktop();
  const panel = await tray();
  const shed = await app("Shed");
  await panel.sign();
  await shed.press("Pair a device");
  await shed.press("Settings");
  await shed.see("Stay in the tray");
  await shed.choose("Quit");
  await shed.see("Saved");
  await shed.picture("tray-4-settings");
  around.close(await around.window("Towline"));
  await hasEnded(shed);
  await panel.empty();
});

test("Ctrl+Q ends the app, on every screen", async () => {
  const around = await desktop();
  const shed = await app("Shed");
  await shed.see("A direct line between your computers");
  await around.inFront(await around.window("Towline"));
  around.keys("ctrl+q");
  await hasEnded(shed);
});

test("started without a window the app is in the tray, and in sight once the tray is gone", async () => {
  const around = await desktop();
  const panel = await tray();
  const shed = await app("Shed", {}, ["--hidden"]);
  const sign = await panel.sign();
  await sign.see(ALONE);
  await around.gone("Towline");
  await sign.choose("Open Towline");
  const window = await around.window("Towline");
  await around.inFront(window);
  around.picture("tray-5-opened");
  around.close(window);
  await around.gone("Towline");

  await panel.end();
  await around.small(window);
  assert.equal(await shed.again(), 0);
  await around.inFront(window);
  await shed.press("Pair a device");
  await shed.press("Settings");
  await shed.see("closing the window ends Towline");
  around.close(window);
  await hasEnded(shed);
});
