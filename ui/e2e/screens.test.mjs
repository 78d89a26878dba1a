/** Every screen in both themes and three sizes: nothing sticks out, axe finds nothing wrong. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { open, page, picture, SIZES, violations } from "./browser.mjs";

/** A screen: the scene it stands on, and how a person gets there. */
const SCREENS = {
  welcome: { scene: "new", go: async () => undefined },
  home_empty: { scene: "empty", go: async () => undefined },
  home_paired: { scene: "paired", go: async () => undefined },
  home_invited: { scene: "invited", go: async () => undefined },
  home_syncing: { scene: "syncing", go: async () => undefined },
  home_trouble: { scene: "trouble", go: async () => undefined },
  folders_empty: { scene: "empty", go: (page) => nav(page, "Folders") },
  folders: { scene: "syncing", go: (page) => nav(page, "Folders") },
  folder: {
    scene: "syncing",
    go: async (page) => {
      await nav(page, "Folders");
      await page.getByRole("button", { name: /Film project/ }).click();
    },
  },
  folder_held_back: {
    scene: "trouble",
    go: async (page) => {
      await nav(page, "Folders");
      await page.getByRole("button", { name: /Notes/ }).click();
    },
  },
  stop_syncing: {
    scene: "synced",
    go: async (page) => {
      await nav(page, "Folders");
      await page.getByRole("button", { name: /Notes/ }).click();
      await page.getByRole("button", { name: "Stop syncing" }).click();
    },
  },
  add_folder: {
    scene: "paired",
    go: async (page) => {
      await page.getByRole("button", { name: "Add a folder" }).click();
      await page.getByRole("button", { name: "Choose…" }).click();
    },
  },
  accept: {
    scene: "invited",
    go: (page) => page.getByRole("button", { name: "Choose where" }).click(),
  },
  devices: { scene: "synced", go: (page) => nav(page, "Devices") },
  devices_trouble: { scene: "trouble", go: (page) => nav(page, "Devices") },
  compare: {
    scene: "synced",
    go: async (page) => {
      await nav(page, "Devices");
      await page.getByRole("button", { name: "Compare" }).first().click();
    },
  },
  pair_code: { scene: "code", go: (page) => page.keyboard.press("Control+p") },
  pair_rejected: {
    scene: "code",
    go: async (page) => {
      await page.keyboard.press("Control+p");
      await page.getByLabel("Code of the other device").fill("k7o");
    },
  },
  settings: { scene: "trouble", go: (page) => nav(page, "Settings") },
};

const nav = (page, name) =>
  page.getByRole("navigation").getByRole("button", { name, exact: true }).click();

let window;

before(async () => {
  window = await open();
});
after(() => window?.close());

for (const theme of ["light", "dark"]) {
  for (const size of Object.keys(SIZES)) {
    test(`all screens, ${theme}, ${size}`, async () => {
      for (const [name, { scene, go }] of Object.entries(SCREENS)) {
        const shown = await page(window, scene, { size, theme });
        await go(shown.page);
        await shown.page.locator("h1").first().waitFor();
        await picture(shown.page, `${name}-${theme}-${size}`);
        const width = await shown.page.evaluate(() => [
          document.documentElement.scrollWidth - innerWidth,
          (document.querySelector("main")?.scrollWidth ?? 0) -
            (document.querySelector("main")?.clientWidth ?? 0),
        ]);
        assert.deepEqual(width, [0, 0], `${name} is too wide`);
        assert.deepEqual(await violations(shown.page), [], name);
        assert.deepEqual(shown.errors, [], name);
        await shown.close();
      }
    });
  }
}
