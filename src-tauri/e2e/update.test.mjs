/**
 * The app brings itself from 0.1.0 to 0.2.0: two real programs, a publisher on loopback with keys of this run. What
 * goes wrong leaves the old one as it was, and nothing of the device is lost.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, afterEach, before, test } from "node:test";

import { directory, need, program, until } from "./driver.mjs";
import { openPublisher } from "./publisher.mjs";
import { stage } from "./stage.mjs";

const { app, desktop, open, server, showsCode } = stage("update-server");

/** Both versions, without what only a debugger reads, so that a download is no longer than it must be. */
const versions = {};
let publisher;

before(async () => {
  const place = directory("versions");
  for (const [name, built] of [["old", need("TOWLINE_APP_BIN")], ["next", need("TOWLINE_APP_NEXT_BIN")]]) {
    versions[name] = join(place, name);
    assert.equal(spawnSync("strip", ["-o", versions[name], built]).status, 0);
  }
  // What is refused anyway need not be an app.
  versions.small = join(place, "small");
  writeFileSync(versions.small, `\x7fELF${"towline".repeat(10_000)}`);
  publisher = await openPublisher();
});

afterEach(() => {
  publisher.files.clear();
  publisher.line = "whole";
  publisher.asked = [];
});

after(() => publisher?.end());

/** An app of the old version in a place of its own, with what its home holds. */
async function old(name, { args = [], files = {}, env = {} } = {}) {
  const home = join(directory(name), "towline");
  const binary = join(directory(`${name}-bin`), "towline-app");
  cpSync(versions.old, binary);
  mkdirSync(home, { mode: 0o700 });
  for (const [file, text] of Object.entries(files)) writeFileSync(join(home, file), text);
  const around = { TOWLINE_HOME: home, ...publisher.env, ...env };
  const window = await app(name, around, args, binary);
  return { window, home, binary, around };
}

/** The same app again, whichever version lies there now. */
async function again({ window, around, binary }) {
  await window.gone();
  const next = await app(`${window.name}-again`, around, [], binary);
  await next.see("Settings");
  return next;
}

const same = (one, other) => readFileSync(one).equals(readFileSync(other));
const isOld = ({ binary }) => same(binary, versions.old);
const isNext = ({ binary }) => same(binary, versions.next);
const NEXT_STARTED = 'the app has started version="0.2.0"';
const ASKED = { "updates.json": '{"asking":"always"}' };

test("an update is found, read about, fetched and installed now, and the device is as it was", async () => {
  publisher.publish(versions.next);
  const { link } = await showsCode("Attic");
  const shed = await old("Update-now", { args: [link], files: ASKED });
  const { window } = shed;
  await window.size(960, 640);
  await window.press("Connect");
  await window.see("Paired with Attic");
  await window.press("They match");
  const folder = join(directory("kept"), "Garden plans");
  mkdirSync(folder);
  writeFileSync(join(folder, "tomatoes.txt"), "plant in May\n");
  await window.press("Share a folder");
  await window.fill("Which folder?", folder);
  await window.press("Add folder");
  await window.see("Invited, not accepted yet");
  await window.press("Home");
  // It has asked by itself.
  await window.see("Towline 0.2.0 is there.");
  await window.picture("update-1-home");
  await window.press("Settings");
  await window.see("This is Towline 0.1.0.");
  await window.see("<b>Text</b>");
  const id = await window.part("dl code");
  await window.press("Install and restart");
  await until("the next version", () => window.log().includes(NEXT_STARTED));
  await until("its engine", () => window.log().split("device started").length === 3);
  assert.ok(window.log().includes("device stopped"), "the first engine has not ended in good order");
  assert.ok(isNext(shed));
  await window.close();

  const next = await again(shed);
  await next.see("Garden plans");
  await next.see("Attic");
  await next.press("Settings");
  await next.see("This is Towline 0.2.0.");
  await next.see("Up to date");
  assert.equal(await next.part("dl code"), id);
  await next.picture("update-2-installed");

  // Nobody is told who asks, or from which version.
  assert.deepEqual([...new Set(publisher.asked.map(({ path }) => path))].sort(), ["/release", "/stable.json", "/stable.json.sig"]);
  for (const { headers } of publisher.asked) {
    assert.equal(headers["user-agent"], "towline");
    assert.deepEqual(Object.keys(headers).sort(), ["accept", "host", "user-agent"]);
  }
});

test("an update is fetched by itself, and installed when the app is closed", async () => {
  publisher.publish(versions.next);
  const around = await desktop();
  const shed = await old("Update-quit");
  await shed.window.see("A direct line between your computers");
  await until("a whole download", () => publisher.asked.some(({ path }) => path === "/release"));
  await shed.window.press("Pair a device");
  await shed.window.press("Home");
  await shed.window.see("Towline 0.2.0 is ready.");
  assert.ok(isOld(shed));
  around.close(await around.window("Towline"));
  await until("the next version at its place", () => isNext(shed));
  assert.ok(shed.window.log().includes("device stopped"));
  await shed.window.close();
  const next = await again(shed);
  await next.press("Settings");
  await next.see("This is Towline 0.2.0.");
});

