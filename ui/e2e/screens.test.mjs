/** Every screen in both themes and three sizes: nothing sticks out, axe finds nothing wrong. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { open, page, picture, SIZES, violations } from "./browser.mjs";

/** A screen: the scene it stands on, and how a person gets there. */
const SCREENS = {
  welcome: { scene: "new", go: async () => undefined },
  welcome_near: { scene: "near", go: async () => undefined },
  welcome_server: {
    scene: "near",
    go: async (page) => {
      await page.getByRole("button", { name: "Run one on this computer" }).click();
      await page.getByText("Online").waitFor();
    },
  },
  settings_servers: { scene: "fallback", go: (page) => nav(page, "Settings") },
  home_empty: { scene: "empty", go: async () => undefined },
  home_paired: { scene: "paired", go: async () => undefined },
  home_invited: { scene: "invited", go: async () => undefined },
  home_syncing: { scene: "syncing", go: async () => undefined },
  home_trouble: { scene: "trouble", go: async () => undefined },
  home_update: { scene: "update", go: async () => undefined },
  settings_update: { scene: "update", go: updates },
  settings_update_downloading: { scene: "update_downloading", go: updates },
  settings_update_ready: { scene: "update_ready", go: updates },
  settings_update_failed: { scene: "update_failed", go: updates },
  settings_update_offline: { scene: "update_offline", go: updates },
  settings_update_read_only: { scene: "update_read_only", go: updates },
  settings_update_off: { scene: "update_off", go: updates },
  settings_update_pinned: { scene: "update_pinned", go: updates },
  settings_update_development: { scene: "update_development", go: updates },
  folders_empty: { scene: "empty", go: (page) => nav(page, "Folders") },
  folders: { scene: "syncing", go: (page) => nav(page, "Folders") },
  folder: {
    scene: "syncing",
    go: async (page) => {
      await nav(page, "Folders");
      await page.getByRole("button", { name: /Film project/ }).first().click();
    },
  },
  folder_held_back: {
    scene: "trouble",
    go: async (page) => {
      await nav(page, "Folders");
      await page.getByRole("button", { name: /Notes/ }).first().click();
    },
  },
  stop_syncing: {
    scene: "synced",
    go: async (page) => {
      await tab(page, "Notes", "Rules");
      await page.getByRole("button", { name: "Stop syncing" }).click();
    },
  },
  folders_full: { scene: "full", go: (page) => nav(page, "Folders") },
  folder_files: { scene: "full", go: (page) => tab(page, "Photos", "Files") },
  folder_file_about: {
    scene: "full",
    go: async (page) => {
      await tab(page, "Photos", "Files");
      await page.getByRole("button", { name: /cover\.jpg/ }).click();
    },
  },
  folder_files_many: {
    scene: "full",
    go: async (page) => {
      await tab(page, "Film project", "Files");
      await page.getByRole("button", { name: /frames/ }).click();
      await page.getByRole("button", { name: /000000\.exr/ }).waitFor();
      await page.keyboard.press("PageDown");
      await page.keyboard.press("PageDown");
    },
  },
  folder_braked: { scene: "full", go: (page) => tab(page, "Backup", "Files") },
  folder_local_changes: {
    scene: "full",
    go: async (page) => {
      await tab(page, "Music", "Files");
      await page.getByRole("button", { name: "Show which" }).click();
      await page.getByText("order?.eml").waitFor();
    },
  },
  folder_differing: {
    scene: "full",
    go: async (page) => {
      await tab(page, "Web site", "Files");
      await page.getByRole("button", { name: "Override" }).click();
    },
  },
  folder_paused: { scene: "full", go: (page) => tab(page, "Archive", "Files") },
  folder_missing: { scene: "full", go: (page) => tab(page, "Old disk", "Devices") },
  conflicts: { scene: "full", go: (page) => tab(page, "Notes", "Conflicts") },
  conflict_none: { scene: "full", go: (page) => tab(page, "Photos", "Conflicts") },
  conflict_text: { scene: "full", go: (page) => conflict(page, "recipes/bread.md") },
  conflict_three: { scene: "full", go: (page) => conflict(page, "plan.txt") },
  conflict_image: { scene: "full", go: (page) => conflict(page, "boat.png") },
  conflict_deleted: { scene: "full", go: (page) => conflict(page, "old/letter.odt") },
  history: {
    scene: "full",
    go: async (page) => {
      await tab(page, "Notes", "History");
      await page.getByRole("button", { name: /^Restore plan\.txt/ }).first().waitFor();
    },
  },
  history_moment: {
    scene: "full",
    go: async (page) => {
      await tab(page, "Notes", "History");
      await page.getByRole("button", { name: "Back to a moment" }).click();
    },
  },
  rules: {
    scene: "full",
    go: async (page) => {
      await tab(page, "Notes", "Rules");
      await page.getByLabel("Rules for this device").fill("/drafts\n[broken\n");
      await page.getByText("Line 2 is no rule.").waitFor();
    },
  },
  rules_more: {
    scene: "full",
    go: async (page) => {
      await tab(page, "Notes", "Rules");
      await page.getByRole("heading", { name: "How long versions are kept" }).scrollIntoViewIfNeeded();
    },
  },
  folder_peers: { scene: "full", go: (page) => tab(page, "Photos", "Devices") },
  settings_traffic: {
    scene: "synced",
    go: async (page) => {
      await nav(page, "Settings");
      await page.getByRole("button", { name: "Add a time" }).click();
      await page.getByLabel("What holds then").selectOption("limit");
      await page.getByRole("heading", { name: "Networks that cost" }).scrollIntoViewIfNeeded();
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
  network_empty: { scene: "empty", go: (page) => nav(page, "Network") },
  network: { scene: "connected", go: (page) => nav(page, "Network") },
  network_lan: { scene: "lan", go: (page) => network(page, "Anna's ThinkPad") },
  network_direct: { scene: "connected", go: (page) => network(page, "Studio in Bergen") },
  network_no_answer: { scene: "connected", go: (page) => network(page, "Cellar NAS") },
  network_searching: { scene: "searching", go: (page) => network(page, "Cellar NAS") },
  network_no_udp: { scene: "blocked", go: (page) => network(page, "Cellar NAS") },
  network_check: { scene: "connected", go: (page) => checked(page) },
  network_away: { scene: "connected", go: (page) => network(page, "Attic desktop") },
  network_trouble: { scene: "trouble", go: (page) => nav(page, "Network") },
  pair_code: { scene: "code", go: (page) => page.keyboard.press("Control+p") },
  pair_rejected: {
    scene: "code",
    go: async (page) => {
      await page.keyboard.press("Control+p");
      await page.getByLabel("Code of the other device").fill("k7o");
    },
  },
  settings_locked: { scene: "locked", go: (page) => nav(page, "Settings") },
  home_server_stopped: { scene: "stopped", go: async () => undefined },
  check_asked: {
    scene: "trouble",
    go: async (page) => {
      await page.getByRole("button", { name: "Check the connection" }).click();
      await page.getByRole("list", { name: "What was found" }).getByRole("listitem").first().waitFor();
    },
  },
  folder_not_opened: {
    scene: "synced",
    go: async (page) => {
      await page.getByRole("button", { name: "Open Notes" }).click();
      await page.getByText("The file manager could not be opened.").waitFor();
    },
  },
  folder_not_shared: {
    scene: "paired",
    go: async (page) => {
      await page.getByRole("button", { name: "Add a folder" }).click();
      await page.getByRole("button", { name: "Choose…" }).click();
      await page.getByLabel("Attic desktop").check();
      await page.getByRole("button", { name: "Add folder" }).click();
      await page.getByText("Attic desktop is not invited yet").waitFor();
    },
  },
  pair_shared: {
    scene: "guest&step=60",
    go: async (page) => {
      await pairAsGuest(page);
      await page.getByLabel("Where shall it lie?").waitFor();
    },
  },
  palette: {
    scene: "full",
    go: async (page) => {
      await page.keyboard.press("Control+k");
      await page.getByRole("option").first().waitFor();
    },
  },
  palette_typed: {
    scene: "full",
    go: async (page) => {
      await page.keyboard.press("Control+k");
      await page.keyboard.type("no");
      await page.getByRole("option", { name: "Notes" }).waitFor();
    },
  },
  device: {
    scene: "full",
    go: async (page) => {
      await page.keyboard.press("Control+k");
      await page.keyboard.type("cellar");
      await page.keyboard.press("Enter");
    },
  },
  settings: { scene: "trouble", go: (page) => nav(page, "Settings") },
  closing_asks: {
    scene: "synced&tray=asks",
    go: (page) => page.getByRole("button", { name: "Keep it so" }).waitFor(),
  },
  closing_set: {
    scene: "synced",
    go: async (page) => {
      await nav(page, "Settings");
      const set = page.getByRole("region", { name: "When the window is closed" });
      await set.getByRole("radio", { name: "Quit" }).check();
      await set.evaluate((element) => element.scrollIntoView());
    },
  },
  closing_no_tray: {
    scene: "synced&tray=none",
    go: async (page) => {
      await nav(page, "Settings");
      const none = page.getByText("Nothing shows a tray here");
      await none.evaluate((element) => element.scrollIntoView());
    },
  },
  ending: {
    scene: "synced",
    go: async (page) => {
      await page.keyboard.press("Control+q");
      await page.getByText("Finishing…").waitFor();
    },
  },
  browser_link: { scene: "synced&browser=link", go: async () => undefined },
  browser_password: {
    scene: "synced&browser=password",
    go: async (page) => {
      await page.getByLabel("Password").fill("wrong");
      await page.getByRole("button", { name: "Open" }).click();
      await page.getByText("The password is wrong.").waitFor();
    },
  },
  browser_lost: { scene: "synced&browser=lost", go: async () => undefined },
  browser_folder: { scene: "synced&browser=open", go: (page) => tab(page, "Notes", "Files") },
  browser_add_folder: {
    scene: "paired&browser=open",
    go: (page) => page.getByRole("button", { name: "Add a folder" }).click(),
  },
};

const nav = (page, name) =>
  page.getByRole("navigation").getByRole("button", { name, exact: true }).click();

/** Pairs a new device by the other one's code. */
async function pairAsGuest(page) {
  await page.getByRole("button", { name: "Enter a code" }).click();
  await page.getByLabel("Code of the other device").fill("K7M2QX");
  await page.getByRole("button", { name: "Connect" }).click();
  await page.getByRole("button", { name: "They match" }).click();
}

/** How a peer is connected, with everything unfolded. */
async function checked(page) {
  await nav(page, "Network");
  await page.getByRole("button", { name: "Check the connection" }).click();
  const list = page.getByRole("list", { name: "What was found" });
  await list.getByRole("listitem").first().waitFor();
  await list.evaluate((element) => element.closest("section").scrollIntoView());
}

async function network(page, peer) {
  await nav(page, "Network");
  const card = page.getByRole("region", { name: peer });
  for (const title of [/^Addresses tried/, /^History/]) await card.getByText(title).click();
  await card.evaluate((element) => element.scrollIntoView());
}

/** A part of a folder. */
async function tab(page, folder, name) {
  await nav(page, "Folders");
  await page.getByRole("button", { name: new RegExp(folder) }).first().click();
  await page.getByRole("tab", { name: new RegExp(name) }).click();
}

/** The section of the settings that is about updates. */
async function updates(page) {
  await nav(page, "Settings");
  await page.getByRole("heading", { name: "Updates" }).scrollIntoViewIfNeeded();
}

/** A conflict of the notes, side by side. */
async function conflict(page, path) {
  await tab(page, "Notes", "Conflicts");
  await page.getByRole("button", { name: `Compare the versions of ${path}` }).click();
  await page.getByRole("button", { name: /^Keep the version of/ }).first().waitFor();
}

let window;

before(async () => {
  window = await open();
});
after(() => window?.close());

/** Tours side by side: two, as every machine has that many cores. */
const LANES = 2;

/** The order of looks: a person gets everywhere in the narrowest window, which then grows. */
const GROWING = ["narrow", "laptop", "desktop"];

/** Where axe judges: between them the window is laid out as in the largest. */
const JUDGED = ["narrow", "desktop"];

/** Walks to one screen in a narrow window, and looks at it in all sizes and both themes. */
async function tour(name) {
  const { scene, go } = SCREENS[name];
  const shown = await page(window, scene, { size: GROWING[0] });
  await go(shown.page);
  await shown.page.locator("h1").first().waitFor();
  for (const size of GROWING) {
    await shown.page.setViewportSize(SIZES[size]);
    for (const theme of ["light", "dark"]) {
      await shown.page.emulateMedia({ colorScheme: theme });
      const told = `${name}-${theme}-${size}`;
      await look(shown.page, told);
      if (JUDGED.includes(size)) assert.deepEqual(await violations(shown.page), [], told);
    }
  }
  assert.deepEqual(shown.errors, [], name);
  await shown.close();
}

/** Keeps a picture; nothing may stick out. */
async function look(shown, name) {
  await picture(shown, name);
  const { wide, high } = await shown.evaluate(() => {
    const main = document.querySelector("main");
    const { scrollWidth, scrollHeight } = document.documentElement;
    return {
      wide: [scrollWidth - innerWidth, (main?.scrollWidth ?? 0) - (main?.clientWidth ?? 0)],
      high: document.querySelector("nav") ? scrollHeight - innerHeight : 0,
    };
  });
  assert.deepEqual(wide, [0, 0], `${name} is too wide`);
  assert.equal(high, 0, `${name} scrolls the whole window`);
}

test("all screens in both themes and all sizes", async () => {
  const names = Object.keys(SCREENS);
  const lane = async () => {
    for (let name = names.shift(); name !== undefined; name = names.shift()) await tour(name);
  };
  await Promise.all(Array.from({ length: LANES }, lane));
});
