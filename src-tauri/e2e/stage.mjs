/**
 * What tests of the window stand on: a real signal server for all tests of a file, and whatever one of
 * them opens, which ends with it.
 */
import { spawnSync } from "node:child_process";
import { after, afterEach, before } from "node:test";

import { openDesktop } from "./desktop.mjs";
import { directory, need, openApp, program } from "./driver.mjs";

/** Sets it up for a file; `name` is the server's in the logs. What ends in `open` is ended after a test, the last first. */
export function stage(name) {
  const server = { url: "" };
  const open = [];
  let running;

  before(async () => {
    running = program(name, need("TOWLINE_SIGNAL_BIN"), ["--bind", "127.0.0.1:0"]);
    [, server.url] = await running.line(/(ws:\/\/\S+)/);
  });

  // Each test begins without windows, so that the one that it opens is the one that it sees.
  afterEach(async () => {
    for (const end of open.splice(0).reverse()) await end();
  });

  after(async () => {
    await running?.end();
  });

  return {
    server,
    open,
    /** Opens the app as `name`, with arguments, and perhaps another program than the one that was built. */
    async app(name, env = {}, args = [], binary = undefined) {
      const around = { TOWLINE_SERVER: server.url, TOWLINE_NAME: name, ...env };
      const window = await openApp(name, around, args, binary);
      open.push(() => window.close());
      return window;
    },
    /** A device without a window that shows a code: the link for it, and how its pairing stands. */
    async showsCode(name) {
      const env = { TOWLINE_HOME: directory(name), TOWLINE_KEY_FILE: "true", TOWLINE_SERVER: server.url, TOWLINE_NAME: name };
      const up = program(`${name}-up`, need("TOWLINE_BIN"), ["up", "--json"], env);
      open.push(() => up.end());
      await up.line(/"event":"up"/);
      const pair = program(`${name}-pair`, need("TOWLINE_BIN"), ["pair", "--json"], env);
      open.push(() => pair.end());
      const [, link] = await pair.line(/"link":"(towline:[^"]+)"/);
      const status = () => spawnSync(need("TOWLINE_BIN"), ["status", "--json"], { env: { ...process.env, ...env } });
      return { link, pairing: () => JSON.parse(status().stdout).pairing.state };
    },
    /** The desktop around the windows. */
    async desktop() {
      const around = await openDesktop();
      open.push(() => around.end());
      return around;
    },
  };
}

/** Makes peers of two windows, whose people compare what they see. */
export async function pair(one, other) {
  await one.press("Pair a device");
  const code = await one.part("[data-code]");
  await other.press("Enter a code");
  await other.fill("Code of the other device", code);
  await other.press("Connect");
  for (const window of [one, other]) await window.press("They match");
}
