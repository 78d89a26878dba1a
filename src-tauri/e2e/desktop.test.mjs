/** The app among the programs of a desktop: one window for each home, links, where the window was. */
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { directory, until } from "./driver.mjs";
import { stage } from "./stage.mjs";

const { app, desktop, server, showsCode } = stage("desktop-server");

/** Holds that the secret of a link is in no log of a window. */
function isSilent(window, link) {
  const secret = new URL(link).searchParams.get("k");
  assert.ok(secret.length > 20);
  assert.ok(!window.log().includes(secret), "the link is in the log");
}

test("a second start brings the window that is there to the front, and another home is another app", async () => {
  const around = await desktop();
  const shed = await app("Shed");
  await shed.see("A direct line between your computers");
  const window = await around.window("Towline");
  await around.inFront(window);
  await around.putAway(window);
  assert.equal(await shed.again(), 0);
  await around.inFront(window);
  assert.doesNotMatch(shed.logAgain(), /device started/);

  // The window of another home comes in front of it, and the next start brings it back.
  const barn = await app("Barn");
  await barn.see("A direct line between your computers");
  await until("the other window in front", () => around.front() !== window);
  around.picture("desktop-1-another-home");
  assert.equal(await shed.again(), 0);
  await around.inFront(window);
  around.picture("desktop-2-second-start");
});

test("who starts the app again after closing its window has a window again", async () => {
  const around = await desktop();
  const shed = await app("Shed");
  await shed.see("A direct line between your computers");
  around.close(await around.window("Towline"));
  await until("the engine's last word", () => shed.log().includes("device stopped"));
  const again = await app("Shed-again", { TOWLINE_HOME: shed.env.TOWLINE_HOME });
  await again.see("Pair a device");
});

test("a link that the app is started with is asked about first, and then pairs", async () => {
  const studio = await showsCode("Studio");
  const shed = await app("Shed", {}, [studio.link]);
  await shed.size(960, 640);
  await shed.see("Pair by this link?");
  await shed.see(`It meets the other device at ${new URL(server.url).host}.`);
  await shed.picture("link-1-asks");
  assert.equal(studio.pairing(), "waiting");
  await shed.press("Connect");
  await shed.see("Paired with Studio");
  await shed.picture("link-2-paired");
  isSilent(shed, studio.link);
});

test("a link that is opened while the app runs is asked about in its window", async () => {
  const around = await desktop();
  const shed = await app("Shed");
  await shed.see("A direct line between your computers");
  const window = await around.window("Towline");
  await around.putAway(window);
  const studio = await showsCode("Studio");
  assert.equal(await shed.again(studio.link), 0);
  await around.inFront(window);
  await shed.see("Pair by this link?");
  await shed.press("Clear");
  await shed.see("Enter a code");
  assert.equal(studio.pairing(), "waiting");

  assert.equal(await shed.again(studio.link), 0);
  await shed.see("Pair by this link?");
  await shed.press("Connect");
  await shed.see("Paired with Studio");
  isSilent(shed, studio.link);
});

test("a link that cannot be used says so, and what to do", async () => {
  const shed = await app("Shed", {}, ["towline://pair?v=1&c=K7M"]);
  await shed.see("This link cannot be used.");
  await shed.see("Copy it again on the other device, or type its code.");
  await shed.picture("link-3-wrong");
  assert.equal(await shed.again("https://towline.example"), 2);
  await until("why not", () => shed.logAgain().includes("a link begins with towline://"));
});

test("the window comes back where it was and as large as it was", async () => {
  const around = await desktop();
  const first = await app("Shed");
  const home = first.env.TOWLINE_HOME;
  await first.see("A direct line between your computers");
  const window = await around.window("Towline");
  const moved = await around.place(window, { x: 300, y: 170, width: 900, height: 560 });
  around.picture("frame-1-moved");
  around.close(window);
  await until("the engine's last word", () => first.log().includes("device stopped"));
  await first.close();

  const second = await app("Shed-again", { TOWLINE_HOME: home });
  await second.see("Pair a device");
  await second.picture("frame-2-back-page");
  assert.deepEqual(around.placeOf(await around.window("Towline")), moved);
  around.picture("frame-2-back");
});

test("a window of a screen that is gone comes to the one that is there", async () => {
  const around = await desktop();
  const home = directory("Shed");
  const gone = { x: 5000, y: 300, width: 960, height: 4000, maximized: false };
  writeFileSync(join(home, "window.json"), JSON.stringify(gone));
  const shed = await app("Shed", { TOWLINE_HOME: home });
  await shed.see("A direct line between your computers");
  const { x, y, width, height } = around.placeOf(await around.window("Towline"));
  await shed.picture("frame-3-gone-page");
  around.picture("frame-3-gone");
  assert.ok(x >= 0 && x + width <= 1600, `from ${x} to ${x + width}`);
  assert.ok(y >= 0 && height <= 1000, `from ${y} on, ${height} high`);
});

test("a folder that is dragged onto the window is asked about, ready to be added", async () => {
  const around = await desktop();
  const place = directory("drag");
  const here = join(place, "Garden plans");
  mkdirSync(here);
  const shed = await app("Shed");
  await shed.see("A direct line between your computers");
  const window = await around.window("Towline");
  await around.place(window, { x: 900, y: 40, width: 660, height: 860 });

  // Another program's list of files, which is what the dialog of another device is.
  const barn = await app("Barn");
  await barn.press("Pair a device");
  await barn.press("Folders");
  await barn.press("Add a folder");
  await barn.fill("Which folder?", place);
  await barn.press("Choose…");
  const list = await around.window("Which folder?");
  await around.place(list, { x: 20, y: 380, width: 800, height: 560 });

  const isOver = async () => (await shed.text()).includes("Drop a folder to keep it in sync");
  await around.drop("Which folder?", window, isOver, "drag-1-over");
  await shed.holds("Which folder?", here);
  assert.equal(await isOver(), false);
  around.picture("drag-2-dropped");
  await around.leave("Which folder?", "drag-3-left");
  await shed.press("Add folder");
  await shed.see(here);
});
