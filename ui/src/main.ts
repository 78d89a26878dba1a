/** Starts the window: chooses who runs the device, then shows it. */
import { mount } from "svelte";

import "./app.css";
import App from "./App.svelte";
import type { Backend } from "./backend";
import { App as AppState } from "./state/app.svelte";
import type { Sight } from "./state/noticing";
import { locale } from "./text";
import { direction, tag } from "./text/locale";

async function backend(): Promise<Backend> {
  if (import.meta.env.MODE === "fake") {
    const { FakeBackend } = await import("./backend/fake");
    return new FakeBackend(new URLSearchParams(location.search));
  }
  const { isHere, tauri } = await import("./backend/tauri");
  if (isHere()) return tauri;
  const { WebBackend } = await import("./backend/web");
  return new WebBackend();
}

/** This page in its window, and what the browser keeps for it. */
const sight: Sight = {
  isLookedAt: () => document.visibilityState === "visible" && document.hasFocus(),
  storage: () => localStorage,
};

const target = document.getElementById("app");
if (target) {
  document.documentElement.lang = tag(locale.language);
  document.documentElement.dir = direction(locale.language);
  const state = new AppState(await backend(), sight);
  if (location.hash === "#settings") {
    // Whoever has just chosen a language comes back to where it was chosen.
    history.replaceState(null, "", location.pathname + location.search);
    state.go({ at: "settings" });
  }
  mount(App, { target, props: { app: state } });
}
