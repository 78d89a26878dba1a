/** What the page may not do, whoever has got a script or a name into it. */
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { test } from "node:test";

import { until } from "./driver.mjs";
import { stage } from "./stage.mjs";

const { app, open } = stage("borders-server");

/** A server that somebody would like the page to reach, and what it was asked for. */
async function lure() {
  const asked = [];
  const server = createServer((request, response) => {
    asked.push(request.url);
    response.setHeader("Access-Control-Allow-Origin", "*").end("<h1>Not Towline</h1>");
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  open.push(() => new Promise((resolve) => server.close(resolve)));
  return { url: `http://127.0.0.1:${server.address().port}`, asked };
}

/** Runs a function body in the page whose promise gives text. */
const asks = (shown, body) =>
  shown.run(`window.outcome = undefined;
    void (async () => { ${body} })().then(String, (error) => "refused: " + (error?.message ?? JSON.stringify(error)))
      .then((outcome) => { window.outcome = outcome; })`)
    .then(() => until("an outcome in the page", () => shown.run("return window.outcome")));

test("the page runs no script but its own and reaches nobody but the shell", async () => {
  const { url, asked } = await lure();
  const shown = await app("Shed");
  await shown.see("Pair a device");
  await shown.run(`for (const [name, write] of [
      ["script", (at) => { at.textContent = "window.broken = 1"; }],
      ["script", (at) => { at.src = "${url}/script.js"; }],
      ["img", (at) => { at.src = "${url}/image.png"; }],
      ["iframe", (at) => { at.src = "${url}/frame"; }],
      ["link", (at) => { at.rel = "stylesheet"; at.href = "${url}/style.css"; }],
      ["form", (at) => { at.action = "${url}/form"; setTimeout(() => at.submit()); }],
    ]) { const at = document.createElement(name); write(at); document.body.append(at); }
    const button = document.createElement("button"); button.setAttribute("onclick", "window.broken = 2");
    document.body.append(button); button.click();`);
  for (const reach of [
    `return (await fetch("${url}/fetch")).status`,
    `return await new Promise((done, failed) => { const socket = new WebSocket("${url.replace("http", "ws")}");
      socket.onopen = () => done("open"); socket.onerror = () => failed(new Error("closed")); })`,
    "return new Function('return 1')()",
    "return (0, eval)('1')",
  ]) {
    assert.match(await asks(shown, reach), /^refused: /, reach);
  }
  assert.equal(await shown.run("return window.broken ?? null"), null);
  assert.deepEqual(asked, []);
});

test("the page cannot be left for another one", async () => {
  const { url, asked } = await lure();
  const shown = await app("Shed");
  await shown.see("Pair a device");
  for (const way of [
    `location.href = "${url}/elsewhere"`,
    `location.assign("data:text/html,<h1>Towline</h1>")`,
    `window.open("${url}/window")`,
    `const at = document.createElement("a"); at.href = "${url}/link"; document.body.append(at); at.click()`,
  ]) {
    await shown.run(way);
  }
  // What is refused is refused by the time that the next answer comes; the page is still there.
  await shown.press("Pair a device");
  assert.match(await shown.run("return location.href"), /^tauri:\/\/localhost/);
  assert.deepEqual(asked, []);
  await until("the refusal in the log", () => shown.log().includes("which is refused"));
});

test("the page can ask the shell for its own commands only, and for nothing that is not its own", async () => {
  const shown = await app("Shed");
  await shown.see("Pair a device");
  const invoke = (command, given = {}) =>
    asks(shown, `return JSON.stringify(await window.__TAURI_INTERNALS__.invoke(${JSON.stringify(command)}, ${JSON.stringify(given)}))`);
  for (const [command, given] of [
    ["plugin:event|emit", { event: "any" }],
    ["plugin:path|resolve_directory", { directory: 1 }],
    ["plugin:window|close", { label: "main" }],
    ["plugin:webview|create_webview_window", { options: { label: "second", url: "https://example.org" } }],
    ["plugin:opener|open_path", { path: "/etc/passwd" }],
    ["plugin:opener|open_url", { url: "https://example.org" }],
    ["plugin:app|version", {}],
  ]) {
    assert.match(await invoke(command, given), /^refused: .*not allowed/, command);
  }
  assert.match(await invoke("open_folder", { folder: "../../etc" }), /unknown_folder/);
  assert.match(await invoke("command", { command: { command: "no_such" } }), /^refused: /);
});

test("a name is text, whatever stands in it", async () => {
  const { url, asked } = await lure();
  const shown = await app("Shed");
  const name = `<img src="${url}/x">`;
  await shown.fill("What is this computer called?", name);
  await shown.press("Pair a device");
  await shown.see(name);
  assert.equal(await shown.run("return document.querySelectorAll('img').length"), 0);
  assert.deepEqual(asked, []);
});
