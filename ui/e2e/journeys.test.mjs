/** What people come for, from the first start to a folder in sync, by mouse and by keyboard. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { journeys, picture, ready, violations } from "./browser.mjs";

const { at: open, journey } = journeys();

const see = (page, text) => page.getByText(text).first().waitFor();
const press = (page, name) => page.getByRole("button", { name }).first().click();

journey("a new device shows a code to read aloud", "new", async (page) => {
  await page.getByLabel("What is this computer called?").fill("Studio");
  await press(page, "Pair a device");
  await see(page, "K7M-2QX");
  await see(page, "Studio");
  assert.match(await page.getByRole("timer").getAttribute("aria-label"), /valid for 4:\d\d/);
  await page.getByRole("img", { name: /QR code/ }).waitFor();
  await press(page, "Copy code");
  await see(page, "Code copied");
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), "K7M-2QX");
  assert.deepEqual(await violations(page), []);
});

journey("two devices pair by a code, compare, and share a folder", "new&step=1500", async (page) => {
  await press(page, "Enter a code");
  // The field has the focus already: a person just types.
  await page.waitForFunction(() => document.activeElement?.tagName === "INPUT");
  await page.keyboard.type("k7m2qx");
  await picture(page, "journey-1-code");
  await page.keyboard.press("Enter");
  await see(page, "Making sure that both know the code…");
  await picture(page, "journey-2-proving");
  await page.getByRole("heading", { name: "Paired with Anna's ThinkPad" }).waitFor();
  await see(page, "sunflower");
  await picture(page, "journey-3-compare");
  assert.deepEqual(await violations(page), []);
  await press(page, "They match");
  await press(page, "Share a folder");
  assert.ok(await page.getByLabel("Anna's ThinkPad").isChecked());
  await press(page, "Choose…");
  await press(page, "Add folder");
  await page.getByRole("heading", { name: "Pictures" }).waitFor();
  await see(page, "Invited, not accepted yet");
  await picture(page, "journey-4-invited");
  await see(page, "In sync");
  await picture(page, "journey-5-in-sync");
});

const LINK = encodeURIComponent("towline://pair?v=1&s=wss%3A%2F%2Fada%40signal.example.org%2Fws&c=K7M&k=abc");

journey("a link that somebody opened asks first, by mouse and not by chance", `new&link=${LINK}`, async (page) => {
  await page.getByRole("heading", { name: "Pair by this link?" }).waitFor();
  await see(page, "It meets the other device at signal.example.org.");
  await picture(page, "journey-link");
  assert.deepEqual(await violations(page), []);
  await page.keyboard.press("Enter");
  await page.keyboard.press("Space");
  await see(page, "Pair by this link?");
  await press(page, "Connect");
  await page.getByRole("heading", { name: /Paired with/ }).waitFor();
});

const DROPPED = encodeURIComponent("/home/ada/Ship's log");

journey("a folder that is dropped on the window is added", `synced&drop=${DROPPED}&step=600`, async (page) => {
  await page.keyboard.press("Control+k");
  await page.getByRole("dialog").waitFor();
  await see(page, "Drop a folder to keep it in sync");
  await picture(page, "journey-drop-1-over");
  assert.deepEqual(await violations(page), []);
  await page.getByRole("heading", { name: "Add a folder" }).waitFor();
  assert.equal(await page.getByRole("dialog").count(), 0);
  assert.equal(await page.getByLabel("Which folder?").inputValue(), "/home/ada/Ship's log");
  await picture(page, "journey-drop-2-form");
  await press(page, "Add folder");
  await page.getByRole("heading", { name: "Ship's log" }).waitFor();
});

journey("a file that is dropped on the window is refused with a reason", "synced&drop=%2Fhome%2Fada%2Fletter.odt", async (page) => {
  await see(page, "This is a file, and only folders are kept in sync.");
  await picture(page, "journey-drop-3-file");
  assert.deepEqual(await violations(page), []);
});

journey("the app starts at login when the person says so, and tells of things unless they do not", "synced", async (page) => {
  await press(page, "Settings");
  const login = page.getByRole("switch", { name: "Start when I log in" });
  await login.click();
  await press(page, "Home");
  await press(page, "Settings");
  await page.waitForFunction(() => document.querySelectorAll("[role=switch]:checked").length >= 2);
  assert.ok(await login.isChecked());
  const notices = page.getByRole("switch", { name: "Tell me when something needs me" });
  assert.ok(await notices.isChecked());
  await notices.click();
  await page.reload();
  await ready(page);
  await press(page, "Settings");
  assert.equal(await notices.isChecked(), false);
  await picture(page, "journey-general");
  assert.deepEqual(await violations(page), []);
});

journey("a system that refuses to start the app leaves the switch as it is", "locked", async (page) => {
  await press(page, "Settings");
  const login = page.getByRole("switch", { name: "Start when I log in" });
  await login.click();
  await see(page, "The system could not be told what to start when you log in.");
  assert.equal(await login.isChecked(), false);
  assert.deepEqual(await violations(page), []);
});

journey("a link that cannot be used says so", "synced&link=towline%3A%2F%2Fnonsense", async (page) => {
  await see(page, "This link cannot be used.");
  await see(page, "Copy it again on the other device, or type its code.");
  await picture(page, "journey-link-wrong");
  assert.deepEqual(await violations(page), []);
  await press(page, "Clear");
  await page.getByText("This link cannot be used.").waitFor({ state: "hidden" });
});

journey("a browser opens a locked device by its password", "synced&browser=password", async (page) => {
  await page.getByLabel("Password").fill("correct horse battery");
  await page.keyboard.press("Enter");
  await page.getByRole("navigation").waitFor();
  await page.keyboard.press("Control+2");
  await see(page, "Notes");
  // Nobody's file manager is there to show it in.
  assert.equal(await page.getByRole("button", { name: /^Open / }).count(), 0);
});

journey("a wrong code says what to do, and a new try works", "new", async (page) => {
  await press(page, "Enter a code");
  await page.getByLabel("Code of the other device").fill("ZZZ-ZZZ");
  await press(page, "Connect");
  await see(page, "The code was wrong, or it has been used.");
  await see(page, "Make a new one and type that.");
  await picture(page, "journey-wrong-code");
  assert.deepEqual(await violations(page), []);
  await page.getByLabel("Code of the other device").fill("K7M2QX");
  await press(page, "Connect");
  await page.getByRole("heading", { name: /Paired with/ }).waitFor();
});

journey("pictures that differ end trust", "new", async (page) => {
  await press(page, "Enter a code");
  await page.getByLabel("Code of the other device").fill("K7M2QX");
  await press(page, "Connect");
  await press(page, "They differ");
  await press(page, "End trust");
  await page.getByRole("status").getByText("The pairing is undone.").waitFor();
  await page.keyboard.press("Control+3");
  await see(page, "No other devices yet");
});

journey("the boxes reject at once what no code holds, and take a paste", "empty", async (page) => {
  await press(page, "Enter a code");
  const field = page.getByLabel("Code of the other device");
  await field.pressSequentially("k7o");
  await see(page, "Codes have no “o”.");
  assert.equal(await field.inputValue(), "K7");
  await page.evaluate(() => navigator.clipboard.writeText("  k7m-2qx "));
  await field.press("Control+a");
  await field.press("Control+v");
  assert.equal(await field.inputValue(), "K7M2QX");
  await field.fill("towline://pair?v=1&s=wss%3A%2F%2Fother.example%2Fws&c=K7M&k=x");
  await see(page, "It meets the other device at other.example.");
});

journey("an invitation is accepted and its files arrive", "invited", async (page) => {
  await see(page, "Anna's ThinkPad shares “Recipes” with you");
  await press(page, "Choose where");
  await page.getByLabel("Where shall it lie?").fill("Recipes");
  await press(page, /^Accept$/);
  await see(page, "Give the whole path");
  await page.getByLabel("Where shall it lie?").fill("/home/ada/Recipes");
  await press(page, /^Accept$/);
  const bar = page.getByRole("progressbar", { name: "Progress of Recipes" });
  await bar.waitFor();
  await see(page, /changes to go · .* to fetch · 48 MB\/s/);
  await picture(page, "journey-arriving");
  await see(page, "In sync");
  await bar.waitFor({ state: "detached" });
});

journey("a folder that cannot be added says why and what to do", "paired", async (page) => {
  await page.keyboard.press("Control+n");
  await page.getByLabel("Which folder?").fill("/none");
  await press(page, "Add folder");
  await see(page, "This folder does not exist. Create it first, or choose another.");
  assert.deepEqual(await violations(page), []);
});

journey("everything is reached by keyboard, with the focus in sight", "synced", async (page) => {
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  for (const [key, title] of [
    ["2", "Folders"],
    ["3", "Devices"],
    ["4", "Network"],
    ["5", "Settings"],
    ["1", "Home"],
  ]) {
    await page.keyboard.press(`Control+${key}`);
    await page.getByRole("heading", { level: 1, name: title }).waitFor();
    assert.equal(await page.evaluate(() => document.activeElement?.textContent), title);
  }
  for (let stop = 0; stop < 12; stop += 1) {
    await page.keyboard.press("Tab");
    const ring = await page.evaluate(() => {
      const style = getComputedStyle(document.activeElement ?? document.body);
      return document.activeElement === document.body || style.outlineStyle !== "none";
    });
    assert.ok(ring, `stop ${stop} shows no focus`);
  }
});

journey("a peer is renamed and removed", "synced", async (page) => {
  await page.keyboard.press("Control+3");
  await press(page, "Rename");
  await page.getByLabel(/New name for/).fill("Kitchen laptop");
  await press(page, "Save");
  await page.getByRole("heading", { name: "Kitchen laptop" }).waitFor();
  await press(page, "Remove");
  await page.getByRole("dialog").waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("heading", { name: "Kitchen laptop" }).waitFor();
  await press(page, "Remove");
  await page.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
  await page.getByRole("heading", { name: "Kitchen laptop" }).waitFor({ state: "detached" });
});

journey("an empty view is painted, and says how soon", "empty", async (page) => {
  await page.reload();
  await see(page, "Nobody on the other end yet");
  // The text is there a moment before it is painted.
  const painted = await page.waitForFunction(
    () => performance.getEntriesByName("first-contentful-paint")[0]?.startTime,
  );
  const paint = await painted.jsonValue();
  // A shared machine proves no speed, so the time is told and not judged (the aim is 300 ms).
  console.log(`first paint after ${Math.round(paint)} ms`);
});

journey("a person says where a device is, and takes it back", "connected", async (page) => {
  await page.keyboard.press("Control+3");
  await page.getByRole("heading", { level: 1, name: "Devices" }).waitFor();
  await see(page, "Also tried at nas.example:41641");
  await press(page, "Addresses");
  const field = page.getByLabel("Where this device is");
  await field.fill("nonsense");
  await press(page, "Add");
  await see(page, "No device can be at this address.");
  await field.fill("192.0.2.7:41641");
  await page.keyboard.press("Enter");
  await page.getByRole("button", { name: "Remove 192.0.2.7:41641" }).waitFor();
  assert.equal(await field.inputValue(), "");
  await picture(page, "journey-addresses");
  assert.deepEqual(await violations(page), []);
  await press(page, "Remove 192.0.2.7:41641");
  await page.getByRole("button", { name: "Remove 192.0.2.7:41641" }).waitFor({ state: "detached" });
  await press(page, "Done");
  assert.equal(await page.getByText("Also tried at 192.0.2.7:41641").count(), 0);
});

journey("a device is kept within the local network, and let go again", "synced", async (page) => {
  await page.getByRole("navigation").getByRole("button", { name: "Settings", exact: true }).click();
  const near = page.getByRole("switch", { name: "Stay within the local network" });
  assert.equal(await near.isChecked(), false);
  await near.click();
  await see(page, "Nothing leaves the local network from now on");
  await see(page, "None: nothing leaves the local network");
  assert.equal(await near.isChecked(), true);
  assert.deepEqual(await violations(page), []);
  await near.click();
  await see(page, "Devices elsewhere are reached again");
  assert.equal(await near.isChecked(), false);
});

journey("everything is found by a part of its name, without a mouse", "full", async (page) => {
  const field = page.getByRole("combobox", { name: "Go to or begin" });
  const option = (name) => page.getByRole("option", { name });
  const heading = (name) => page.getByRole("heading", { level: 1, name });
  const focused = () => page.evaluate(() => document.activeElement?.textContent);
  await page.keyboard.press("Control+k");
  await page.keyboard.type("phot");
  await page.getByRole("option", { name: "Photos", selected: true }).waitFor();
  await page.keyboard.press("Enter");
  await heading("Photos").waitFor();
  assert.equal(await focused(), "Photos");
  // Arrows move the choice, and the focus stays in the field.
  await page.keyboard.press("Control+k");
  assert.equal(await field.inputValue(), "");
  await page.keyboard.press("ArrowUp");
  assert.equal(await option(/.*/).last().getAttribute("aria-selected"), "true");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowDown");
  assert.equal(await field.getAttribute("aria-activedescendant"), await option("Enter a code").getAttribute("id"));
  await see(page, /more match(es)?\. Type another letter\./);
  assert.deepEqual(await violations(page), []);
  await page.keyboard.press("Enter");
  await heading("Pair a device").waitFor();
  // A device is shown among the others, and has the focus.
  await page.keyboard.press("Control+k");
  await page.keyboard.type("cellar");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.activeElement?.textContent === "Cellar NAS");
  // Nothing found says so; Escape leaves everything as it was, the focus too.
  await page.keyboard.press("Control+k");
  await page.keyboard.type("zzzz");
  await see(page, "Nothing has such a name.");
  assert.deepEqual(await violations(page), []);
  await page.keyboard.press("Enter");
  await field.waitFor();
  await page.keyboard.press("Escape");
  await field.waitFor({ state: "detached" });
  assert.equal(await focused(), "Cellar NAS");
  // Who opens it again while it closes has it. The same key closes it; another one goes on.
  await page.keyboard.press("Control+k");
  await field.waitFor();
  await page.keyboard.press("Escape");
  await page.keyboard.press("Control+k");
  await page.evaluate(() => new Promise(requestAnimationFrame));
  await field.waitFor({ timeout: 2000 });
  await page.keyboard.press("Control+k");
  await field.waitFor({ state: "detached" });
  assert.equal(await focused(), "Cellar NAS");
  await page.keyboard.press("Control+k");
  await page.keyboard.press("Control+4");
  await heading("Network").waitFor();
  await field.waitFor({ state: "detached" });
  assert.equal(await focused(), "Network");
});

