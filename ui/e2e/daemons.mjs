/**
 * Real devices without a window: `towline up` with a home of its own, reached by a browser through the link that
 * `towline web` makes. The programs are named by `TOWLINE_BIN` and `TOWLINE_SIGNAL_BIN`.
 */
import { execFileSync } from "node:child_process";
import { join } from "node:path";

import { directory, need, program } from "../../src-tauri/e2e/driver.mjs";
import { visit } from "./browser.mjs";

export { directory, until } from "../../src-tauri/e2e/driver.mjs";

/** Starts a signal server on loopback. */
export async function startServer() {
  const server = program("daemons-server", need("TOWLINE_SIGNAL_BIN"), ["--bind", "127.0.0.1:0"]);
  const [, url] = await server.line(/(ws:\/\/\S+)/);
  return { url, end: () => server.end() };
}

/** A device of this name; it runs from `start` to `end`. */
export class Daemon {
  #running;

  constructor(name, server) {
    this.name = name;
    this.web = "127.0.0.1:0";
    this.env = {
      TOWLINE_HOME: join(directory(name), "towline"),
      TOWLINE_KEY_FILE: "true",
      TOWLINE_NAME: name,
      TOWLINE_SERVER: server.url,
      DISABLE_MDNS: "1",
      DISABLE_PORT_MAPPING: "1",
    };
  }

  async start() {
    const up = ["up", "--json", "--web", this.web];
    this.#running = program(`daemon-${this.name}`, need("TOWLINE_BIN"), up, this.env);
    const [, web] = await this.#running.line(/"event":"up".*"web":"http:\/\/([^/"]+)\/"/);
    // A device that starts again is found by the tabs that it had.
    this.web = web;
  }

  async end() {
    await this.#running?.end();
  }

  /** What a command of ours answers. */
  ask(...words) {
    const env = { ...process.env, ...this.env };
    const said = execFileSync(need("TOWLINE_BIN"), ["--json", ...words], { env, encoding: "utf8" });
    return JSON.parse(said);
  }

  /** A link that opens it once. */
  link() {
    return this.ask("web").link;
  }

  /** Opens it in a browser. */
  open(browser, looks) {
    return visit(browser, this.link(), looks);
  }
}
