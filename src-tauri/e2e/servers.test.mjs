/** No server at first: one window runs one, the other is told its address, and they pair by a code. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { until } from "./driver.mjs";
import { stage } from "./stage.mjs";

const { app } = stage("servers");

/** Nobody has named a server, and nobody is looked for nearby. */
const ALONE = { TOWLINE_SERVER: undefined, DISABLE_MDNS: "1" };

/** The address that a window tells for its server. */
const told = (window) => window.part("section ul code");

test("a window runs a server, another one uses it, and they pair by a code", async () => {
  const [studio, laptop] = await Promise.all([app("Studio", ALONE), app("Laptop", ALONE)]);
  await Promise.all([studio.size(960, 700), laptop.size(960, 700)]);
  await studio.see("On this network only, so far");
  await studio.picture("servers-1-first-start");
  await studio.press("Run one on this computer");
  await studio.see("Runs on this computer");
  await studio.see("Online");
  await studio.picture("servers-2-runs");
  const address = await told(studio);
  assert.match(address, /^ws:\/\/[0-9.]+:[0-9]+\/ws$/);

  await laptop.press("Use a server");
  await laptop.fill("Address of a server", "nonsense at all");
  await laptop.press("Use it");
  await laptop.see("That is no signal server's address.");
  await laptop.fill("Address of a server", address);
  await laptop.press("Use it");
  await laptop.see("Online");
  await laptop.picture("servers-3-used");

  await studio.press("Pair a device");
  const code = await studio.part("[data-code]");
  await laptop.press("Enter a code");
  await laptop.fill("Code of the other device", code);
  await laptop.press("Connect");
  await Promise.all([laptop.see("Paired with Studio"), studio.see("Paired with Laptop")]);
  for (const window of [studio, laptop]) await window.press("They match");

  await studio.press("Settings");
  await studio.see("A server on this computer");
  await studio.picture("servers-4-settings");
  await studio.press("Stop it");
  await studio.see("The server on this computer has stopped");
  await until("the address to be gone", async () => !(await studio.text()).includes(address));
});