journey("what is found is pressed, and a press beside it leaves", "synced", async (page) => {
  const field = page.getByRole("combobox", { name: "Go to or begin" });
  await page.getByRole("navigation").getByRole("button", { name: /^Find/ }).click();
  await field.waitFor();
  await page.mouse.click(5, 5);
  await field.waitFor({ state: "detached" });
  await press(page, /^Find/);
  await page.getByRole("option", { name: "Settings" }).click();
  await page.getByRole("heading", { level: 1, name: "Settings" }).waitFor();
  await see(page, "Ctrl+K finds everything by its name");
});

journey("a question that is open is answered before anything is looked for", "synced", async (page) => {
  await page.keyboard.press("Control+3");
  await press(page, "Remove");
  await page.getByRole("dialog").waitFor();
  await page.keyboard.press("Control+k");
  assert.equal(await page.getByRole("dialog").count(), 1);
  await page.getByRole("heading", { name: /^Remove/ }).waitFor();
});

/** Counts presses of the mouse from now on; a system's dialog takes one more, to confirm its choice. */
async function counted(page) {
  await page.evaluate(() => {
    globalThis.presses = 0;
    addEventListener("pointerdown", () => (globalThis.presses += 1), true);
  });
  return async (dialogs) => (await page.evaluate(() => globalThis.presses)) + dialogs;
}

