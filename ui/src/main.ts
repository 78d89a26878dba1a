/** Starts the window: chooses who runs the device, then shows it. */
import { mount } from "svelte";

import "./app.css";
import App from "./App.svelte";
import type { Backend } from "./backend";
import { App as AppState } from "./state/app.svelte";
import { locale } from "./text";

async function backend(): Promise<Backend> {
  if (import.meta.env.MODE === "fake") {
    const { FakeBackend } = await import("./backend/fake");
    return new FakeBackend(new URLSearchParams(location.search));
  }
  const { tauri } = await import("./backend/tauri");
  return tauri;
}

const target = document.getElementById("app");
if (target) {
  document.documentElement.lang = locale;
  const state = new AppState(await backend());
  mount(App, { target, props: { app: state } });
}
