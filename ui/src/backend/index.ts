/**
 * What the window needs from whoever runs the device: views to show, commands to give, and
 * what only a shell can do (choose a directory, open one, hear of links that people open and of what they drag onto it). `tauri.ts` is the desktop app,
 * `web.ts` a browser at a daemon, `fake.ts` one with nothing behind it.
 */
import type { Standing } from "../text/states";
import type { AnswerView } from "./generated/AnswerView";
import type { CommandView } from "./generated/CommandView";
import type { View } from "./generated/View";
import type { ViewError } from "./generated/ViewError";
import type { Updater } from "./updates";

/** What the shell tells about the device, the latest only. */
export type Told =
  | { kind: "starting" }
  | { kind: "view"; view: View }
  | { kind: "failed"; error: ViewError }
  | { kind: "ending" }
  | { kind: "ended"; error: ViewError | null }
  /** It opens to nobody without a link that it made, or a password; why the last link did not, if one was tried. */
  | { kind: "locked"; wants: "link" | "password"; error: ViewError | null }
  /** It does not answer; it is tried again. What was shown last may be old. */
  | { kind: "lost" };

/** What a shell can do beside showing the device; the window offers nothing that it cannot. */
export interface Abilities {
  /** Shows the system's dialog for directories. */
  chooseDirectory: boolean;
  /** Shows folders in the system's file manager. */
  openFolder: boolean;
  /** Shows the log, and saves how the device stands. */
  help: boolean;
}

/** What became of something a person asked for. */
export type Outcome =
  | { kind: "accepted"; answer: AnswerView }
  | { kind: "refused"; error: ViewError };

/** What became of the system's dialog; the path is what was chosen, or what was put there. */
export type Choice =
  | { kind: "chosen"; path: string }
  | { kind: "nothing" }
  | { kind: "refused"; error: ViewError };

/** Whether a signal server runs in the program of this window. */
export type ServerHere =
  | { kind: "off" }
  /** Others reach it at these addresses; at none where this computer is on no network. */
  | { kind: "runs"; urls: string[] }
  | { kind: "failed"; error: ViewError }
  /** This window cannot run one. */
  | { kind: "elsewhere" };
/** How a drag of something from a disk onto the window stands; a folder that is dropped is chosen. */
export type Drag = { kind: "over" } | { kind: "away" } | Exclude<Choice, { kind: "nothing" }>;

/** Whether the system starts the app when the person logs in. */
export type AtLogin =
  | { kind: "known"; isStarted: boolean }
  | { kind: "refused"; error: ViewError };

/** A notice for the system to show, in the words of people. */
export interface Spoken {
  /** By which it is known when it is opened; it takes the place of one that is shown under the same tag. */
  tag: string;
  /** What has happened. */
  title: string;
  /** What it means, as plain text. */
  body: string;
  /** What the button says that opens it, as a click does. */
  open: string;
  /** What the button says that puts it off, if there is one. */
  later: string | null;
}

/** What a person can wish of the sign in the tray. */
export type Wish = "open" | "pause" | "resume" | "quit";

/** What the sign in the tray shows, says and lets choose. */
export interface Sign {
  standing: Standing;
  state: string;
  title: string;
  choices: { wish: Wish; text: string }[];
}

/** What closing the window does while a tray shows the sign. */
export type Closing = "stay" | "quit";

/** How it stands with closing the window. */
export interface ClosingTold {
  /** Whether a tray shows the sign; where none does, closing ends the app. */
  tray: boolean;
  closing: Closing;
  /** Whether the window went out of sight and its person has not said yet what closing shall do. */
  asks: boolean;
}

/** The app around the window. */
export interface Desktop {
  /** Shows and says this in the tray, where there is one. */
  sign(sign: Sign): Promise<void>;
  /** Tells what closing the window does, now and after every change; ends with the returned call. */
  closing(tell: (told: ClosingTold) => void): () => void;
  /** Lets closing do this from now on. */
  chooseClosing(closing: Closing): Promise<Outcome>;
  /** Tells how a drag onto the window stands; ends with the returned call. */
  drags(tell: (drag: Drag) => void): () => void;
  /** Shows a notice outside the window, where the system can. */
  notify(notice: Spoken): Promise<void>;
  /** Tells the tag of each notice that is opened, once the window is in front; ends with the returned call. */
  notices(tell: (tag: string) => void): () => void;
  /** Asks the system whether it starts the app when the person logs in. */
  atLogin(): Promise<AtLogin>;
  /** Has the system start the app when the person logs in, or no longer. */
  setAtLogin(isStarted: boolean): Promise<Outcome>;
  /** Ends the app in good order. */
  quit(): Promise<void>;
}

/** Runs the device behind the window. */
export interface Backend {
  readonly abilities: Abilities;
  /** Tells where the device stands now and after every change; ends with the returned call. */
  watch(tell: (told: Told) => void): () => void;
  /** Gives a command; its effects are seen in later views only. */
  command(command: CommandView): Promise<Outcome>;
  /** Tells each link that somebody opens, whatever stands in it; ends with the returned call. */
  links(tell: (link: string) => void): () => void;
  /** Starts the device again after it failed or ended. */
  start(): Promise<void>;
  /** Opens a device that is locked, by its password. */
  unlock(password: string): Promise<Outcome>;
  /** Tells whether a signal server runs here, now and after every change; ends with the returned call. */
  serverHere(tell: (server: ServerHere) => void): () => void;
  /** Runs a signal server here, which the device then uses, until it is stopped; it is started with this program. */
  runServer(wish: "run" | "stop"): Promise<Outcome>;
  /** Lets the person choose a directory in the system's dialog; it begins at the path `shown`. */
  pickDirectory(title: string, shown: string): Promise<Choice>;
  /** Shows a synced folder in the system's file manager. */
  openFolder(folder: string): Promise<Outcome>;
  /** Shows where the log is kept. */
  openLog(): Promise<Outcome>;
  /** Saves how the device stands, without names, to a file in a directory that the person chooses. */
  saveDiagnostics(title: string): Promise<Choice>;
  /** The app around the window; a page in a browser has none. */
  readonly desktop: Desktop | null;
  /** Brings the app up to date; absent where whoever runs the device cannot. */
  readonly updater?: Updater;
}

/** A value that no longer has any case left; the compiler proves it. */
export function assertNever(value: never): never {
  throw new Error(`a case nobody has thought of: ${JSON.stringify(value)}`);
}