/** From the first start to a folder in sync a person presses no more often on either side. */
const PRESSES_MAX = 8;

journey("whoever shows the code shares a folder within eight presses", "host", async (page) => {
  const presses = await counted(page);
  await press(page, "Pair a device");
  await see(page, "K7M-2QX");
  await press(page, "They match");
  await see(page, "When Anna's ThinkPad shares a folder with you, it is shown here.");
  await press(page, "Share a folder");
  await press(page, "Choose…");
  await press(page, "Add folder");
  await see(page, "All in sync");
  const count = await presses(1);
  console.log(`whoever shows the code: ${count} presses`);
  assert.ok(count <= PRESSES_MAX, `${count} presses`);
});

journey("whoever types the code takes the folder within eight presses", "guest", async (page) => {
  const presses = await counted(page);
  await press(page, "Enter a code");
  await page.keyboard.type("k7m2qx");
  await press(page, "Connect");
  await press(page, "They match");
  // The folder is there without a way to it.
  await page.getByRole("heading", { name: "Take part in “Recipes”" }).waitFor();
  await page.getByRole("status").getByText("Anna's ThinkPad shares “Recipes” with you").waitFor();
  assert.deepEqual(await violations(page), []);
  await press(page, "Choose…");
  await press(page, "Accept");
  await page.getByRole("heading", { level: 1, name: "Recipes" }).waitFor();
  await see(page, "All in sync");
  const count = await presses(1);
  console.log(`whoever types the code: ${count} presses`);
  assert.ok(count <= PRESSES_MAX, `${count} presses`);
});

