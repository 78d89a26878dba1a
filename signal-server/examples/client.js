// A client of Towline's signal server, as small as it can be: docs/PROTOCOL.md, section 2.
"use strict";

class SignalClient {
  constructor(url) {
    this.socket = new WebSocket(url, "towline-signal.v1");
    this.waiting = [];
    this.heard = [];
    this.socket.onmessage = (event) => this.take(JSON.parse(event.data));
    this.socket.onclose = (event) =>
      this.take({ type: "closed", code: event.code, reason: event.reason });
  }

  // Registers as a guest; the server makes the id.
  async register(label, accessToken) {
    await this.hear("hello");
    this.say({ type: "register", clientId: label, access_token: accessToken || undefined });
    this.id = (await this.hear("registered")).device_id;
    return this.id;
  }

  say(message) {
    this.socket.send(JSON.stringify(message));
  }

  // The next notice of one of these types; others stay for whoever waits for them. Refusals and the end fail.
  hear(...types) {
    const at = this.heard.findIndex((notice) => types.includes(notice.type) || isFailure(notice));
    if (at >= 0) return settle(this.heard.splice(at, 1)[0], types);
    return new Promise((resolve, reject) => {
      this.waiting.push({ types, resolve, reject });
    });
  }

  take(notice) {
    const at = this.waiting.findIndex(({ types }) => types.includes(notice.type) || isFailure(notice));
    if (at < 0) {
      this.heard.push(notice);
      return;
    }
    const [{ types, resolve, reject }] = this.waiting.splice(at, 1);
    settle(notice, types).then(resolve, reject);
  }
}

function isFailure(notice) {
  return notice.type === "error" || notice.type === "closed";
}

async function settle(notice, types) {
  if (types.includes(notice.type)) return notice;
  throw new Error(`${notice.code} ${notice.message || notice.reason || ""}`);
}

// The password itself stays here: the server gets what this makes of it.
async function passwordProof(password, roomCode) {
  const bytes = (text) => new TextEncoder().encode(text);
  const letters = roomCode.toUpperCase().replace(/[^A-Z2-9]/g, "");
  const key = await crypto.subtle.importKey("raw", bytes(password.normalize("NFC")), "PBKDF2", false, ["deriveBits"]);
  const salt = bytes(`towline room password v1\0${letters}`);
  const kind = { name: "PBKDF2", hash: "SHA-256", salt, iterations: 600000 };
  const derived = await crypto.subtle.deriveBits(kind, key, 256);
  return btoa(String.fromCharCode(...new Uint8Array(derived)));
}

// What the address of the page sets behind its #, such as server=ws://127.0.0.1:8080/ws
const set = new URLSearchParams(location.hash.slice(1));
const serverUrl = () => document.getElementById("server").value;

function show(text) {
  const line = document.createElement("li");
  line.textContent = text;
  document.getElementById("log").append(line);
}

function onClick(id, action) {
  document.getElementById(id).onclick = () => action().catch((error) => show(`Failed: ${error.message}`));
}

addEventListener("DOMContentLoaded", () => {
  document.getElementById("server").value = set.get("server") || "ws://127.0.0.1:8080/ws";
});
