/** What people do inside a folder: decide conflicts, bring files back, set rules, pause, brake. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { journeys, picture, violations } from "./browser.mjs";

const browser = journeys();

/** Walks through a part of a folder. */
function journey(name, folder, tab, walk) {
  browser.journey(name, "full&step=60", async (page) => {
    await page.keyboard.press("Control+2");
    await page.getByRole("button", { name: new RegExp(folder) }).first().click();
    await page.getByRole("tab", { name: new RegExp(tab) }).click();
    await walk(page);
  });
}

const see = (page, text) => page.getByText(text).first().waitFor();
const gone = (page, text) => page.getByText(text).first().waitFor({ state: "detached" });
const press = (page, name) => page.getByRole("button", { name }).first().click();
const inDialog = (page, name) => page.getByRole("dialog").getByRole("button", { name }).click();

journey("conflicts are decided one by one, then all at once", "Notes", "Conflicts 4", async (page) => {
  await press(page, "Compare the versions of recipes/bread.md");
  const preview = page.getByRole("group", { name: "Preview of the version of Anna's ThinkPad" });
  await preview.getByText("50 g rye flour").waitFor();
  assert.equal(await preview.locator("mark").textContent(), "45");
  await picture(page, "journey-conflict-1-compare");
  await press(page, "Keep the version of Anna's ThinkPad");
  await see(page, "Decided, on every device");
  // The next one is shown, three versions of it.
  await page.getByRole("heading", { name: "plan.txt" }).waitFor();
  await press(page, "Keep all of them");
  await page.getByRole("tab", { name: "Conflicts 2" }).waitFor();
  await press(page, "All conflicts");
  await press(page, "Keep what lies here");
  await page.getByRole("dialog").getByText("Keep what lies here in 2 conflicts?").waitFor();
  assert.deepEqual(await violations(page), []);
  await inDialog(page, "Keep what lies here");
  await see(page, "2 conflicts are decided");
  await page.getByRole("heading", { name: "No conflicts" }).waitFor();
});

journey("pictures are compared by eye, and both can stay", "Notes", "Conflicts", async (page) => {
  await press(page, "Compare the versions of boat.png");
  for (const author of ["Cellar NAS", "This device"]) {
    await page.getByRole("img", { name: `Preview of the version of ${author}` }).waitFor();
  }
  await press(page, "Keep both");
  await page.getByRole("tab", { name: "Conflicts 3" }).waitFor();
});

journey("a version is found by its path and restored", "Notes", "History", async (page) => {
  await page.getByLabel("Filter by path").fill("PLAN");
  await gone(page, "recipes/bread.md");
  await press(page, /^Restore plan\.txt/);
  await see(page, "“plan.txt” is back");
  await press(page, "All versions of plan.txt");
  await page.getByRole("heading", { name: "Versions of plan.txt" }).waitFor();
  await press(page, "Show all paths");
  await see(page, "recipes/bread.md");
  await page.getByRole("switch", { name: "Only deleted files" }).check();
  await gone(page, "recipes/bread.md");
  await see(page, "letters/landlord.odt");
});

journey("a folder is brought back to a moment", "Notes", "History", async (page) => {
  await press(page, "Back to a moment");
  await page.getByLabel("Date").fill("2999-01-01");
  await press(page, "Bring back");
  await see(page, "This moment has not come yet.");
  await press(page, "A week ago");
  await press(page, "Bring back");
  await page.getByRole("dialog").getByText(/come back as they were/).waitFor();
  await picture(page, "journey-moment");
  await inDialog(page, "Bring back");
  await see(page, "Bringing files back…");
  await page.getByRole("progressbar", { name: "Files that are brought back" }).waitFor();
  await see(page, /\d files brought back, 1 could not be/);
});

journey("rules show what they match before they hold", "Notes", "Rules", async (page) => {
  await see(page, "2 entries that lie here:");
  await page.getByLabel("Rules for this device").fill("*.png\n[");
  await see(page, "Line 2 is no rule.");
  await see(page, "3 entries that lie here:");
  await page.getByLabel("Rules for this device").fill("*.png");
  await press(page, "Save rules");
  await see(page, "Rules saved");
  await page.getByRole("tab", { name: "Files" }).click();
  await page.getByRole("tab", { name: "Rules" }).click();
  await page.waitForFunction(() => [...document.querySelectorAll("textarea")].some((each) => each.value === "*.png"));
});

journey("a direction, attributes, limits and the brake are set", "Photos", "Rules", async (page) => {
  await page.getByLabel("Receive only").check();
  await see(page, "Direction: Receive only");
  await page.getByRole("switch", { name: "Keep them with the files on this device" }).check();
  await see(page, "Saved");
  await page.getByLabel("Sending, in MB/s").fill("fast");
  await see(page, "A speed like 5 or 0.5");
  await page.getByLabel("Sending, in MB/s").fill("2,5");
  await page.getByRole("region", { name: "Speed of this folder" }).getByRole("button", { name: "Save" }).click();
  await see(page, "Saved");
  await page.getByRole("switch", { name: "Ask me before a mass change" }).uncheck();
  await page.getByLabel("More files than").waitFor({ state: "detached" });
});