journey("a place that is no place keeps the folder waiting right after pairing", "guest&step=60", async (page) => {
  await press(page, "Enter a code");
  await page.keyboard.type("k7m2qx");
  await page.keyboard.press("Enter");
  await press(page, "They match");
  await page.getByLabel("Where shall it lie?").fill("Recipes");
  await page.keyboard.press("Enter");
  await see(page, "Give the whole path");
  await page.getByRole("heading", { name: /^Paired with/ }).waitFor();
});

/** Longer than a toast stays. */
const TOAST_MS = 7000;

journey("a peer who could not be invited stays told until invited", "paired", async (page) => {
  await page.clock.install();
  await page.keyboard.press("Control+n");
  await press(page, "Choose…");
  await page.getByLabel("Attic desktop").check();
  await page.getByLabel("Cellar NAS").check();
  await press(page, "Add folder");
  const told = page.getByRole("alert").filter({ hasText: "“Pictures” is added here, but Attic desktop is not invited yet." });
  await told.waitFor();
  await page.clock.fastForward(TOAST_MS);
  await told.waitFor();
  assert.deepEqual(await violations(page), []);
  await press(page, "Invite again");
  await page.getByRole("heading", { level: 1, name: "Pictures" }).waitFor();
  await see(page, "“Pictures” is added");
  assert.equal(await page.getByRole("button", { name: /^Invite/ }).count(), 1);
});

