/** How the fake device's peers are connected in each scene, and what its doctor finds. */
import type { CandidateView } from "./generated/CandidateView";
import type { FindingView } from "./generated/FindingView";
import type { LinkChangeView } from "./generated/LinkChangeView";
import type { LinkCountsView } from "./generated/LinkCountsView";
import type { LinkReportView } from "./generated/LinkReportView";
import type { LinkSampleView } from "./generated/LinkSampleView";
import type { MappingView } from "./generated/MappingView";
import type { NetworkView } from "./generated/NetworkView";
import type { OutsideView } from "./generated/OutsideView";
import type { PeerView } from "./generated/PeerView";
import type { TurnServerView } from "./generated/TurnServerView";
import type { View } from "./generated/View";

const BOUNDS_MS = [50, 100, 300, 1000, 3000, 10_000, 30_000, 120_000];

/** A link that has found its way at the first try. */
export const COUNTS: LinkCountsView = {
  attempts: 1,
  established: 1,
  failed: [],
  lost: [],
  taken: [
    { of: "lan", count: 1 },
    { of: "relay", count: 1 },
  ],
  connect_ms: 64,
  connect_within: BOUNDS_MS.map((bound_ms) => ({ bound_ms, count: bound_ms === 100 ? 1 : 0 })),
  connect_longer: 0,
  connect_sum_ms: 64,
  candidates_sent: 6,
  candidates_received: 4,
  probes_sent: 24,
  probes_answered: 21,
};

/** A link that has seen some days. */
export const MANY_COUNTS: LinkCountsView = {
  attempts: 42,
  established: 39,
  failed: [{ of: "timed_out", count: 3 }],
  lost: [
    { of: "closed", count: 31 },
    { of: "timed_out", count: 7 },
  ],
  taken: [
    { of: "direct_v6", count: 36 },
    { of: "direct_v4", count: 4 },
    { of: "relay", count: 39 },
  ],
  connect_ms: 212,
  connect_within: BOUNDS_MS.map((bound_ms) => ({ bound_ms, count: bound_ms === 300 ? 30 : 1 })),
  connect_longer: 2,
  connect_sum_ms: 9400,
  candidates_sent: 1264,
  candidates_received: 871,
  probes_sent: 4210,
  probes_answered: 3806,
};

/** What a scene is like outside of this device, and why its relayed links are. */
interface Around {
  outside: OutsideView;
  mapping: MappingView;
  mapped: string | null;
  obstacle: string;
}

const OPEN: Around = { outside: "seen", mapping: "varies", mapped: null, obstacle: "no_answer" };

const AROUND: Record<string, Around> = {
  lan: { ...OPEN, mapping: "same", mapped: "198.51.100.7:51820" },
  blocked: { ...OPEN, outside: "silent", mapping: "unknown", obstacle: "no_udp_here" },
  searching: { ...OPEN, outside: "asking", mapping: "unknown", obstacle: "searching" },
  trouble: { ...OPEN, outside: "not_asked", mapping: "unknown", obstacle: "no_address" },
};

/** The TURN servers of a scene. */
const TURN: Record<string, TurnServerView[]> = {
  trouble: [
    { server: "turn.example:3478", transport: "UDP", state: { state: "refuses", fault: "login", code: null } },
    { server: "turn.example:5349", transport: "TLS", state: { state: "lends", address: "198.51.100.33:50112" } },
  ],
};

/** How all peers of a scene are connected, at a moment in Unix milliseconds. */
export function network(scene: string, peers: readonly PeerView[], now: number): NetworkView {
  const { outside, mapping, mapped, obstacle } = AROUND[scene] ?? OPEN;
  return {
    local: ["192.168.1.10:51820", "[2001:db8:4c:1::10]:51820", "[fe80::1c2:aff:fe00:1]:51820"],
    outside,
    reflexive: outside === "seen" ? ["198.51.100.7:51820", "[2001:db8:4c:1::10]:51820"] : [],
    mapping,
    mapped,
    turn: TURN[scene] ?? [],
    links: peers.map((peer) => report(peer, obstacle, now)),
  };
}

function report(peer: PeerView, obstacle: string, now: number): LinkReportView {
  const { link, counts, id, name } = peer;
  const way = link.state === "up" ? link.path.kind : "none";
  return {
    peer: id,
    name,
    link,
    counts,
    obstacle: way === "relayed" ? obstacle : null,
    history: history(peer, now),
    samples: link.state === "up" ? samples(way, now, link.rtt_ms ?? 1) : [],
    candidates: link.state === "away" ? [] : candidates(way, obstacle),
  };
}

