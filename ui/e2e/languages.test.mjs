/**
 * The window in its other languages: every kind of screen in three sizes, light and dark. Words stay
 * in their places, nothing sticks out, axe finds nothing wrong; the choice of a language is kept.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { open, page, picture, ready, SIZES, violations } from "./browser.mjs";

const LOCALES = { "de-DE": "ltr", "zh-CN": "ltr", "ar-EG": "rtl" };

/** Where a person goes on one scene after the other, by what is the same in all languages. */
const WAYS = {
  new: { welcome: async () => undefined },
  empty: { home_empty: async () => undefined, network_empty: (page) => nav(page, 3) },
  invited: { home_invited: async () => undefined },
  trouble: { home_trouble: async () => undefined, devices_trouble: (page) => nav(page, 2) },
  connected: {
    network: async (page) => {
      await nav(page, 3);
      for (const fold of await page.locator("main summary").all()) await fold.click();
    },
    check: async (page) => {
      await page.keyboard.press("Control+k");
      await page.getByRole("option").nth(3).click();
      await page.locator("main .verdict").first().waitFor();
    },
  },
  code: { pair: (page) => page.keyboard.press("Control+p") },
  full: {
    folders: (page) => nav(page, 1),
    files: (page) => tab(page, "Music", 0),
    conflicts: (page) => tab(page, "Notes", 1),
    conflict: async (page) => {
      await page.getByRole("tabpanel").getByRole("button", { name: /bread\.md/ }).click();
      await page.locator("main .differs").first().waitFor();
    },
    history: async (page) => {
      await tab(page, "Notes", 2);
      await page.getByRole("tabpanel").getByRole("button", { name: /plan\.txt/ }).first().waitFor();
    },
    rules: (page) => tab(page, "Notes", 3),
    peers: (page) => tab(page, "Photos", 4),
    braked: (page) => tab(page, "Backup", 0),
    devices: (page) => nav(page, 2),
    settings: async (page) => {
      await nav(page, 4);
      await page.getByRole("radio", { name: "Deutsch" }).scrollIntoViewIfNeeded();
    },
    add_folder: (page) => page.keyboard.press("Control+n"),
    palette: async (page) => {
      await page.keyboard.press("Control+k");
      await page.getByRole("option").first().waitFor();
    },
  },
};

const nav = (page, place) => page.locator("nav li").nth(place).getByRole("button").click();

async function tab(page, folder, place) {
  await nav(page, 1);
  await page.getByRole("button", { name: new RegExp(folder) }).first().click();
  await page.getByRole("tab").nth(place).click();
}

/** Elements whose text does not fit into them, and those that stick out of the window. */
function overflowing() {
  const isMeant = (element) =>
    element.closest(".hidden, .skip, [role=tablist], textarea, svg, details:not([open]) > div") !== null ||
    ["auto", "scroll"].includes(getComputedStyle(element).overflowX);
  const isOut = (element) => {
    const { left, right, width } = element.getBoundingClientRect();
    return width > 0 && (left < -1 || right > innerWidth + 1);
  };
  const isCut = (element) => element.clientWidth > 0 && element.scrollWidth > element.clientWidth + 1;
  return [...document.querySelectorAll("body *")]
    .filter((element) => element.textContent !== "" && !isMeant(element) && (isOut(element) || isCut(element)))
    .map((element) => `${element.tagName} ${element.className} ${element.textContent.trim().slice(0, 60)}`);
}

let window;

before(async () => {
  window = await open();
});
after(() => window?.close());

/** Sizes with the theme that they are looked at in. Colours are no matter of languages, so axe looks once. */
const LOOKS = { desktop: "light", laptop: "dark", narrow: "light" };

/** Looks at one screen. */
async function look(shown, name, language) {
  for (const [size, theme] of Object.entries(LOOKS)) {
    const told = `${language}-${name}-${theme}-${size}`;
    await shown.setViewportSize(SIZES[size]);
    await shown.emulateMedia({ colorScheme: theme });
    assert.deepEqual(await shown.evaluate(overflowing), [], told);
    if (size !== "desktop") await picture(shown, told);
    if (size === "laptop") assert.deepEqual(await violations(shown), [], told);
  }
  await shown.setViewportSize(SIZES.desktop);
}

/** All screens of a language, in one page. */
async function tour(locale) {
  const shown = await page(window, "new", { locale });
  for (const [scene, screens] of Object.entries(WAYS)) {
    await shown.page.goto(`${window.url}?scene=${scene}`);
    await ready(shown.page);
    for (const [name, go] of Object.entries(screens)) {
      await go(shown.page);
      await shown.page.locator("h1").first().waitFor();
      await look(shown.page, name, locale.slice(0, 2));
    }
  }
  assert.equal(await shown.page.locator("html").getAttribute("dir"), LOCALES[locale]);
  assert.deepEqual(shown.errors, []);
  await shown.close();
}

test("all screens, in each language", () => Promise.all(Object.keys(LOCALES).map(tour)));

test("a language is chosen in the settings, and stays", async () => {
  const shown = await page(window, "synced");
  await nav(shown.page, 4);
  await shown.page.getByRole("radio", { name: "العربية" }).click();
  await shown.page.getByRole("heading", { name: "الإعدادات" }).waitFor();
  assert.equal(await shown.page.locator("html").getAttribute("dir"), "rtl");
  assert.equal(await shown.page.getByRole("radio", { name: "العربية" }).isChecked(), true);
  await shown.page.reload();
  await shown.page.getByRole("heading", { name: "الرئيسية" }).waitFor();

  await nav(shown.page, 4);
  await shown.page.getByRole("radio", { name: "English" }).click();
  await shown.page.getByRole("heading", { name: "Settings" }).waitFor();
  assert.deepEqual(
    await shown.page.locator("html").evaluate(({ lang, dir }) => [lang, dir]),
    ["en", "ltr"],
  );
  assert.deepEqual(shown.errors, []);
  await shown.close();
});

test("arrows and what is read from left to right keep their way in Arabic", async () => {
  const shown = await page(window, "full", { locale: "ar" });
  await tab(shown.page, "Notes", 0);
  await shown.page.getByRole("tab").first().focus();
  await shown.page.keyboard.press("ArrowLeft");
  assert.equal(await shown.page.getByRole("tab").nth(1).getAttribute("aria-selected"), "true");
  const ways = await shown.page.evaluate(() => {
    const path = document.querySelector("main code");
    return [getComputedStyle(path).direction, getComputedStyle(document.body).direction];
  });
  assert.deepEqual(ways, ["ltr", "rtl"]);
  await shown.close();
});
