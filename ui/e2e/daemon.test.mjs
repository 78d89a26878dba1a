/**
 * Two real devices in two browsers, with a real server between them: pair, sync, a conflict, a file that comes back,
 * a setting; and what opens a device to a browser, and what does not.
 */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { launch, picture, violations, visit } from "./browser.mjs";
import { Daemon, directory, startServer, until } from "./daemons.mjs";

const HERE = join(directory("here"), "Garden plans");
const THERE = join(directory("there"), "Garden");

let browser;
let server;
let [studio, laptop] = [];
/** Their pages. */
let [left, right] = [];

before(async () => {
  browser = await launch();
  server = await startServer();
  [studio, laptop] = ["Studio", "Laptop"].map((name) => new Daemon(name, server));
  await Promise.all([studio.start(), laptop.start()]);
  left = await studio.open(browser);
  right = await laptop.open(browser, { theme: "dark" });
});

after(async () => {
  await browser?.close();
  await Promise.all([studio?.end(), laptop?.end()]);
  await server?.end();
});

const see = (page, text) => page.getByText(text).first().waitFor();
const press = (page, name) => page.getByRole("button", { name }).first().click();
const arrives = (path, text) => until(path, () => existsSync(path) && readFileSync(path, "utf8") === text);
const goes = (path) => until(`${path} to go`, () => !existsSync(path));

/** Goes to a part of the garden's folder. */
async function tab(page, name) {
  await page.keyboard.press("Control+2");
  await press(page, /Garden plans/);
  await page.getByRole("tab", { name }).click();
}

/** Looks at a page as a person does, and as axe does. */
async function look(page, name) {
  await picture(page, `daemon-${name}`);
  assert.deepEqual(await violations(page), [], name);
}

test("two devices pair by a code", async () => {
  const [one, other] = [left.page, right.page];
  await see(one, "A direct line between your computers");
  // The token is gone from the address as soon as it is used.
  assert.equal(new URL(one.url()).hash, "");
  assert.deepEqual(await one.context().cookies(), []);
  await look(one, "1-first-start");
  await press(one, "Pair a device");
  const code = await one.locator("[data-code]").innerText();
  await press(other, "Enter a code");
  await other.getByLabel("Code of the other device").fill(code);
  await press(other, "Connect");
  await Promise.all([see(one, "Paired with Laptop"), see(other, "Paired with Studio")]);
  await look(other, "2-compare");
  for (const page of [one, other]) await press(page, "They match");
});

test("a folder is shared, accepted and kept in sync", async () => {
  const [one, other] = [left.page, right.page];
  mkdirSync(HERE);
  writeFileSync(join(HERE, "tomatoes.txt"), "plant in May\n");
  writeFileSync(join(HERE, "beans.txt"), "plant in June\n");
  await press(one, "Share a folder");
  // A browser has no dialog of that computer, so there is only the path.
  assert.equal(await one.getByRole("button", { name: "Choose…" }).count(), 0);
  await one.getByLabel("Which folder?").fill(HERE);
  await look(one, "3-add-folder");
  await press(one, "Add folder");
  await see(one, "Invited, not accepted yet");
  await press(other, "Done");
  await other.keyboard.press("Control+1");
  await press(other, "Choose where");
  await other.getByLabel("Where shall it lie?").fill(THERE);
  await look(other, "4-accept");
  await press(other, /^Accept$/);
  await arrives(join(THERE, "tomatoes.txt"), "plant in May\n");
  writeFileSync(join(THERE, "leeks.txt"), "plant in April\n");
  await arrives(join(HERE, "leeks.txt"), "plant in April\n");
  for (const page of [one, other]) {
    await page.keyboard.press("Control+1");
    await see(page, "All in sync");
  }
  await look(one, "5-home");
  await look(other, "5-home-dark");
});

