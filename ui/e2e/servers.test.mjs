/** Signal servers in the hands of people: none at first, one that is named, one on this computer. */
import assert from "node:assert/strict";

import { journeys, picture, violations } from "./browser.mjs";

const browser = journeys();

/** Walks through a scene, which axe finds nothing wrong with at the end. */
function journey(name, scene, walk) {
  browser.journey(name, scene, async (page) => {
    await walk(page);
    assert.deepEqual(await violations(page), []);
  });
}

const press = (page, name) => page.getByRole("button", { name, exact: true }).click();
const address = (page) => page.getByRole("textbox", { name: "Address of a server" });
const servers = (page) => page.getByRole("region", { name: "Signal servers" });
const here = (page) => page.getByRole("region", { name: "A server on this computer" });

async function settings(page) {
  await page.keyboard.press("Control+5");
  await page.getByRole("heading", { level: 1, name: "Settings" }).waitFor();
}

journey("without a server the first screen says so, and takes the address of one", "near", async (page) => {
  await page.getByRole("heading", { name: "On this network only, so far" }).waitFor();
  await picture(page, "servers-first");
  await press(page, "Use a server");
  await address(page).fill("https://signal.example.org");
  await press(page, "Use it");
  await page.getByText("That is no signal server's address.").waitFor();
  await address(page).fill("nobody.example");
  await press(page, "Use it");
  await page.getByText("The signal server cannot be reached.").waitFor();
  await picture(page, "servers-first-unreachable");
  await address(page).fill("signal.example.org");
  await press(page, "Use it");
  await page.getByText("Online").waitFor();
  assert.equal(await page.getByText("wss://signal.example.org/ws").count(), 1);
  await picture(page, "servers-first-online");
  await page.getByRole("button", { name: "Pair a device" }).waitFor();
});

journey("the first screen runs a server on this computer and tells its address", "near", async (page) => {
  await press(page, "Run one on this computer");
  await page.getByText("Runs on this computer").waitFor();
  await page.getByRole("button", { name: "Copy ws://192.168.1.20:8080/ws" }).click();
  await page.getByText("Address copied").waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), "ws://192.168.1.20:8080/ws");
  await page.getByText("Online").waitFor();
  await picture(page, "servers-first-here");
});

journey("settings list servers, add, remove and go back to the usual one", "fallback", async (page) => {
  await settings(page);
  await servers(page).getByText("The signal server cannot be reached.").waitFor();
  await picture(page, "servers-settings");
  await press(page, "Remove ws://192.168.1.20:8080/ws");
  await page.getByText("This device no longer uses that server").waitFor();
  assert.equal(await servers(page).getByRole("listitem").count(), 1);
  for (const host of ["one.example", "two.example"]) {
    await address(page).fill(host);
    await press(page, "Use it");
    await servers(page).getByText(`wss://${host}/ws`).waitFor();
  }
  await address(page).fill("three.example");
  await press(page, "Use it");
  await page.getByText("A device is at three servers at most.").waitFor();
  await press(page, "Use the usual server again");
  await servers(page).getByText("wss://signal.towline.example/ws").waitFor();
  assert.equal(await servers(page).getByRole("listitem").count(), 1);
});

journey("a server on this computer is stopped in settings", "paired", async (page) => {
  await settings(page);
  await press(page, "Run one on this computer");
  await here(page).getByText("ws://192.168.1.20:8080/ws").waitFor();
  await servers(page).getByRole("listitem").filter({ hasText: "ws://192.168.1.20:8080/ws" }).waitFor();
  await picture(page, "servers-here");
  await press(page, "Stop it");
  await page.getByText("The server on this computer has stopped").waitFor();
  assert.equal(await servers(page).getByRole("listitem").filter({ hasText: "ws://192.168.1.20:8080/ws" }).count(), 0);
});

journey("what the administrator has set is shown and not for change", "locked", async (page) => {
  await settings(page);
  await servers(page).getByText("This computer's administrator has set the signal servers.").waitFor();
  assert.equal(await address(page).count(), 0);
  assert.equal(await page.getByRole("button", { name: "Run one on this computer" }).count(), 0);
});
