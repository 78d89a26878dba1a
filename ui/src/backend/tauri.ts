/** The desktop app: every call is a command of the shell, views arrive on a channel. */
import { Channel, invoke, isTauri } from "@tauri-apps/api/core";

import { assertExact, asViewError } from "./door";
import type { AnswerView } from "./generated/AnswerView";
import type { Backend, Choice, Outcome, ServerHere, Told } from "./index";
import type { UpdatesTold } from "./updates";

/** Whether this page is in the desktop app's window. */
export const isHere = isTauri;

/** The device that the desktop shell runs, or is attached to. */
export const tauri: Backend = {
  abilities: { chooseDirectory: true, openFolder: true, help: true },
  watch: (tell) =>
    listen<Told>("watch", (told) => {
      assertExact(told);
      tell(told);
    }),
  links: (tell) => listen("links", tell),
  command: (command) => outcome(invoke<AnswerView>("command", { command })),
  start: () => invoke("start"),
  unlock: () => done(Promise.resolve()),
  serverHere: (tell) => listen<ServerHere>("server_here", tell),
  runServer: (wish) => done(wish === "run" ? invoke("run_server") : invoke("stop_server")),
  pickDirectory: (title, shown) => choice(invoke("pick_directory", { title, shown })),
  openFolder: (folder) => done(invoke("open_folder", { folder })),
  openLog: () => done(invoke("open_log")),
  saveDiagnostics: (title) => choice(invoke("save_diagnostics", { title })),
  desktop: {
    sign: (sign) => invoke("sign", { sign }),
    closing: (tell) => listen("closing", tell),
    chooseClosing: (closing) => done(invoke("choose_closing", { closing })),
    drags: (tell) => listen("drags", tell),
    notify: (notice) => invoke("notify", { notice }),
    notices: (tell) => listen("notices", tell),
    async atLogin() {
      try {
        return { kind: "known", isStarted: (await invoke<string>("at_login")) === "started" };
      } catch (error) {
        return { kind: "refused", error: asViewError(error) };
      }
    },
    setAtLogin: (isStarted) => done(invoke("set_at_login", { wanted: isStarted ? "started" : "not_started" })),
    quit: () => invoke("quit"),
  },
  updater: {
    watch: (tell) =>
      listen<UpdatesTold>("updates", (told) => {
        assertExact(told);
        tell(told);
      }),
    wish: (wish) => invoke("update", { wish }),
  },
};

/** What became of a call that answers nothing. */
function done(call: Promise<unknown>): Promise<Outcome> {
  return outcome(call.then(() => ({ answer: "accepted" })));
}

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
