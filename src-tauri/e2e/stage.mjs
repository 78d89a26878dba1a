/**
 * What tests of the window stand on: a real signal server for all tests of a file, and whatever one of
 * them opens, which ends with it.
 */
import { after, afterEach, before } from "node:test";

import { openDesktop } from "./desktop.mjs";
import { need, openApp, program } from "./driver.mjs";

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
    /** The desktop around the windows. */
    async desktop() {
      const around = await openDesktop();
      open.push(() => around.end());
      return around;
    },
  };
}
