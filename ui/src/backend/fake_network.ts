/** How the fake device's peers are connected. */
import type { FindingView } from "./generated/FindingView";
import type { LinkChangeView } from "./generated/LinkChangeView";
import type { LinkCountsView } from "./generated/LinkCountsView";
import type { LinkReportView } from "./generated/LinkReportView";
import type { LinkSampleView } from "./generated/LinkSampleView";
import type { NetworkView } from "./generated/NetworkView";
import type { PeerView } from "./generated/PeerView";
import type { View } from "./generated/View";

/** A link that has found its way at the first try. */
export const COUNTS: LinkCountsView = {
  attempts: 1,
  established: 1,
  failed: [],
  lost: [],
  taken: [
    { of: "relay", count: 1 },
    { of: "lan", count: 1 },
  ],
  connect_ms: 64,
  connect_within: [
    { bound_ms: 50, count: 0 },
    { bound_ms: 100, count: 1 },
  ],
  connect_longer: 0,
  connect_sum_ms: 64,
  candidates_sent: 6,
  candidates_received: 4,
  probes_sent: 24,
  probes_answered: 21,
};

/** How all peers of a view are connected, at a moment in Unix milliseconds. */
export function network(peers: readonly PeerView[], now: number): NetworkView {
  return {
    local: ["192.168.1.10:51820", "[fe80::1c2:aff:fe00:1]:51820"],
    outside: "seen",
    reflexive: ["198.51.100.7:51820"],
    mapping: "same",
    mapped: null,
    links: peers.map((peer) => report(peer, now)),
  };
}

function report(peer: PeerView, now: number): LinkReportView {
  const { link, counts, id, name } = peer;
  const relayed = link.state === "up" && link.path.kind === "relayed";
  return {
    peer: id,
    name,
    link,
    counts,
    obstacle: relayed ? "no_answer" : null,
    history: history(peer, now),
    samples: link.state === "up" ? samples(now, link.rtt_ms ?? 1) : [],
    candidates: relayed
      ? [
          { address: "192.168.7.20:40110", path: "lan", origin: "told", state: "silent", rtt_ms: null },
          { address: "203.0.113.44:40110", path: "direct_v4", origin: "told", state: "silent", rtt_ms: null },
        ]
      : [{ address: "192.168.1.24:51820", path: "lan", origin: "told", state: "answers", rtt_ms: 0.8 }],
  };
}

function history(peer: PeerView, now: number): LinkChangeView[] {
  if (peer.link.state !== "up") return [{ at_ms: now - 86_400_000, state: "away" }];
  const path = peer.link.path.kind === "relayed" ? "relay" : "lan";
  const begun = now - 540_000;
  return [
    { at_ms: begun, state: "connecting" },
    { at_ms: begun + 64, state: "up", path: "relay" },
    ...(path === "lan" ? [{ at_ms: begun + 120, state: "up" as const, path }] : []),
  ];
}

/** Six minutes in which a file was carried. */
function samples(now: number, rtt: number): LinkSampleView[] {
  return Array.from({ length: 180 }, (_, index) => ({
    at_ms: now - (179 - index) * 2000,
    rtt_ms: rtt * (1 + 0.3 * Math.abs(Math.sin(index / 9))),
    received_bytes: index > 60 && index < 120 ? 24_000_000 + (index % 7) * 900_000 : 900,
    sent_bytes: index > 60 && index < 120 ? 420_000 : 700,
  }));
}

/** What the doctor finds. */
export function findings(view: View): FindingView[] {
  const relayed = view.peers.filter(({ link }) => link.state === "up" && link.path.kind === "relayed");
  const connected = view.peers.filter(({ link }) => link.state === "up");
  return [
    { verdict: "fine", check: "server", url: view.server.url, state: "online" },
    { verdict: "fine", check: "udp", outside: "seen" },
    { verdict: "fine", check: "nat", mapping: "same", translates: true },
    { verdict: "fine", check: "port_mapping", external: null },
    {
      verdict: relayed.length > 0 ? "fair" : "fine",
      check: "paths",
      connected: connected.length,
      relayed: relayed.length,
    },
    { verdict: "fine", check: "keyring", place: view.device.key_place },
    { verdict: "fair", check: "disk", place: "/home/ada", available: 3_200_000_000, total: 256_000_000_000 },
    { verdict: "fine", check: "watches", directories: 1204, limit: 524_288 },
  ];
}
