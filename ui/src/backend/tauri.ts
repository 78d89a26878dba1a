/** The desktop app: every call is a command of the shell, views arrive on a channel. */
import { Channel, invoke } from "@tauri-apps/api/core";

import { assertExact } from "./door";
import type { AnswerView } from "./generated/AnswerView";
import type { ViewError } from "./generated/ViewError";
import type { Backend, Choice, Outcome, Told } from "./index";

/** The device that the desktop shell runs, or is attached to. */
export const tauri: Backend = {
  watch: (tell) =>
    listen<Told>("watch", (told) => {
      assertExact(told);
      tell(told);
    }),
  links: (tell) => listen("links", tell),
  command: (command) => outcome(invoke<AnswerView>("command", { command })),
  start: () => invoke("start"),
  pickDirectory: (title, shown) => choice(invoke("pick_directory", { title, shown })),
  openFolder: (folder) =>
    outcome(invoke("open_folder", { folder }).then(() => ({ answer: "accepted" }))),
  openLog: () => outcome(invoke("open_log").then(() => ({ answer: "accepted" }))),
  saveDiagnostics: (title) => choice(invoke("save_diagnostics", { title })),
};

/** Hears what a command tells on a channel, until the returned call. */
function listen<T>(command: string, tell: (told: T) => void): () => void {
  let listening = true;
  const channel = new Channel<T>();
  channel.onmessage = (told) => {
    if (listening) tell(told);
  };
  void invoke(command, { channel });
  return () => {
    listening = false;
  };
}

async function choice(call: Promise<string | null>): Promise<Choice> {
  try {
    const path = await call;
    return path === null ? { kind: "nothing" } : { kind: "chosen", path };
  } catch (error) {
    return { kind: "refused", error: asViewError(error) };
  }
}

async function outcome(call: Promise<AnswerView>): Promise<Outcome> {
  try {
    return { kind: "accepted", answer: await call };
  } catch (error) {
    return { kind: "refused", error: asViewError(error) };
  }
}

function asViewError(error: unknown): ViewError {
  if (typeof error === "object" && error !== null && "code" in error) {
    return error as ViewError;
  }
  return { code: "shell", detail: String(error) };
}