journey("a code that cannot be copied stays told until it can", "code", async (page) => {
  await page.clock.install();
  await page.keyboard.press("Control+p");
  await page.evaluate(() => {
    navigator.clipboard.writeText = () => Promise.reject(new Error("refused"));
  });
  await press(page, "Copy code");
  const told = page.getByRole("alert").filter({ hasText: "Copying is not possible here." });
  await told.waitFor();
  await page.clock.fastForward(TOAST_MS);
  await told.getByText("Select the code and copy it by hand.").waitFor();
  assert.deepEqual(await violations(page), []);
  await page.evaluate(() => delete navigator.clipboard.writeText);
  await press(page, "Copy code");
  await see(page, "Code copied");
  await told.waitFor({ state: "detached" });
});

journey("an unreachable server leads to the check, which begins by itself", "trouble", async (page) => {
  await press(page, "Check the connection");
  await page.getByRole("heading", { level: 1, name: "Network" }).waitFor();
  await page.getByRole("list", { name: "What was found" }).getByRole("listitem").first().waitFor();
  // It is in sight, whatever stands above.
  const { y } = await page.getByRole("heading", { name: "Is everything as it should be?" }).boundingBox();
  assert.ok(y > 0 && y < 200, `it stands at ${y}`);
  await press(page, "Check again");
  // Whoever is there is not sent there.
  assert.equal(await page.getByRole("button", { name: "Check the connection" }).count(), 0);
  await page.keyboard.press("Control+k");
  await page.keyboard.type("check");
  await page.keyboard.press("Enter");
  await page.getByRole("list", { name: "What was found" }).waitFor();
});

