/**
 * Drives the real window: a WebDriver client of a few lines, for WebKitWebDriver as Debian has it.
 * Every app has its own home and runtime directory; all are on one session bus, as of one person.
 */
import { spawn } from "node:child_process";
import { chmodSync, createWriteStream, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const ARTIFACTS = need("TOWLINE_ARTIFACTS");
const PICTURES = join(ARTIFACTS, "window");

/** Longest wait for anything that a person would wait for: 30 s, because test machines are shared. */
const WITHIN_MS = 30_000;

/** How WebDriver names an element in JSON; a constant of its specification. */
const ELEMENT = "element-6066-11e4-a52e-4f735466cecf";

export function need(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set; run \`cargo xtask test\``);
  return value;
}

const made = [];
process.once("exit", () => made.forEach((path) => rmSync(path, { recursive: true, force: true })));

/** A directory of its own, which is gone with the tests. */
export function directory(name) {
  const path = mkdtempSync(join(tmpdir(), `towline-${name}-`));
  made.push(path);
  return path;
}

/** Where the picture `name` is kept. */
export function picturePath(name) {
  mkdirSync(PICTURES, { recursive: true });
  return join(PICTURES, `${name}.png`);
}

/** Waits until `look` gives something true; `what` is told when it never does. */
export async function until(what, look) {
  const deadline = Date.now() + WITHIN_MS;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > deadline) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** A program of ours with its log in the artifacts; `end` ends it and all that it started. */
