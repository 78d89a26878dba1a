/** What the window tells while people look elsewhere, shown by a real server of notifications. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { directory, program, until } from "./driver.mjs";
import { stage } from "./stage.mjs";

const { app, desktop, open } = stage("notices-server");

/** Starts what shows notifications, the only one on this bus. */
async function notifications() {
  const settings = join(directory("dunst"), "dunstrc");
  // They stay until somebody opens or closes them, and keep out of the way of the windows.
  writeFileSync(settings, "[global]\nwidth = 420\nheight = 300\noffset = 12x12\norigin = bottom-right\nidle_threshold = 0\n[urgency_normal]\ntimeout = 0\n");
  const server = program("dunst", "dunst", ["-config", settings]);
  open.push(() => server.end());
  await until("the server of notifications", () => ask("is-paused") === "false");
  return {
    /** Waits until one is shown, and nothing else. */
    shown: () => until("a notification", () => ask("count", "displayed") === "1"),
    /** Opens the one that is shown as a click on it does, and gives what it said. */
    async opened() {
      ask("action", "0");
      await until("the notification to be closed", () => ask("count", "displayed") === "0");
      const [latest] = JSON.parse(ask("history")).data[0];
      return { title: latest.summary.data, body: latest.body.data, app: latest.appname.data };
    },
  };
}

function ask(...words) {
  const { status, stdout } = spawnSync("dunstctl", words, { encoding: "utf8" });
  return status === 0 ? stdout.trim() : null;
}

test("a notice tells of a new device and of what it shares, and leads there", async () => {
  const around = await desktop();
  const server = await notifications();
  const studio = await app("Studio");
  await studio.see("A direct line between your computers");
  const studioWindow = await around.window("Towline");
  await studio.press("Pair a device");
  const code = await studio.part("[data-code]");

  // Whoever opens the second window looks at it, and no longer at the first one.
  const laptop = await app("Laptop");
  await laptop.press("Enter a code");
  await until("the new window in front", () => around.front() !== studioWindow);
  const laptopWindow = around.front();
  await laptop.fill("Code of the other device", code);
  await laptop.press("Connect");
  await laptop.see("Paired with Studio");
  await server.shown();
  around.picture("notice-1-paired");
  assert.deepEqual(await server.opened(), {
    title: "Paired with Laptop",
    body: "Compare the pictures on both screens, to be sure that nobody came in between.",
    app: "Towline",
  });
  await around.inFront(studioWindow);
  await studio.see("Compare with Laptop");
  await studio.press("They match");

  // A window that nobody sees follows what happens all the same.
  await around.putAway(laptopWindow);
  const here = join(directory("shared"), "Garden <i>& plans");
  mkdirSync(here);
  await studio.press("Folders");
  await studio.press("Add a folder");
  await studio.fill("Which folder?", here);
  await studio.run('document.querySelector("input[type=checkbox]").click()');
  await studio.press("Add folder");
  await server.shown();
  around.picture("notice-2-invited");
  assert.deepEqual(await server.opened(), {
    title: "Studio shares “Garden <i>& plans” with you",
    body: "Choose where it shall lie on this computer. Nothing is copied before you accept.",
    app: "Towline",
  });
  await around.inFront(laptopWindow);
  await laptop.see("Take part in “Garden <i>& plans”");
  await laptop.picture("notice-3-accept");
});