journey("a folder is paused and opened from the list, and what fails stays told there", "synced", async (page) => {
  await page.keyboard.press("Control+2");
  await press(page, "Pause Notes");
  await see(page, "Nothing is sent or received until you resume.");
  await press(page, "Resume Notes");
  await page.getByRole("button", { name: "Pause Notes" }).waitFor();
  await press(page, "Open Photos");
  const photos = page.getByRole("listitem").filter({ hasText: "Photos" });
  await photos.getByRole("alert").getByText("The file manager could not be opened.").waitFor();
  assert.deepEqual(await violations(page), []);
});

journey("of a thousand folders those near to sight are drawn, and each is reached", "many", async (page) => {
  await page.keyboard.press("Control+2");
  const rows = page.getByRole("list").getByRole("listitem").filter({ hasText: /^Folder/ });
  await rows.first().waitFor();
  assert.ok((await rows.count()) < 100, "hundreds of folders are drawn");
  const end = () => page.getByRole("main").evaluate((main) => main.scrollTo(0, main.scrollHeight));
  await end();
  const last = page.getByRole("button", { name: /^Folder 0999/ });
  await last.waitFor();
  assert.ok((await rows.count()) < 100, "what was passed by is still drawn");
  // The focus stays where it is, however far away.
  await last.focus();
  await page.getByRole("main").evaluate((main) => main.scrollTo(0, 0));
  await page.getByRole("button", { name: /^Folder 0000/ }).waitFor();
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: "Folder 0999" }).waitFor();
  await page.keyboard.press("Control+1");
  assert.deepEqual(await violations(page), []);
});

/** Which colours the page is painted with. */
const ground = (page) => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
const [PAPER, NIGHT] = ["rgb(246, 244, 238)", "rgb(14, 27, 33)"];

journey("the window is light or dark as a person chooses, from the first paint on", "synced", async (page) => {
  const look = (name) => page.getByRole("region", { name: "Appearance" }).getByRole("radio", { name });
  assert.equal(await ground(page), PAPER);
  await page.keyboard.press("Control+5");
  await look(/^Dark/).check();
  assert.equal(await ground(page), NIGHT);
  assert.deepEqual(await violations(page), []);
  await picture(page, "journey-dark");
  // The page is dark before the program of the window is there at all.
  const bare = await page.context().newPage();
  await bare.route("**/assets/*.js", (route) => route.abort());
  await bare.goto(page.url(), { waitUntil: "commit" });
  await bare.locator("#app").waitFor({ state: "attached" });
  await bare.waitForFunction(() => document.readyState === "complete");
  assert.equal(await bare.locator("#app").innerHTML(), "");
  assert.equal(await ground(bare), NIGHT);
  await bare.close();
  await page.reload();
  await ready(page);
  await page.keyboard.press("Control+5");
  assert.ok(await look(/^Dark/).isChecked());
  // As the system is: at once when that changes, too.
  await look(/^System/).check();
  assert.equal(await ground(page), PAPER);
  await page.emulateMedia({ colorScheme: "dark" });
  assert.equal(await ground(page), NIGHT);
  await look(/^Light/).check();
  assert.equal(await ground(page), PAPER);
});

test("where the system forces its colours, they are used and everything is still told apart", async () => {
  const shown = await open("full", { theme: "dark", forced: "active" });
  const { page: at } = shown;
  const canvas = await at.evaluate(() => {
    const probe = document.body.appendChild(document.createElement("i"));
    probe.style.background = "Canvas";
    const { backgroundColor } = getComputedStyle(probe);
    probe.remove();
    return backgroundColor;
  });
  assert.equal(await ground(at), canvas);
  await picture(at, "forced-home");
  await at.keyboard.press("Control+k");
  await at.keyboard.press("ArrowDown");
  await picture(at, "forced-palette");
  await at.keyboard.press("Control+5");
  const near = at.getByRole("switch", { name: "Stay within the local network" });
  const knob = () => near.evaluate((element) => {
    const { backgroundColor } = getComputedStyle(element, "::before");
    return backgroundColor !== getComputedStyle(element).backgroundColor;
  });
  assert.ok(await knob(), "the knob of a switch that is off is not seen");
  await near.check();
  assert.ok(await knob(), "the knob of a switch that is on is not seen");
  await picture(at, "forced-settings");
  assert.deepEqual(shown.errors, []);
  await shown.close();
});
