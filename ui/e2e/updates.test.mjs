/** Updates, as a person meets them: found, read about, fetched, installed now or later, locked. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { journeys, picture } from "./browser.mjs";

const { at } = journeys();

/** The settings at a scene. */
async function settings(scene) {
  const shown = await at(scene);
  await shown.page.getByRole("navigation").getByRole("button", { name: "Settings" }).click();
  return shown;
}

/** Waits for a text. */
const see = (page, text) => page.getByText(text).first().waitFor();

test("a new version is told at home, and installed when its person says so", async () => {
  const shown = await at("update");
  await see(shown.page, "Towline 0.2.0 is there.");
  await shown.page.getByRole("button", { name: "Show", exact: true }).click();
  await see(shown.page, "What is new in 0.2.0");
  // Notes are text, whatever stands in them.
  await see(shown.page, "<b>Notes</b> are text.");
  await shown.page.getByRole("button", { name: "Install when I quit Towline" }).click();
  await shown.page.getByRole("progressbar", { name: "Progress of the update" }).waitFor();
  await see(shown.page, "Towline 0.2.0 is ready");
  await picture(shown.page, "updates-ready");
  await shown.page.getByRole("button", { name: "Install and restart" }).click();
  await see(shown.page, "Installing Towline 0.2.0");
  assert.deepEqual(shown.errors, []);
  await shown.close();
});

test("somebody who asks gets an answer, and choices stay", async () => {
  const shown = await settings("synced");
  await shown.page.getByRole("button", { name: "Check now" }).click();
  await see(shown.page, "Towline 0.2.0 is there");
  await shown.page.getByRole("radio", { name: "Beta" }).check();
  const automatic = shown.page.getByRole("switch", { name: /^Fetch new versions/ });
  await automatic.uncheck();
  assert.equal(await automatic.isChecked(), false);
  assert.equal(await shown.page.getByRole("radio", { name: "Beta" }).isChecked(), true);
  await shown.close();
});

test("what an administrator has set cannot be changed here", async () => {
  for (const [scene, text] of [
    ["update_off", "Updates are switched off."],
    ["update_pinned", "Only versions that begin with 0.1 are installed."],
  ]) {
    const shown = await settings(scene);
    await see(shown.page, text);
    await see(shown.page, "Set by this computer's administrator.");
    assert.equal(await shown.page.getByRole("radio", { name: "Beta" }).count(), 0);
    await shown.close();
  }
});