test("what is not what the publisher has signed is refused, and the app stays as it was", async () => {
  const shed = await old("Update-refused");
  const { window } = shed;
  await window.press("Pair a device");
  await window.press("Settings");
  await window.see("The publisher has no versions on this channel.");
  const forged = "Somebody else than Towline's publisher answered";
  const wrong = "What was fetched is not what Towline's publisher has signed.";
  const other = "What was fetched is another version than the one that was announced.";
  for (const [name, publish, told] of [
    ["a byte of the release", () => (publisher.publish(versions.small), publisher.spoil("/release")), wrong],
    ["another key", () => publisher.publish(versions.small, { key: publisher.others }), wrong],
    ["a byte of the manifest", () => (publisher.publish(versions.small), publisher.spoil("/stable.json")), forged],
    ["a manifest by another key", () => publisher.publish(versions.small, { manifestKey: publisher.others }), forged],
    ["an older release as a newer one", () => publisher.publish(versions.small, { version: "0.3.0", signed: "0.2.0" }), other],
    ["no signed version", () => publisher.publish(versions.small, { signed: null }), other],
    ["an older version", () => publisher.publish(versions.small, { version: "0.0.9" }), "Up to date"],
    ["a beta on the stable channel", () => publisher.publish(versions.small, { version: "0.2.0-beta.1" }), "Up to date"],
  ]) {
    publish();
    // What was told of the case before is gone when this one is asked.
    publisher.asked = [];
    await window.press("Check now");
    await until(`the question of ${name}`, () => publisher.asked.some(({ path }) => path === "/stable.json.sig"));
    await until(`the end of ${name}`, async () => !/Fetching|Looking for/.test(await window.text()));
    await window.see(told);
    assert.ok(isOld(shed), name);
    await window.picture(`update-refused-${name.replaceAll(" ", "-")}`);
  }
  publisher.publish(versions.next);
  await window.press("Check now");
  await window.see("Towline 0.2.0 is ready");
});

test("a download that breaks leaves the app as it was, and the next one is installed", async () => {
  publisher.publish(versions.next);
  publisher.line = "cut";
  const shed = await old("Update-cut");
  const { window } = shed;
  await window.press("Pair a device");
  await window.press("Settings");
  await window.see("The new version did not come completely.");
  assert.ok(isOld(shed));
  publisher.line = "held";
  await window.press("Install and restart");
  await window.see("Fetching Towline 0.2.0");
  await window.picture("update-held");
  // Whoever pulls the plug now has the old version.
  await window.kill();
  assert.ok(isOld(shed));
  publisher.line = "whole";
  const next = await again(shed);
  await next.press("Settings");
  await next.see("Towline 0.2.0 is ready");
  await next.press("Install and restart");
  await until("the next version", () => next.log().includes(NEXT_STARTED));
  assert.ok(isNext(shed));
});

test("whoever ends the app while it installs has the old version or the next one, whole", async () => {
  publisher.publish(versions.next);
  const shed = await old("Update-killed");
  const { window } = shed;
  await window.press("Pair a device");
  await window.press("Settings");
  await window.see("Towline 0.2.0 is ready");
  await window.press("Install and restart");
  await until("the installation", () => window.log().includes("an update is installed"));
  await window.kill();
  assert.ok(isOld(shed) || isNext(shed));
  const next = await again(shed);
  await next.press("Settings");
  await next.see("This is Towline 0.");
});

test("whoever has updates switched off, or stays in the local network, asks nobody", async () => {
  publisher.publish(versions.next);
  const [off, near] = await Promise.all([
    old("Update-off", { files: { "config.toml": 'update = "off"\n' } }),
    old("Update-near", { env: { TOWLINE_LAN_ONLY: "true" } }),
  ]);
  for (const [{ window }, text] of [
    [off, "Updates are switched off."],
    [near, "this device stays within the local network."],
  ]) {
    await window.press("Pair a device");
    await window.press("Settings");
    await window.see(text);
  }
  await off.window.see("Set in this device's file of settings.");
  assert.deepEqual(publisher.asked, []);
});

test("a window that is attached to another program's engine says that it does not update that one", async () => {
  publisher.publish(versions.next);
  const home = directory("attached");
  const env = { TOWLINE_HOME: home, TOWLINE_KEY_FILE: "true", TOWLINE_SERVER: server.url };
  const up = program("attached-up", need("TOWLINE_BIN"), ["up", "--json"], env);
  open.push(() => up.end());
  await up.line(/"event":"up"/);
  const shed = await old("Update-attached", { env: { TOWLINE_HOME: home } });
  await shed.window.press("Pair a device");
  await shed.window.press("Settings");
  await shed.window.see("The engine of this device runs in another program");
});
