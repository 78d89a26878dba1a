/** The app among the programs of a desktop: one window for each home. */
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";

import { openDesktop } from "./desktop.mjs";
import { need, openApp, program, until } from "./driver.mjs";

let server;
let url;
const open = [];

before(async () => {
  server = program("desktop-server", need("TOWLINE_SIGNAL_BIN"), ["--bind", "127.0.0.1:0"]);
  [, url] = await server.line(/(ws:\/\/\S+)/);
});

afterEach(async () => {
  for (const end of open.splice(0).reverse()) await end();
});

after(async () => {
  await server?.end();
});

async function app(name, env = {}, ...args) {
  const window = await openApp(name, { TOWLINE_SERVER: url, TOWLINE_NAME: name, ...env }, args);
  open.push(() => window.close());
  return window;
}

async function desktop() {
  const around = await openDesktop();
  open.push(() => around.end());
  return around;
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
