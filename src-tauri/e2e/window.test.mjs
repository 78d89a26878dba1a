/** Two real windows, a real server and real folders: pair, sync both ways, and what can go wrong. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { directory, need, program, until } from "./driver.mjs";
import { pair, stage } from "./stage.mjs";

const { app, desktop, open, server } = stage("server");

const arrives = (path, text) =>
  until(path, () => existsSync(path) && readFileSync(path, "utf8") === text);

test("two windows pair by a code and keep a folder in sync both ways", async () => {
  const [studio, laptop] = await Promise.all([
    app("Studio"),
    app("Laptop", { GTK_THEME: "Adwaita:dark" }),
  ]);
  await Promise.all([studio.size(960, 640), laptop.size(960, 640)]);
  await studio.see("A direct line between your computers");
  await studio.picture("1-first-start");

  await studio.press("Pair a device");
  const code = await studio.part("[data-code]");
  assert.match(code, /^[A-Z2-9]{3,4}-[A-Z2-9]{3,4}$/);
  await studio.picture("2-code");

  await laptop.press("Enter a code");
  await laptop.fill("Code of the other device", code.toLowerCase().replace("-", ""));
  await laptop.picture("3-code-entered");
  await laptop.press("Connect");

  await Promise.all([laptop.see("Paired with Studio"), studio.see("Paired with Laptop")]);
  const symbols = await Promise.all([laptop.part("main ol"), studio.part("main ol")]);
  assert.equal(symbols[0], symbols[1]);
  await Promise.all([studio.picture("4-compare-studio"), laptop.picture("4-compare-laptop")]);
  await Promise.all([studio.press("They match"), laptop.press("They match")]);

  const here = join(directory("shared"), "Garden plans");
  mkdirSync(join(here, "beds"), { recursive: true });
  writeFileSync(join(here, "beds", "tomatoes.txt"), "plant in May\n");
  for (let number = 0; number < 40; number += 1) {
    writeFileSync(join(here, `photo-${number}.raw`), `${number} `.repeat(20_000));
  }
  await studio.press("Share a folder");
  await studio.fill("Which folder?", here);
  await studio.picture("5-add-folder");
  await studio.press("Add folder");
  await studio.see("Invited, not accepted yet");
  await studio.picture("6-invited");

  const there = join(directory("taken"), "Garden");
  await laptop.press("Done");
  await laptop.press("Home");
  await laptop.see("Studio shares “Garden plans” with you");
  await laptop.picture("7-invitation");
  await laptop.press("Choose where");
  await laptop.fill("Where shall it lie?", there);
  await laptop.press("Accept");
  await laptop.see("Garden plans");
  await laptop.picture("8-accepted");

  await arrives(join(there, "beds", "tomatoes.txt"), "plant in May\n");
  await arrives(join(there, "photo-39.raw"), "39 ".repeat(20_000));
  writeFileSync(join(there, "from-laptop.txt"), "written on the other side\n");
  await arrives(join(here, "from-laptop.txt"), "written on the other side\n");

  await Promise.all([studio.see("All in sync"), laptop.see("All in sync")]);
  // Whoever shares looks at the folder's devices, whoever accepts at its files.
  await studio.see("Connected");
  await studio.picture("9-folder-studio");
  await studio.press("Home");
  await laptop.press("Home");
  await Promise.all([studio.see("Connected"), laptop.see("Connected")]);
  await Promise.all([studio.press("Dismiss"), laptop.press("Dismiss")]);
  await Promise.all([studio.picture("10-home-studio"), laptop.picture("10-home-laptop")]);
});

test("a folder is shared and accepted where the system's dialog says", async () => {
  const around = await desktop();
  const [studio, laptop] = await Promise.all([app("Studio"), app("Laptop")]);
  await Promise.all([studio.size(960, 640), laptop.size(960, 640)]);
  await pair(studio, laptop);

  const here = join(directory("shared"), "Garden plans");
  mkdirSync(here);
  writeFileSync(join(here, "tomatoes.txt"), "plant in May\n");
  await studio.press("Share a folder");
  await studio.press("Choose…");
  await around.choose("Which folder?", here, "dialog-1-share");
  await studio.holds("Which folder?", here);
  await studio.picture("dialog-2-chosen");

  // Asked again it begins there, opens only once, and changes nothing when it is left.
  await studio.press("Choose…");
  await around.window("Which folder?");
  await studio.press("Choose…");
  await around.leave("Which folder?", "dialog-3-again");
  await studio.holds("Which folder?", here);
  await studio.press("Add folder");
  await studio.see("Invited, not accepted yet");

  const there = join(directory("taken"), "Garden");
  mkdirSync(there);
  await laptop.press("Done");
  await laptop.press("Home");
  await laptop.press("Choose where");
  await laptop.press("Choose…");
  await around.choose("Where shall it lie?", there, "dialog-4-accept");
  await laptop.holds("Where shall it lie?", there);
  await laptop.press("Accept");
  await arrives(join(there, "tomatoes.txt"), "plant in May\n");
  await Promise.all([studio.see("All in sync"), laptop.see("All in sync")]);
  await Promise.all([studio.see(here), laptop.see(there)]);
  await studio.picture("dialog-5-folder-studio");
  await laptop.picture("dialog-6-folder-laptop");
});

test("a wrong code says so, and what to do", async () => {
  const window = await app("Kitchen");
  await window.press("Enter a code");
  await window.fill("Code of the other device", "ABC-234");
  await window.press("Connect");
  await window.see("The code was wrong, or it has been used.");
  await window.see("Make a new one and type that.");
  await window.picture("wrong-code");
});

test("an unreachable server is a banner, and pairing says what to do", async () => {
  const window = await app("Cellar", { TOWLINE_SERVER: "ws://127.0.0.1:9/ws" });
  await window.press("Pair a device");
  await window.see("The signal server cannot be reached.");
  await window.see("Check");
  await window.picture("server-unreachable");
});

test("closing the window ends its engine in good order", async () => {
  const around = await desktop();
  const window = await app("Shed");
  await window.see("A direct line between your computers");
  around.close(await around.window("Towline"));
  await until("the engine's last word", () => window.log().includes("device stopped"));
});

test("whoever logs out has the engine end in good order", async () => {
  const window = await app("Shed");
  await window.see("A direct line between your computers");
  window.logOut();
  await until("the engine's last word", () => window.log().includes("device stopped"));
});

test("a server's address that is none is told before anything else", async () => {
  const window = await app("Attic", { TOWLINE_SERVER: "nonsense" });
  await window.see("Towline could not start");
  await window.see("wss://signal.example.org/ws");
  await window.picture("wrong-server-address");
});

test("a window attaches to the engine that runs on its home", async () => {
  const home = directory("daemon");
  const env = { TOWLINE_HOME: home, TOWLINE_KEY_FILE: "true", TOWLINE_SERVER: server.url };
  const up = program("daemon", need("TOWLINE_BIN"), ["up", "--json"], { ...env, TOWLINE_NAME: "Daemon" });
  open.push(() => up.end());
  await up.line(/"event":"up"/);
  const window = await app("Porch", env);
  await window.fill("What is this computer called?", "Front porch");
  await window.press("Pair a device");
  await window.part("[data-code]");
  await window.see("Front porch");
  await up.end();
  await window.see("This device has stopped");
  await window.picture("engine-stopped");
  await window.press("Start again");
  await window.see("Front porch");
});
