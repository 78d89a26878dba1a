/**
 * The window in a real browser, over the fake device or a real one: builds it once for the former, serves it on
 * loopback, opens pages, judges them with axe and keeps pictures.
 */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

import { chromium } from "playwright-core";
import { build, preview } from "vite";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
/** Each file of tests builds its own, because several run at a time. */
const OUT = fileURLToPath(new URL(`../node_modules/.cache/towline-fake-${process.pid}`, import.meta.url));
const PICTURES =
  process.env.TOWLINE_ARTIFACTS ?? fileURLToPath(new URL("../../artifacts", import.meta.url));
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** The sizes that the window is looked at in. */
export const SIZES = {
  desktop: { width: 1280, height: 800 },
  laptop: { width: 1024, height: 640 },
  narrow: { width: 420, height: 800 },
};

const BROWSERS = [
  process.env.TOWLINE_BROWSER,
  "/usr/bin/chromium",
  "/usr/bin/google-chrome",
  "/usr/bin/chromium-browser",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  "C:/Program Files/Google/Chrome/Application/chrome.exe",
];

/** The browser to use; `undefined` where none is installed, and then the tests fail. */
const executable = BROWSERS.find((path) => path !== undefined && existsSync(path));

/** Serves the window over the fake device and starts a browser; `close` ends both. */
export async function open() {
  const quiet = { root: ROOT, logLevel: "error" };
  await build({ ...quiet, mode: "fake", build: { outDir: OUT, emptyOutDir: true } });
  const server = await preview({
    ...quiet,
    build: { outDir: OUT },
    preview: { host: "127.0.0.1", port: 0 },
  });
  const url = server.resolvedUrls.local[0];
  const browser = await launch();
  const close = async () => {
    await browser.close();
    await server.close();
    rmSync(OUT, { recursive: true });
  };
  return { browser, url, close };
}

/** Starts a browser. */
export function launch() {
  if (executable === undefined) {
    throw new Error("no Chromium is here; install it, or name a browser with TOWLINE_BROWSER");
  }
  return chromium.launch({
    executablePath: executable,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}

/** A page at a scene, of a size, a theme and a language, with colours of the system where they are forced. */
export function page({ browser, url }, scene, looks) {
  return visit(browser, `${url}?scene=${scene}`, looks);
}

/** A page at an address, in a browser that remembers nothing. */
export async function visit(
  browser,
  address,
  { size = "desktop", theme = "light", forced = "none", locale = "en-GB" } = {},
) {
  const context = await browser.newContext({
    viewport: SIZES[size],
    colorScheme: theme,
    forcedColors: forced,
    locale,
    reducedMotion: "reduce",
    permissions: ["clipboard-read", "clipboard-write"],
  });
  const page = await context.newPage();
  const errors = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error") errors.push(message.text());
  });
  await page.goto(address);
  await ready(page);
  return { page, errors, close: () => context.close() };
}

/** Waits until the window's program runs; before that the page is there, and hears no key. */
export async function ready(page) {
  await page.locator("main").waitFor();
}

/**
 * One browser for the tests of a file. `journey` is a test that walks through a scene, from where `begin` leads, and holds
 * the page's errors against it; `at` opens a scene for a test of its own.
 */
export function journeys(begin = async () => undefined) {
  let window;
  before(async () => {
    window = await open();
  });
  after(() => window?.close());
  const at = (scene, looks) => page(window, scene, looks);
  const journey = (name, scene, walk) =>
    test(name, async () => {
      const shown = await at(scene);
      await begin(shown.page);
      await walk(shown.page);
      assert.deepEqual(shown.errors, []);
      await shown.close();
    });
  return { at, journey };
}

/** Keeps a picture of what a person sees. */
export async function picture(page, name) {
  mkdirSync(`${PICTURES}/ui`, { recursive: true });
  await page.screenshot({ path: `${PICTURES}/ui/${name}.png` });
}

/** What axe finds wrong, in one line each. */
export async function violations(page) {
  await page.evaluate(AXE);
  const found = await page.evaluate(async () => {
    const { violations } = await globalThis.axe.run(document, {
      runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    });
    return violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" | ")}`);
  });
  return found;
}
