/** How devices are connected, in words; an engine of another version may know more of it. */
import { assertNever } from "../backend";
import type { CandidateView } from "../backend/generated/CandidateView";
import type { CountView } from "../backend/generated/CountView";
import type { LinkChangeView } from "../backend/generated/LinkChangeView";
import type { LinkCountsView } from "../backend/generated/LinkCountsView";
import type { LinkView } from "../backend/generated/LinkView";
import type { NetworkView } from "../backend/generated/NetworkView";
import type { OutsideView } from "../backend/generated/OutsideView";
import type { PathView } from "../backend/generated/PathView";
import type { TurnServerView } from "../backend/generated/TurnServerView";
import type { Usual } from "../state/connecting";
import { usual } from "../state/connecting";
import { advice } from "./errors";
import { facts, sentences, words } from "./index";
import { plain } from "./names";
import type { Standing, StateText } from "./states";

const said = words.network;

/** What lies between two devices; drawn as a picture. */
export type Way = keyof typeof WAYS;

const WAYS = {
  lan: said.way.lan,
  direct: said.way.direct,
  turn: said.way.turn,
  relayed: said.way.relayed,
  searching: said.way.searching,
  connecting: said.way.connecting,
  apart: said.way.apart,
  impostor: said.way.impostor,
};

/** What lies between this device and a peer. */
export function wayOf(link: LinkView, obstacle: string | null): Way {
  switch (link.state) {
    case "up":
      if (link.path.kind !== "relayed") return link.path.kind;
      return obstacle === "searching" ? "searching" : "relayed";
    case "connecting":
      return "connecting";
    case "away":
      return "apart";
    case "waiting":
      return link.fault === "impostor" ? "impostor" : "apart";
    case "impostor":
      return "impostor";
    default:
      return assertNever(link);
  }
}

/** What a way is called, and what that means. */
export function wayText(way: Way): { name: string; text: string } {
  return WAYS[way];
}

/** What is known of the way out of this network, and what can be done about it. */
export function outsideText(outside: OutsideView): { standing: Standing; text: string; todo: string } {
  const { what: text, todo } = said.outside[outside];
  switch (outside) {
    case "not_asked":
      return { standing: "idle", text, todo };
    case "asking":
      return { standing: "working", text, todo };
    case "seen":
      return { standing: "good", text, todo };
    case "silent":
      return { standing: "wait", text, todo };
    default:
      return assertNever(outside);
  }
}

/** What is known of the router on the way out; empty when nothing is. */
export function routerText({ mapping, mapped }: Pick<NetworkView, "mapping" | "mapped">): string {
  const led = mapped === null ? [] : [said.mapped(plain(mapped))];
  return sentences(said.mapping[mapping], ...led);
}

/** How a TURN server stands. */
export function turnText({ state }: TurnServerView): { standing: Standing; text: string } {
  const { turnState } = said.here;
  switch (state.state) {
    case "not_asked":
      return { standing: "idle", text: turnState.not_asked };
    case "asked":
      return { standing: "working", text: turnState.asked };
    case "lends":
      return { standing: "good", text: turnState.lends(plain(state.address)) };
    case "refuses":
      return { standing: "wait", text: of(turnState.refuses, state.fault, turnState.other) };
    default:
      return assertNever(state);
  }
}

/** Whether a path leads through a server. */
export function isByServer(path: PathView): boolean {
  return path.kind === "turn" || path.kind === "relayed";
}

/** A kind of path. */
export function pathText(kind: string): string {
  return of(said.paths, kind, said.otherPath);
}

/** From where an address is known. */
export function originText(origin: string): string {
  return of(said.origins, origin, said.otherOrigin);
}

/** How an address stands. */
export function candidateText({ state, rtt_ms }: CandidateView): StateText {
  switch (state) {
    case "answers": {
      const detail = rtt_ms === null ? "" : words.link.rtt(rtt_ms);
      return { standing: "good", text: said.candidates.answers, detail };
    }
    case "silent":
      return { standing: "wait", text: said.candidates.silent, detail: "" };
    case "untried":
      return { standing: "idle", text: said.candidates.untried, detail: "" };
    default:
      return { standing: "idle", text: said.candidates.other, detail: "" };
  }
}

/** Something that happened to a link. */
export function changeText(change: LinkChangeView): StateText {
  switch (change.state) {
    case "away":
      return { standing: "idle", text: said.history.away, detail: "" };
    case "connecting":
      return { standing: "working", text: said.history.connecting, detail: "" };
    case "up":
      return { standing: "good", text: said.history.up(pathText(change.path)), detail: "" };
    case "waiting":
      return {
        standing: change.fault === "impostor" ? "trouble" : "wait",
        text: advice("link", change.fault).what,
        detail: "",
      };
    case "impostor":
      return { standing: "trouble", text: said.history.impostor, detail: "" };
    default:
      return assertNever(change);
  }
}

/** A number with its name. */
export interface Fact {
  name: string;
  text: string;
}

/** What was counted of a link, as far as there is something to tell. */
export function countFacts(counts: LinkCountsView): Fact[] {
  const { counts: name } = said;
  const { attempts, established } = counts;
  const tries = attempts === 0 ? name.triesNone : name.triesText(established, attempts);
  return [
    { name: name.tries, text: tries },
    { name: name.failed, text: list(counts.failed, faultText) },
    { name: name.time, text: timeText(counts) },
    { name: name.taken, text: list(counts.taken, pathText) },
    { name: name.lost, text: list(counts.lost, faultText) },
  ].filter(({ text }) => text !== "");
}

function timeText(counts: LinkCountsView): string {
  const { counts: name } = said;
  const latest = counts.connect_ms;
  if (latest === null) return "";
  const took = latest < 1000 ? name.timeLatest(latest) : name.timeLatestLong(latest);
  return facts(took, usualText(usual(counts)));
}

function usualText(usual: Usual): string {
  switch (usual.kind) {
    case "few":
      return "";
    case "within":
      return said.counts.timeWithin(usual.ms);
    case "longer":
      return said.counts.timeLonger(usual.ms);
    default:
      return assertNever(usual);
  }
}

function faultText(fault: string): string {
  return advice("link", fault).what;
}

function list(counts: readonly CountView[], text: (of: string) => string): string {
  const known = counts.filter(({ count }) => count > 0);
  return facts(...known.map(({ of, count }) => said.counts.times(text(of), count)));
}

/** The words for a code; for one that nobody knows here, others with the code. */
function of(known: Record<string, string>, code: string, other: string): string {
  return Object.hasOwn(known, code) ? (known[code] ?? other) : `${other} (${plain(code)})`;
}