journey("a folder is paused and goes on", "Photos", "Files", async (page) => {
  await press(page, "Pause");
  await see(page, "Nothing is sent or received until you resume.");
  await press(page, "Resume");
  await see(page, "Going on");
  await page.getByRole("button", { name: "Pause" }).waitFor();
});

journey("a mass change is let through after a second look", "Backup", "Files", async (page) => {
  await see(page, "Anna's ThinkPad wants to delete 1,204 files.");
  await press(page, "Let it happen");
  await page.getByRole("dialog").getByText("It will delete 1,204 files here.").waitFor();
  await page.keyboard.press("Escape");
  await see(page, "Anna's ThinkPad wants to delete 1,204 files.");
  await press(page, "Let it happen");
  await inDialog(page, "Let it happen");
  await see(page, "The change goes on");
  await gone(page, "Anna's ThinkPad wants to delete 1,204 files.");
});

journey("a mass change is undone by one click", "Backup", "Files", async (page) => {
  await press(page, "Undo it everywhere");
  await see(page, "What is here stays as it is, on every device");
  await gone(page, "Anna's ThinkPad wants to delete 1,204 files.");
});

journey("local changes are reverted and held back entries are paged", "Music", "Files", async (page) => {
  await press(page, "Show which");
  await see(page, "scans/page 096: a?.png");
  await press(page, "Show more");
  await see(page, "scans/page 190: a?.png");
  await press(page, "Revert");
  await inDialog(page, "Revert");
  await gone(page, "3 entries were changed here and stay here.");
});

journey("a hundred thousand entries are walked by keyboard", "Film project", "Files", async (page) => {
  const rows = page.getByRole("list", { name: "Contents of frames" });
  const focused = () => page.evaluate(() => document.activeElement?.closest("li")?.getAttribute("data-row"));
  await page.getByRole("button", { name: /frames/ }).focus();
  await page.keyboard.press("Enter");
  await rows.getByRole("button", { name: /000000\.exr/ }).waitFor();
  await page.waitForFunction(() => document.activeElement?.closest("li")?.getAttribute("data-row") === "0");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("PageDown");
  assert.ok(Number(await focused()) > 5);
  // The end of what has come so far; the next page comes by itself.
  await page.keyboard.press("End");
  await see(page, "2,000 entries and more");
  assert.equal(await focused(), "999");
  const drawn = await rows.locator("li").count();
  assert.ok(drawn < 80, `${drawn} rows are drawn`);
  await page.keyboard.press("Home");
  assert.equal(await focused(), "0");
  // Whoever scrolls far away by the wheel and comes back still stands where they stood.
  const scroll = (by) => page.locator("main").evaluate((main, by) => main.scrollBy(0, by), by);
  for (const by of [20_000, 700, -300, -20_400]) {
    const first = await rows.locator("li").nth(1).getAttribute("data-row");
    await scroll(by);
    await page.waitForFunction(
      (first) => document.querySelectorAll("main li[data-row]")[1]?.getAttribute("data-row") !== first,
      first,
    );
    assert.equal(await focused(), "0");
  }
  await page.keyboard.press("Backspace");
  await page.waitForFunction(() => document.activeElement?.textContent?.includes("frames"));
});

journey("a file leads to its versions", "Notes", "Files", async (page) => {
  await press(page, /plan\.txt/);
  await press(page, "Earlier versions");
  await page.getByRole("heading", { name: "Versions of plan.txt" }).waitFor();
  assert.deepEqual(await violations(page), []);
});

journey("parts of a folder are turned by arrow keys", "Photos", "Files", async (page) => {
  await page.getByRole("tab", { name: "Files" }).focus();
  await page.keyboard.press("ArrowRight");
  await page.getByRole("tab", { name: "Conflicts", selected: true }).waitFor();
  await page.keyboard.press("End");
  await page.getByRole("tab", { name: "Devices", selected: true }).waitFor();
  assert.equal(await page.evaluate(() => document.activeElement?.getAttribute("role")), "tab");
});

test("speeds, times of the week and costly networks are set for the device", async () => {
  const shown = await browser.at("synced");
  const { page: at } = shown;
  await at.keyboard.press("Control+5");
  await at.getByLabel("Receiving, in MB/s").fill("10");
  await at.getByRole("region", { name: "Speed", exact: true }).getByRole("button", { name: "Save" }).click();
  await see(at, "Saved");
  await press(at, "Add a time");
  await at.getByLabel("Monday").uncheck();
  await at.getByLabel("From").fill("22:00");
  await at.getByLabel("To", { exact: true }).fill("06:00");
  await see(at, "It ends on the next day.");
  await at.getByRole("region", { name: "Schedule" }).getByRole("button", { name: "Save" }).click();
  await at.getByLabel("Nothing moves").check();
  await at.keyboard.press("Control+1");
  await at.keyboard.press("Control+5");
  assert.ok(!(await at.getByLabel("Monday").isChecked()));
  assert.equal(await at.getByLabel("From").inputValue(), "22:00");
  assert.ok(await at.getByLabel("Nothing moves").isChecked());
  assert.deepEqual(shown.errors, []);
  await shown.close();
});