export function program(name, command, args, env = {}) {
  const child = spawn(command, args, {
    env: { ...process.env, ...env },
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const log = createWriteStream(join(ARTIFACTS, `window-${name}.log`));
  child.stderr.pipe(log);
  const lines = createInterface({ input: child.stdout });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  return {
    ended,
    /** The first line of its output that `pattern` matches, as the match. */
    line: (pattern) =>
      new Promise((resolve, reject) => {
        lines.on("line", (line) => {
          const match = pattern.exec(line);
          if (match) resolve(match);
        });
        void ended.then((code) => reject(new Error(`${name} ended with ${code}`)));
      }),
    end: async () => {
      // Its whole group, because a session bus does not take its children along; Windows has no groups.
      const all = process.platform === "win32" ? child.pid : -child.pid;
      if (child.exitCode === null && child.signalCode === null) process.kill(all, "SIGTERM");
      await ended;
    },
    /** Ends it and all that it started at once, as a power cut does. */
    kill: async () => {
      process.kill(-child.pid, "SIGKILL");
      await ended;
    },
    /** Waits until nothing is left that it started. */
    gone: () => until(`the end of ${name}`, () => !isAlive(-child.pid)),
  };
}

/** Whether a process is there, or one of a group. */
function isAlive(pid) {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/**
 * Without a graphics card the app has WebKit paint without layers. Then WebKit's driver waits for ever for a picture of a
 * page that has nothing new to show, so that it is driven as it is with a card; `cargo xtask bench window` sees the other.
 */
const BY_LAYERS = { WEBKIT_DISABLE_COMPOSITING_MODE: "0", WEBKIT_DISABLE_DMABUF_RENDERER: "0" };

/** Opens the app as `name`, with these arguments, and gives the window to act on. */
export async function openApp(name, env, args, binary = need("TOWLINE_APP_BIN")) {
  const home = directory(name);
  const runtime = join(home, "run");
  mkdirSync(runtime);
  chmodSync(runtime, 0o700);
  const port = await freePort();
  const around = {
    HOME: home,
    XDG_RUNTIME_DIR: runtime,
    XDG_DATA_HOME: join(home, "data"),
    TOWLINE_HOME: join(home, "towline"),
    TOWLINE_KEY_FILE: "true",
    ...BY_LAYERS,
    ...env,
  };
  const driver = program(
    `${name}-app`,
    "WebKitWebDriver",
    ["--host=127.0.0.1", `--port=${port}`],
    { TAURI_WEBVIEW_AUTOMATION: "true", ...around },
  );
  const base = `http://127.0.0.1:${port}`;
  await until("the WebDriver", () => fetch(`${base}/status`).catch(() => null));
  const browser = { binary, args };
  const capabilities = {
    alwaysMatch: { browserName: "wry", "webkitgtk:browserOptions": browser },
  };
  // A program that opens no window is waited for without end by the driver itself.
  const begun = call(base, "POST", "/session", { capabilities }, AbortSignal.timeout(2 * WITHIN_MS));
  const { sessionId } = await begun.catch(async (error) => {
    await driver.end();
    throw error;
  });
  return new Window(name, around, binary, driver, `${base}/session/${sessionId}`);
}

/** One window of the app, as a person acts on it. */
class Window {
  constructor(name, env, binary, driver, session) {
    Object.assign(this, { name, env, binary, driver, session });
  }

  /** Starts the app a second time, as the desktop does, and gives what it ends with. */
  again(...args) {
    return program(`${this.name}-again`, need("TOWLINE_APP_BIN"), args, this.env).ended;
  }

  /** Runs a function body in the page. */
  run(script, ...args) {
    return call(this.session, "POST", "/execute/sync", { script, args });
  }

  /** All text that is in sight. */
  text() {
    return this.run("return document.body.innerText");
  }

  /** Waits until `look` gives something true of this window; when it never does, the failure tells what is in sight. */
  until(what, look) {
    return until(`${what} in the window of ${this.name}`, look).catch(async (error) => {
      const seen = this.picture(`failed-${this.name}`).then(() => this.text());
      throw new Error(`${error.message}; there is: ${await seen.catch((silent) => silent.message)}`);
    });
  }

  /** Waits until `text` is in sight. */
  async see(text) {
    await this.until(`“${text}”`, async () => (await this.text()).includes(text));
  }

  /** Presses the button whose name begins with `name`. */
  async press(name) {
    const script = `return [...document.querySelectorAll("button")].find((button) =>
      !button.disabled && (button.ariaLabel ?? button.innerText).trim().startsWith(arguments[0]))`;
    const button = await this.until(`the button “${name}”`, () =>
      this.run(script, name),
    );
    await call(this.session, "POST", `/element/${button[ELEMENT]}/click`, {});
  }

  /** Types into the field of this label, in place of what is there. */
  async fill(label, text) {
    const script = `const label = [...document.querySelectorAll("label")].find((label) =>
      label.textContent.trim() === arguments[0]); return label?.control`;
    const field = await this.until(`the field “${label}”`, () =>
      this.run(script, label),
    );
    const element = `/element/${field[ELEMENT]}`;
    await call(this.session, "POST", `${element}/clear`, {});
    await call(this.session, "POST", `${element}/value`, { text });
  }

  /** Chooses one of a few by its name. */
  async choose(name) {
    const script = `return [...document.querySelectorAll("input[type=radio]")].find((radio) =>
      radio.labels[0]?.querySelector(".name")?.innerText === arguments[0])`;
    const radio = await this.until(`the choice “${name}”`, () => this.run(script, name));
    await call(this.session, "POST", `/element/${radio[ELEMENT]}/click`, {});
  }

  /** Waits until the field of this label holds `text`. */
  holds(label, text) {
    const script = `const label = [...document.querySelectorAll("label")].find((label) =>
      label.textContent.trim() === arguments[0]); return label?.control.value`;
    return this.until(`“${text}” in the field “${label}”`, async () =>
      (await this.run(script, label)) === text,
    );
  }

  /** The text of the first element that a selector finds. */
  part(selector) {
    return this.until(selector, () =>
      this.run("return document.querySelector(arguments[0])?.innerText", selector),
    );
  }

  /** Keeps a picture of the page, once it has been drawn. */
  async picture(name) {
    const script = `const done = arguments[0];
      requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 0)))`;
    await call(this.session, "POST", "/execute/async", { script, args: [] });
    // The driver hands out the frame before last; asking twice gives what is there.
    await call(this.session, "GET", "/screenshot");
    const png = await call(this.session, "GET", "/screenshot");
    writeFileSync(picturePath(name), Buffer.from(png, "base64"));
  }

  /** Sets the size of the window. */
  size(width, height) {
    return call(this.session, "POST", "/window/rect", { x: 0, y: 0, width, height });
  }

  /** What the app has logged, without colours. */
  log() {
    const log = readFileSync(join(ARTIFACTS, `window-${this.name}-app.log`), "utf8");
    return log.replace(/\x1b\[[0-9;]*m/g, "");
  }

  /** What the latest second start has logged. */
  logAgain() {
    return readFileSync(join(ARTIFACTS, `window-${this.name}-again.log`), "utf8");
  }

  /** Ends the app at once, as a power cut does. */
  kill() {
    return this.driver.kill();
  }

  /** Waits until nothing is left of the app and of whatever it has started. */
  gone() {
    return this.driver.gone();
  }

  /** Asks the app to end, as the system does when a person logs out. */
  logOut() {
    const home = `TOWLINE_HOME=${this.env.TOWLINE_HOME}\0`;
    const isApp = (pid) => {
      try {
        const [program] = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
        return program === this.binary && readFileSync(`/proc/${pid}/environ`, "utf8").includes(home);
      } catch {
        // It has ended, or is somebody else's.
        return false;
      }
    };
    const pid = readdirSync("/proc").find((name) => /^\d+$/.test(name) && isApp(name));
    process.kill(Number(pid), "SIGTERM");
  }

  /** Closes the window and ends everything around it. */
  async close() {
    await call(this.session, "DELETE", "").catch(() => null);
    await this.driver.end();
  }
}

async function call(base, method, path, body, signal) {
  const response = await fetch(base + path, {
    method,
    ...(signal === undefined ? {} : { signal }),
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const { value } = await response.json();
  if (value?.error) throw new Error(`${method} ${path}: ${value.error}: ${value.message}`);
  return value;
}
