/**
 * A publisher of updates on loopback: keys that are made for one run, a manifest and one release, and
 * what can be wrong with them. It writes down what it is asked.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";

import { directory, need } from "./driver.mjs";

/** Starts one that has published nothing yet. */
export async function openPublisher() {
  const place = directory("publisher");
  const publisher = new Publisher(place, newKey(place, "ours"), newKey(place, "others"));
  publisher.server = createServer((request, response) => publisher.answer(request, response));
  await new Promise((resolve) => publisher.server.listen(0, "127.0.0.1", resolve));
  return publisher;
}

class Publisher {
  /** What every address answers with; nobody is told of anything else. */
  files = new Map();
  asked = [];
  /** How a download goes on after half of it: `whole`, `cut` or `held`. */
  line = "whole";

  constructor(place, ours, others) {
    Object.assign(this, { place, ours, others });
  }

  get base() {
    return `http://127.0.0.1:${this.server.address().port}`;
  }

  /** What an app must be told to follow it. */
  get env() {
    return { TOWLINE_UPDATE_URL: `${this.base}/{channel}.json`, TOWLINE_UPDATE_KEY: this.ours.public };
  }

  /** Publishes a release; what is left out is as it should be. */
  publish(program, { version = "0.2.0", signed = version, key = this.ours, manifestKey = this.ours } = {}) {
    const bytes = readFileSync(program);
    const name = `linux-${process.arch === "arm64" ? "aarch64" : "x86_64"}`;
    const signature = this.sign(program, key, signed);
    const manifest = JSON.stringify({
      version,
      notes: "Folders are faster.\n<b>Text</b>",
      platforms: { [name]: { url: `${this.base}/release`, signature } },
    });
    const path = join(this.place, "stable.json");
    writeFileSync(path, manifest);
    this.files.set("/release", bytes);
    this.files.set("/stable.json", Buffer.from(manifest));
    this.files.set("/stable.json.sig", Buffer.from(this.sign(path, manifestKey, version)));
  }

  /** Changes one byte of what lies at this address. */
  spoil(address) {
    const bytes = Buffer.from(this.files.get(address));
    bytes[bytes.length >> 1] ^= 1;
    this.files.set(address, bytes);
  }

  sign(path, key, version) {
    const words = ["signer", "sign", "-f", key.path, "-p", ""];
    if (version) words.push("--app-version", version);
    tool(...words, path);
    const signature = readFileSync(`${path}.sig`, "utf8");
    rmSync(`${path}.sig`);
    return signature;
  }

  answer(request, response) {
    this.asked.push({ path: request.url, headers: request.headers });
    const bytes = this.files.get(request.url);
    if (!bytes) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { "Content-Length": bytes.length });
    if (request.url !== "/release" || this.line === "whole") {
      response.end(bytes);
      return;
    }
    const isCut = this.line === "cut";
    response.write(bytes.subarray(0, bytes.length >> 1), () => {
      if (isCut) response.destroy();
    });
  }

  end() {
    this.server.closeAllConnections();
    return new Promise((resolve) => this.server.close(resolve));
  }
}

/** A pair of keys, as releases are signed with. */
function newKey(place, name) {
  const path = join(place, `${name}.key`);
  tool("signer", "generate", "--ci", "-p", "", "-w", path);
  return { path, public: readFileSync(`${path}.pub`, "utf8").trim() };
}

function tool(...words) {
  // A key of the person who runs this would be taken in place of ours.
  const { TAURI_SIGNING_PRIVATE_KEY: _, TAURI_SIGNING_PRIVATE_KEY_PATH: __, ...env } = process.env;
  const { status, stderr } = spawnSync(need("TOWLINE_SIGNER"), words, { env, encoding: "utf8" });
  assert.equal(status, 0, stderr);
}
