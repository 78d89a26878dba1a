/**
 * Which things a person is told of while they look elsewhere: from one view to the next, those that are
 * new. None of what was there at the start, and none twice; several of one kind make one notice.
 */
import { assertNever } from "../backend";
import type { View } from "../backend/generated/View";
import type { Place } from "./app.svelte";

/** Another device that has become a peer. */
interface Paired {
  kind: "paired";
  peer: string;
  name: string;
}

/** A folder that a peer shares. */
interface Invited {
  kind: "invited";
  peer: string;
  name: string | null;
  folder: string;
  label: string;
}

/** More conflicts in a folder than before; so many there are now. */
interface Conflicted {
  kind: "conflicts";
  folder: string;
  label: string;
  count: number;
}

/** A mass change that waits for a person. */
interface Braked {
  kind: "braked";
  folder: string;
  label: string;
  peer: string;
  name: string | null;
}

/** A newer version that is ready to be installed. */
interface Updated {
  kind: "update";
  version: string;
}

/** One thing that a person may want to know. */
export type Fact = Paired | Invited | Conflicted | Braked | Updated;

/** What is told at once: things of one kind, at least one. */
export type Notice =
  | { kind: "paired"; facts: readonly Paired[] }
  | { kind: "invited"; facts: readonly Invited[] }
  | { kind: "conflicts"; facts: readonly Conflicted[] }
  | { kind: "braked"; facts: readonly Braked[] }
  | { kind: "update"; facts: readonly Updated[] };

/** How long something may be away and is the same when it comes back: 10 min, as when a device starts anew. */
export const AWAY_MS = 600_000;

/** What is known already. */
export interface Known {
  /** When each thing was last there, by its key. */
  readonly seen: ReadonlyMap<string, number>;
  /** How many conflicts each folder had. */
  readonly conflicts: ReadonlyMap<string, number>;
}

/** Nothing at all, before a first view. */
export const NOTHING_KNOWN: Known = { seen: new Map(), conflicts: new Map() };

/** What is new in a view, and what is known after it. */
export function news(view: View, known: Known, nowMs: number): { facts: Fact[]; known: Known } {
  const standing = standingFacts(view);
  const facts: Fact[] = standing.filter((fact) => !known.seen.has(keyOf(fact)));
  const seen = new Map([...known.seen].filter(([key, lastMs]) => isKept(key, lastMs, nowMs)));
  for (const fact of standing) seen.set(keyOf(fact), nowMs);
  const conflicts = new Map<string, number>();
  for (const { id: folder, label, state, conflicts: now } of view.folders) {
    const before = known.conflicts.get(folder);
    // A folder that is being opened does not know its own yet.
    const count = state.state === "opening" ? before : now;
    if (count === undefined) continue;
    conflicts.set(folder, count);
    if (before !== undefined && count > before) facts.push({ kind: "conflicts", folder, label, count });
  }
  return { facts, known: { seen, conflicts } };
}

/** Those of some things that a view still shows, as it shows them. */
export function still(facts: readonly Fact[], view: View): Fact[] {
  const standing = new Map(standingFacts(view).map((fact) => [keyOf(fact), fact]));
  return facts.flatMap((fact): Fact[] => {
    switch (fact.kind) {
      case "paired":
      case "invited":
      case "braked":
        return [standing.get(keyOf(fact)) ?? []].flat();
      case "conflicts": {
        const count = view.folders.find(({ id }) => id === fact.folder)?.conflicts ?? 0;
        return count > 0 ? [{ ...fact, count }] : [];
      }
      case "update":
        return [fact];
      default:
        return assertNever(fact);
    }
  });
}

/** Things as notices: one for each kind, in the order in which they came. */
export function bundled(facts: readonly Fact[]): Notice[] {
  // What is told of the same thing twice counts as it was told last.
  const all = [...new Map(facts.map((fact) => [keyOf(fact), fact])).values()];
  return [...new Set(all.map(({ kind }) => kind))].map((kind): Notice => {
    switch (kind) {
      case "paired":
        return { kind, facts: all.filter((fact) => fact.kind === "paired") };
      case "invited":
        return { kind, facts: all.filter((fact) => fact.kind === "invited") };
      case "conflicts":
        return { kind, facts: all.filter((fact) => fact.kind === "conflicts") };
      case "braked":
        return { kind, facts: all.filter((fact) => fact.kind === "braked") };
      case "update":
        return { kind, facts: all.filter((fact) => fact.kind === "update") };
      default:
        return assertNever(kind);
    }
  });
}

/** The one thing that a list holds, if it holds one. */
export function only<T>(facts: readonly T[]): T | undefined {
  return facts.length === 1 ? facts[0] : undefined;
}

/** Where a notice leads: to the one thing that it tells of, or where all of them are listed. */
export function placeOf(notice: Notice): Place {
  switch (notice.kind) {
    case "paired": {
      const one = only(notice.facts);
      return one ? { at: "compare", peer: one.peer } : { at: "devices" };
    }
    case "invited": {
      const one = only(notice.facts);
      return one ? { at: "accept", peer: one.peer, folder: one.folder } : { at: "folders" };
    }
    case "conflicts": {
      const one = only(notice.facts);
      return one ? { at: "folder", folder: one.folder, tab: "conflicts" } : { at: "folders" };
    }
    case "braked": {
      const one = only(notice.facts);
      return one ? { at: "folder", folder: one.folder, tab: "files" } : { at: "folders" };
    }
    case "update":
      return { at: "settings" };
    default:
      return assertNever(notice);
  }
}

/** By which a thing is known again. */
export function keyOf(fact: Fact): string {
  switch (fact.kind) {
    case "paired":
      return `${fact.kind} ${fact.peer}`;
    case "invited":
    case "braked":
      return `${fact.kind} ${fact.peer} ${fact.folder}`;
    case "conflicts":
      return `${fact.kind} ${fact.folder}`;
    case "update":
      return `${fact.kind} ${fact.version}`;
    default:
      return assertNever(fact);
  }
}

/** Whether a thing is known again when it comes back. Invitations always are: peers state them anew when they connect. */
function isKept(key: string, lastMs: number, nowMs: number): boolean {
  return key.startsWith("invited ") || nowMs - lastMs < AWAY_MS;
}

/** What a view shows that is there or not. */
function standingFacts(view: View): (Paired | Invited | Braked)[] {
  const nameOf = (id: string) => view.peers.find((peer) => peer.id === id)?.name ?? null;
  return [
    ...view.peers.map(({ id: peer, name }): Paired => ({ kind: "paired", peer, name })),
    ...view.invitations.map(({ peer, folder, label }): Invited => {
      return { kind: "invited", peer, name: nameOf(peer), folder, label };
    }),
    ...view.folders.flatMap(({ id: folder, label, braked }) =>
      braked.map(({ peer }): Braked => ({ kind: "braked", folder, label, peer, name: nameOf(peer) })),
    ),
  ];
}