function candidates(way: string, obstacle: string): CandidateView[] {
  const state = obstacle === "searching" ? "untried" : "silent";
  const silent = (address: string, path: string): CandidateView => ({ address, path, origin: "told", state, rtt_ms: null });
  const answers = (address: string, path: string, rtt_ms: number): CandidateView => ({
    address,
    path,
    origin: "told",
    state: "answers",
    rtt_ms,
  });
  switch (way) {
    case "lan":
      return [answers("192.168.1.24:51820", "lan", 0.8), answers("[fe80::4a1:22ff:fe3c:9d01]:51820", "lan", 0.9)];
    case "direct":
      return [
        answers("[2001:db8:77:2::31]:51820", "direct_v6", 12.4),
        { ...answers("203.0.113.9:40112", "direct_v4", 14.1), origin: "heard" },
        { ...silent("10.8.0.3:51820", "lan"), origin: "kept" },
      ];
    default:
      return [
        { ...silent("192.168.7.20:40110", "lan"), origin: "kept" },
        silent("203.0.113.44:40110", "direct_v4"),
        silent("[2001:db8:9:f00d:1c2:aff:fe00:77]:40110", "direct_v6"),
      ];
  }
}

function history(peer: PeerView, now: number): LinkChangeView[] {
  const { link } = peer;
  const begun = now - 1_140_000;
  const came = (at: number): LinkChangeView[] => [
    { at_ms: at, state: "connecting" },
    { at_ms: at + 64, state: "up", path: "relay" },
  ];
  switch (link.state) {
    case "up": {
      const { kind } = link.path;
      if (kind === "relayed") return came(begun);
      if (kind === "lan") return [...came(begun), { at_ms: begun + 120, state: "up", path: "lan" }];
      return [
        ...came(begun),
        { at_ms: begun + 340, state: "up", path: "direct_v6" },
        { at_ms: now - 150_000, state: "waiting", fault: "timed_out" },
        ...came(now - 95_000),
        { at_ms: now - 94_500, state: "up", path: "direct_v6" },
      ];
    }
    case "impostor":
      return [{ at_ms: begun, state: "connecting" }, { at_ms: begun + 90, state: "impostor" }];
    case "waiting":
      return [...came(begun), { at_ms: now - 400_000, state: "waiting", fault: link.fault }];
    case "connecting":
      return [{ at_ms: now - 900, state: "connecting" }];
    case "away":
      return [];
  }
}

/** Minutes in which files were carried; without a connection for a while where it is direct. */
function samples(way: string, now: number, rtt: number): LinkSampleView[] {
  const wave = (place: number) => Math.abs(Math.sin(place / 9)) + 0.6 * Math.abs(Math.sin(place * 2.3));
  const most = way === "lan" ? 104_000_000 : way === "direct" ? 9_400_000 : 2_100_000;
  const all = Array.from({ length: 180 }, (_, place) => {
    const isBusy = place > 60 && place < 120;
    return {
      at_ms: now - (179 - place) * 2000,
      rtt_ms: rtt * (1 + (isBusy ? 0.5 : 0.12) * wave(place)),
      received_bytes: isBusy ? Math.round(2 * most * (1 - 0.22 * wave(place))) : 900,
      sent_bytes: isBusy ? Math.round(0.5 * most) : 700,
    };
  });
  const isThere = ({ at_ms }: LinkSampleView) => way !== "direct" || at_ms < now - 150_000 || at_ms > now - 95_000;
  return all.filter(isThere);
}

/** What the doctor finds. */
export function findings(view: View): FindingView[] {
  const relayed = view.peers.filter(({ link }) => link.state === "up" && link.path.kind === "relayed");
  const connected = view.peers.filter(({ link }) => link.state === "up");
  return [
    { verdict: "fine", check: "server", url: view.server.url, state: "online" },
    { verdict: "fine", check: "udp", outside: "seen" },
    { verdict: "fine", check: "nat", mapping: "same", translates: true },
    { verdict: "fine", check: "port_mapping", external: null, asked: true },
    { verdict: "fine", check: "mdns", state: "heard", neighbours: 1, codes: 0 },
    {
      verdict: relayed.length > 0 ? "fair" : "fine",
      check: "paths",
      connected: connected.length,
      relayed: relayed.length,
    },
    { verdict: "bad", check: "clock", ahead_s: -340 },
    { verdict: "fine", check: "keyring", place: view.device.key_place },
    { verdict: "fair", check: "disk", place: "/home/ada", available: 3_200_000_000, total: 256_000_000_000 },
    { verdict: "fine", check: "watches", directories: 1204, limit: 524_288 },
  ];
}