test("a conflict is decided in the browser", async () => {
  const [one, other] = [left.page, right.page];
  await tab(other, "Files");
  await press(other, "Pause");
  await see(other, "Nothing is sent or received until you resume.");
  writeFileSync(join(HERE, "tomatoes.txt"), "plant in the middle of May\n");
  writeFileSync(join(THERE, "tomatoes.txt"), "plant after the last frost\n");
  await until("the change here", () => studio.ask("status").folders[0].needs === 0);
  await press(other, "Resume");
  await other.getByRole("tab", { name: "Conflicts 1" }).click();
  await press(other, "Compare the versions of tomatoes.txt");
  await other.getByRole("group", { name: "Preview of the version of Studio" }).waitFor();
  await look(other, "6-conflict");
  await press(other, "Keep the version of Studio");
  await see(other, "Decided, on every device");
  for (const place of [HERE, THERE]) await arrives(join(place, "tomatoes.txt"), "plant in the middle of May\n");
  await tab(one, "Conflicts");
  await one.getByRole("heading", { name: "No conflicts" }).waitFor();
});

test("a file that was deleted elsewhere comes back", async () => {
  const [one, other] = [left.page, right.page];
  rmSync(join(HERE, "beans.txt"));
  await goes(join(THERE, "beans.txt"));
  await tab(other, "History");
  await other.getByRole("switch", { name: "Only deleted files" }).check();
  await look(other, "7-history");
  await press(other, /^Restore beans\.txt/);
  await see(other, "“beans.txt” is back");
  for (const place of [HERE, THERE]) await arrives(join(place, "beans.txt"), "plant in June\n");
  await tab(one, "Files");
  await see(one, "beans.txt");
});

test("a setting is changed, and the command line sees it", async () => {
  const { page } = left;
  await page.keyboard.press("Control+5");
  await page.getByLabel("Receiving, in MB/s").fill("10");
  await page.getByRole("region", { name: "Speed", exact: true }).getByRole("button", { name: "Save" }).click();
  await see(page, "Saved");
  await look(page, "8-settings");
  assert.equal(studio.ask("status").device.settings.limits.receive, 10_000_000);
});

test("a link opens one tab, which stays open when it is loaded again", async () => {
  const link = studio.link();
  const first = await visit(browser, link);
  await first.page.getByRole("navigation").waitFor();
  await first.page.reload();
  await first.page.getByRole("navigation").waitFor();
  const second = await visit(browser, link);
  await see(second.page, "This link was used, or is older than five minutes.");
  await look(second.page, "9-used-link");
  // A new link is put into the same tab, where only what stands behind # is another.
  await second.page.goto(studio.link());
  await second.page.getByRole("navigation").waitFor();
  assert.deepEqual(first.errors, []);
  // The browser itself tells of the refusal.
  assert.deepEqual(second.errors.filter((error) => !error.includes("401")), []);
  await Promise.all([first.close(), second.close()]);
});

test("a page of another origin gets nothing, and cannot show the device in a frame", async () => {
  const stranger = await browser.newPage();
  const address = `http://${studio.web}`;
  // A page of another device is another program's, on the same computer.
  await stranger.goto(`http://${laptop.web}/`);
  const asked = await stranger.evaluate(
    (url) => fetch(url).then(() => "answered", () => "refused"),
    `${address}/api/door`,
  );
  assert.equal(asked, "refused");
  await stranger.setContent(`<iframe src="${address}/"></iframe>`);
  const frame = await until("the frame", () => stranger.frames()[1]);
  await frame.waitForLoadState();
  assert.equal(await frame.locator("#app").count(), 0);
  await stranger.close();
});

test("a device that stops is waited for, and asks for a link when it is back", async () => {
  const { page } = right;
  await page.keyboard.press("Control+2");
  await laptop.end();
  await see(page, "This device does not answer.");
  await see(page, "Garden plans");
  await look(page, "10-lost");
  await laptop.start();
  await see(page, "Open this device");
  await page.goto(laptop.link());
  await see(page, "Garden plans");
});

test("the console stayed clean", () => {
  assert.deepEqual(left.errors, []);
  // While it was gone the browser told of each try to reach it.
  const others = right.errors.filter((error) => !/ERR_CONNECTION|ERR_INCOMPLETE|401/.test(error));
  assert.deepEqual(others, []);
});
