/** States of links, folders and the server as a person reads them: a shape, words, a detail. */
import { assertNever } from "../backend";
import type { FolderView } from "../backend/generated/FolderView";
import type { LinkView } from "../backend/generated/LinkView";
import type { PathView } from "../backend/generated/PathView";
import type { ServerStateView } from "../backend/generated/ServerStateView";
import type { TrafficView } from "../backend/generated/TrafficView";
import type { Headline } from "../state/summary";
import { advice } from "./errors";
import { facts, numbers, words } from "./index";

/** How something stands, whatever it is; drawn as a shape. */
export type Standing = "good" | "working" | "idle" | "wait" | "trouble";

/** A state in words. */
export interface StateText {
  standing: Standing;
  text: string;
  detail: string;
}

export function linkText(link: LinkView, nowMs: number): StateText {
  switch (link.state) {
    case "away":
      return { standing: "idle", text: words.link.away, detail: "" };
    case "connecting":
      return { standing: "working", text: words.link.connecting, detail: "" };
    case "up": {
      const detail = link.rtt_ms === null ? "" : words.link.rtt(link.rtt_ms);
      return { standing: "good", text: pathText(link.path), detail };
    }
    case "waiting": {
      const { what } = advice("link", link.fault);
      const standing = link.fault === "impostor" ? "trouble" : "wait";
      return { standing, text: what, detail: words.link.retry(link.retry_at_ms - nowMs) };
    }
    case "impostor":
      return { standing: "trouble", text: words.link.impostor, detail: "" };
    default:
      return assertNever(link);
  }
}

/** What to do about a link that does not stand; empty when there is nothing to do. */
export function linkAdvice(link: LinkView): string {
  if (link.state === "waiting") return advice("link", link.fault).todo;
  return link.state === "impostor" ? advice("link", "impostor").todo : "";
}

function pathText(path: PathView): string {
  switch (path.kind) {
    case "lan":
      return words.link.lan;
    case "direct":
      return words.link.direct;
    case "turn":
      return words.link.turn;
    case "relayed":
      return words.link.relayed;
    default:
      return assertNever(path);
  }
}

export function folderText(folder: FolderView): StateText {
  const { state } = folder;
  const text = words.folderState[state.state];
  if (folder.braked.length > 0 && state.state !== "paused") {
    return { standing: "wait", text: words.folderState.braked, detail: "" };
  }
  const conflicts = folder.conflicts > 0 ? words.folderState.conflicts(folder.conflicts) : "";
  switch (state.state) {
    case "opening":
    case "scanning":
      return { standing: "working", text, detail: "" };
    case "paused":
      return { standing: "trouble", text, detail: advice("root", state.fault).what };
    case "paused_by_person":
      return { standing: "wait", text, detail: "" };
    case "syncing":
      return { standing: "working", text, detail: "" };
    case "waiting":
      return { standing: "wait", text, detail: words.progress.left(folder.needs) };
    case "in_sync":
      if (folder.peers.every((peer) => peer.state === "invited")) {
        return { standing: "idle", text: words.folderState.only, detail: "" };
      }
      if (folder.peers.every((peer) => peer.state !== "connected")) {
        return { standing: "idle", text: words.folderState.nobodyConnected, detail: "" };
      }
      return { standing: "good", text, detail: conflicts };
    default:
      return assertNever(state);
  }
}

/** A peer's part in a folder; an engine of another version may know more parts. */
export function partText(part: string): StateText {
  switch (part) {
    case "invited":
      return { standing: "wait", text: words.folderPeer.invited, detail: "" };
    case "connected":
      return { standing: "good", text: words.folderPeer.connected, detail: "" };
    default:
      return { standing: "idle", text: words.folderPeer.away, detail: "" };
  }
}

export function serverText(state: ServerStateView, nowMs: number): StateText {
  const text = words.serverState[state.state];
  switch (state.state) {
    case "none":
      return { standing: "idle", text, detail: "" };
    case "connecting":
      return { standing: "working", text, detail: "" };
    case "online":
      return { standing: "good", text, detail: "" };
    case "offline":
      return { standing: "trouble", text, detail: words.link.retry(state.retry_at_ms - nowMs) };
    case "stopped":
      return { standing: "trouble", text, detail: "" };
    default:
      return assertNever(state);
  }
}

/** What holds for all content now. */
export function trafficText({ rule, because }: TrafficView): StateText {
  const said = words.traffic;
  const why = said.because[because];
  if (rule.rule === "pause") return { standing: "wait", text: said.now.paused, detail: why };
  const { send, receive } = rule;
  if (send === null && receive === null) return { standing: "good", text: said.now.free, detail: why };
  const detail = facts(
    send === null ? "" : said.now.sending(send),
    receive === null ? "" : said.now.receiving(receive),
    why,
  );
  return { standing: "idle", text: said.now.limited, detail };
}

export function headlineText(headline: Headline): StateText {
  const said = words.headline;
  switch (headline.kind) {
    case "alone":
      return { standing: "idle", text: said.alone, detail: "" };
    case "no_folders":
      return { standing: "idle", text: said.noFolders(headline.peers), detail: "" };
    case "attention":
      return { standing: "trouble", text: said.attention(headline.count), detail: "" };
    case "held":
      return { standing: "wait", text: words.traffic.now.paused, detail: words.traffic.because[headline.because] };
    case "conflicts":
      return { standing: "wait", text: said.conflicts(headline.count), detail: "" };
    case "paused":
      return { standing: "wait", text: said.paused, detail: "" };
    case "scanning":
      return { standing: "working", text: said.scanning, detail: "" };
    case "waiting":
      return { standing: "wait", text: said.waiting(headline.changes), detail: "" };
    case "only_here":
      return { standing: "idle", text: said.onlyHere, detail: "" };
    case "nobody_here":
      return { standing: "idle", text: said.nobodyHere, detail: "" };
    case "in_sync":
      return { standing: "good", text: said.allInSync, detail: "" };
    case "syncing": {
      const detail = facts(
        headline.bytesPerSecond > 0 ? said.speed(headline.bytesPerSecond) : "",
        headline.leftMs === null ? "" : said.left(headline.leftMs),
      );
      return { standing: "working", text: said.syncing(headline.folders), detail };
    }
    default:
      return assertNever(headline);
  }
}

/** Progress in one line: how many, how large, how fast, how long. */
export function progressText(progress: {
  pathsLeft: number;
  bytesLeft: number;
  bytesPerSecond: number;
  leftMs: number | null;
}): string {
  return [
    words.progress.left(progress.pathsLeft),
    ...(progress.bytesLeft > 0 ? [words.progress.bytes(progress.bytesLeft)] : []),
    ...(progress.bytesPerSecond > 0 ? [numbers.speed(progress.bytesPerSecond)] : []),
    ...(progress.leftMs === null ? [] : [words.headline.left(progress.leftMs)]),
  ].join(" · ");
}
