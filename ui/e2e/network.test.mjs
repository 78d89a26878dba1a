/** What people see of their connections: which path is used, why no better one, and how it was lately. */
import assert from "node:assert/strict";

import { journeys, picture, violations } from "./browser.mjs";

const { journey } = journeys(async (page) => {
  await page.keyboard.press("Control+4");
  await page.getByRole("heading", { level: 1, name: "Network" }).waitFor();
});

/** A peer's part of the screen. */
const peer = (page, name) => page.getByRole("region", { name });
const way = (page, name) => peer(page, name).getByRole("list", { name: `The way to ${name}` });

journey("a relayed peer says why it is not direct and what to do", "connected", async (page) => {
  const nas = peer(page, "Cellar NAS");
  await nas.getByText("Relayed, sealed").waitFor();
  await way(page, "Cellar NAS").getByText("Signal server").waitFor();
  await nas.getByRole("heading", { name: "Why not direct?" }).waitFor();
  await nas.getByText("None of its addresses answers").waitFor();
  await nas.getByText(/forward that port/).waitFor();
  assert.equal(await page.getByRole("heading", { name: "Why not direct?" }).count(), 1);
});

journey("plots are told in numbers, too", "connected", async (page) => {
  const studio = peer(page, "Studio in Bergen");
  const speed = studio.getByRole("table", { name: "Throughput" });
  await speed.waitFor();
  const rows = await speed.getByRole("row").allInnerTexts();
  assert.match(rows[0], /Latest\s+Least\s+Median\s+Most/);
  assert.match(rows[1], /Received\s+0\.5 kB\/s\s+0\.5 kB\/s\s+0\.5 kB\/s\s+9 MB\/s/);
  assert.match(rows[2], /Sent\s+0\.4 kB\/s/);
  // Twice a line begins: for a minute there was no connection.
  const lines = await studio.locator("figure path.line").evaluateAll((all) => all.map((each) => each.getAttribute("d")));
  assert.equal(lines[0].match(/M/g).length, 2);
});

journey("what was tried is unfolded by keyboard", "connected", async (page) => {
  const studio = peer(page, "Studio in Bergen");
  const fold = studio.locator("summary", { hasText: "Addresses tried (3)" });
  await fold.focus();
  await page.keyboard.press("Enter");
  const row = studio.getByRole("row", { name: /203\.0\.113\.9/ });
  await row.getByRole("cell", { name: "Seen from here" }).waitFor();
  await row.getByRole("cell", { name: /Answers · 14 ms/ }).waitFor();
  await page.keyboard.press("Tab");
  await page.keyboard.press("Space");
  const history = studio.getByRole("listitem").filter({ has: page.getByRole("time") });
  assert.match((await history.allInnerTexts())[0], /Connected: Direct by IPv6\s+\d+ \w+ \d{4}, \d\d:\d\d:\d\d/);
  await studio.getByText("39 of 42 tries connected (92%)").waitFor();
  assert.deepEqual(await violations(page), []);
  // The next report comes two seconds later, and folds nothing.
  const newest = studio.getByRole("time").first();
  const before = await newest.getAttribute("datetime");
  await page.waitForFunction(
    ([element, before]) => element.getAttribute("datetime") !== before,
    [await newest.elementHandle(), before],
  );
  assert.ok(await row.isVisible());
  await picture(page, "journey-network");
});

journey("a network that lets no UDP out is told at the top and at each peer", "blocked", async (page) => {
  await peer(page, "Seen from outside").getByText("No answer comes back from outside").waitFor();
  assert.equal(await page.getByText("UDP does not come through here").count(), 2);
});

journey("a path that is looked for is no path that is barred", "searching", async (page) => {
  await peer(page, "Cellar NAS").getByText("A direct path is being looked for.").last().waitFor();
  await peer(page, "Attic desktop").getByText("None yet").waitFor();
  assert.equal(await page.locator("svg .bar").count(), 0);
});

journey("the connection is checked, told to whoever listens, and copied without addresses", "connected", async (page) => {
  const check = peer(page, "Is everything as it should be?");
  await check.getByRole("button", { name: "Check the connection" }).focus();
  await page.keyboard.press("Enter");
  const told = check.getByRole("status");
  await told.getByText("1 thing does not work, 2 things could be better.").waitFor();
  const found = check.getByRole("list", { name: "What was found" }).getByRole("listitem");
  const clock = found.filter({ hasText: /The clock is 6 mins? behind the signal server's\./ });
  await clock.getByText("Does not work").waitFor();
  await clock.getByText(/let the system set it/).waitFor();
  assert.equal(await found.filter({ hasText: "/home/ada" }).count(), 1);
  assert.deepEqual(await violations(page), []);
  await check.getByRole("button", { name: "Copy report" }).click();
  await page.getByText("The report is copied.").waitFor();
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  assert.match(copied, /^Towline .*connection check/);
  assert.match(copied, /- Does not work: The clock is 6 mins? behind/);
  for (const own of ["/home/ada", "wss:", "198.51", "Cellar", "Studio"]) {
    assert.ok(!copied.includes(own), own);
  }
  await check.getByRole("button", { name: "Check again" }).waitFor();
});

journey("without peers there is one thing to do", "empty", async (page) => {
  await peer(page, "Seen from outside").getByText("The way out is open").waitFor();
  await page.getByRole("button", { name: "Pair a device" }).click();
  await page.getByRole("heading", { level: 1, name: "Pair a device" }).waitFor();
});
