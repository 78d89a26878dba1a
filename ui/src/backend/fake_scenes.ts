/** Views that a fake device may begin with, and that tests hold in their hands. */
import type { DeviceSettingsView } from "./generated/DeviceSettingsView";
import type { FolderSettingsView } from "./generated/FolderSettingsView";
import type { FolderView } from "./generated/FolderView";
import type { LinkCountsView } from "./generated/LinkCountsView";
import type { PeerView } from "./generated/PeerView";
import type { View } from "./generated/View";
import { HERE } from "./fake_contents";
import { COUNTS, MANY_COUNTS } from "./fake_network";
import { NO_SERVER, withFallback } from "./fake_servers";

const COMPARE = [
  ["🦊", "fox"],
  ["⚓", "anchor"],
  ["🌻", "sunflower"],
  ["🚲", "bicycle"],
  ["🍋", "lemon"],
  ["🌙", "moon"],
  ["🎸", "guitar"],
].map(([emoji = "", word = ""]) => ({ emoji, word }));

/** A peer that is connected. */
export const ANNA: PeerView = {
  id: "anna",
  name: "Anna's ThinkPad",
  compare: COMPARE,
  verified: false,
  places: [],
  places_set: [],
  counts: COUNTS,
  identity: "single",
  link: {
    state: "up",
    path: { kind: "lan", address: "192.168.1.24:51820" },
    rtt_ms: 0.8,
    received_bytes: 1_840_000_000,
    sent_bytes: 92_400_000,
  },
};

/** What is counted of a peer that was never connected. */
const NEVER: LinkCountsView = {
  ...COUNTS,
  attempts: 0,
  established: 0,
  taken: [],
  connect_ms: null,
  connect_within: COUNTS.connect_within.map((each) => ({ ...each, count: 0 })),
  connect_sum_ms: 0,
};

const NAS: PeerView = {
  id: "nas",
  name: "Cellar NAS",
  compare: [...COMPARE].reverse(),
  verified: true,
  places: ["nas.example:41641"],
  places_set: [],
  counts: COUNTS,
  identity: "single",
  link: { state: "up", path: { kind: "relayed" }, rtt_ms: 38, received_bytes: 12_000, sent_bytes: 7_400_000 },
};

const ATTIC: PeerView = {
  id: "attic",
  name: "Attic desktop",
  compare: COMPARE,
  verified: true,
  places: [],
  places_set: [],
  counts: COUNTS,
  identity: "single",
  link: { state: "away" },
};

const STUDIO: PeerView = {
  id: "studio",
  name: "Studio in Bergen",
  compare: COMPARE,
  verified: true,
  places: [],
  places_set: [],
  counts: MANY_COUNTS,
  identity: "single",
  link: {
    state: "up",
    path: { kind: "direct", address: "[2001:db8:77:2::31]:51820" },
    rtt_ms: 12.4,
    received_bytes: 640_000_000,
    sent_bytes: 51_000_000,
  },
};

/** What is set for a folder that nobody has set anything for. */
export const FOLDER_SETTINGS: FolderSettingsView = {
  mode: "two_way",
  paused: false,
  brake: { entries_max: 1000, percent_max: 25 },
  retention: { staggered: false, days: 30, bytes_max: 10 * 1024 ** 3, disk_percent_max: 10 },
  local_rules: "",
  limits: { send: null, receive: null },
  conflicts: "inbox",
  attributes: false,
};

/** What is set for a device that nobody has set anything for. */
export const DEVICE_SETTINGS: DeviceSettingsView = {
  limits: { send: null, receive: null },
  schedule: [],
  metered_network: "system",
  metered_rule: null,
};

/** A folder that is in sync. */
export function folder(id: string, label: string, root: string): FolderView {
  return {
    id,
    label,
    root,
    settings: FOLDER_SETTINGS,
    state: { state: "in_sync" },
    files: 4812,
    directories: 214,
    bytes: 18_640_000_000,
    needs: 0,
    conflicts: 0,
    transfer: { fetched_bytes: 0, reused_bytes: 0, files: 0, wanted_bytes: 0, bytes_per_second: 0 },
    restoring: null,
    held_back: [],
    spoiled: 0,
    local_changes: 0,
    braked: [],
    peers: [],
  };
}

const EMPTY: View = {
  revision: 1,
  device: {
    id: HERE,
    name: "Ada's desktop",
    key_place: "keyring",
    settings: DEVICE_SETTINGS,
    traffic: { rule: { rule: "limit", send: null, receive: null }, because: "always" },
    store: "whole",
    version: "0.1.0",
    identity: "single",
    scope: "everywhere",
    scope_lock: "open",
    discovery: "on",
    begins_anew: false,
  },
  server: { url: "wss://signal.example.org/ws", proxy: null, state: { state: "online" }, own: ["wss://signal.example.org/ws"], set_by: "person", usual: null, others: [] },
  pairing: { state: "idle" },
  peers: [],
  folders: [],
  invitations: [],
};

const PHOTOS: FolderView = {
  ...folder("photos", "Photos", "/home/ada/Photos"),
  peers: [
    { id: "anna", state: "connected" },
    { id: "nas", state: "connected" },
  ],
};

const NOTES: FolderView = {
  ...folder("notes", "Notes", "/home/ada/Notes"),
  files: 388,
  directories: 12,
  bytes: 4_200_000,
  peers: [{ id: "anna", state: "connected" }],
};

const FILM: FolderView = {
  ...folder("film", "Film project", "/home/ada/Film project"),
  state: { state: "syncing" },
  files: 941,
  bytes: 22_300_000_000,
  needs: 611,
  transfer: {
    fetched_bytes: 22_000_000_000,
    reused_bytes: 310_000_000,
    files: 941,
    wanted_bytes: 9_100_000_000,
    bytes_per_second: 112_000_000,
  },
  peers: [
    { id: "anna", state: "connected" },
    { id: "attic", state: "away" },
  ],
};

/** Drawn like a QR code; reads as nothing. */
const QR = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 21 21" shape-rendering="crispEdges"><path fill="#000" d="M0 0h7v7H0zM14 0h7v7h-7zM0 14h7v7H0zM8 1h2v2H8zM11 3h2v3h-2zM8 8h3v2H8zM13 9h4v2h-4zM18 8h3v4h-3zM9 12h3v3H9zM14 14h2v3h-2zM17 13h3v2h-3zM8 17h4v3H8zM18 17h3v4h-3zM14 19h2v2h-2zM1 9h4v3H1z"/><path fill="#fff" d="M1 1h5v5H1zM15 1h5v5h-5zM1 15h5v5H1z"/><path fill="#000" d="M2 2h3v3H2zM16 2h3v3h-3zM2 16h3v3H2z"/></svg>`;

/** A peer that did not answer. */
function unanswered(peer: PeerView, nowMs: number): PeerView {
  return { ...peer, link: { state: "waiting", fault: "timed_out", retry_at_ms: nowMs + 62_000 } };
}

/** The view of a scene at a time. */
export function scene(name: string, nowMs: number): View {
  const paired: View = { ...EMPTY, peers: [ANNA, ATTIC, NAS] };
  switch (name) {
    case "empty":
      return EMPTY;
    case "code": {
      const expires_at_ms = nowMs + 287_000;
      const link = "towline://pair?v=1&s=wss%3A%2F%2Fsignal.example.org%2Fws&c=K7M&k=secret";
      return { ...EMPTY, pairing: { state: "waiting", code: "K7M-2QX", link, qr_svg: QR, meeting: "server", expires_at_ms } };
    }
    case "paired":
      return paired;
    case "synced":
      return { ...paired, folders: [NOTES, PHOTOS] };
    case "syncing":
      return { ...paired, folders: [FILM, NOTES, PHOTOS] };
    case "connected":
      return { ...paired, peers: [ANNA, unanswered(ATTIC, nowMs), NAS, STUDIO] };
    case "lan":
      return { ...paired, peers: [ANNA] };
    case "searching":
      return { ...paired, peers: [{ ...ATTIC, counts: NEVER, link: { state: "connecting" } }, NAS] };
    case "blocked":
      return { ...paired, peers: [{ ...ANNA, link: NAS.link }, NAS] };
    case "invited":
      return {
        ...paired,
        peers: [{ ...ANNA, verified: true }],
        invitations: [{ peer: "anna", folder: "recipes", label: "Recipes" }],
      };
    case "locked":
      return {
        ...paired,
        device: { ...paired.device, scope: "local_network", scope_lock: "locked" },
        server: { ...paired.server, set_by: "administrator" },
      };
    case "near":
      return { ...EMPTY, device: { ...EMPTY.device, store: "new" }, server: NO_SERVER };
    case "fallback":
      return { ...paired, server: withFallback(paired, nowMs) };
    case "stopped":
      return { ...paired, server: { ...paired.server, state: { state: "stopped", fault: "no_access" } } };
    case "many":
      return many(paired);
    case "full":
      return full(paired);
    case "trouble":
      return trouble(paired, nowMs);
    case "twins":
      return {
        ...paired,
        device: { ...paired.device, identity: "doubled" },
        peers: [ANNA, { ...NAS, identity: "doubled" }],
        folders: [NOTES],
      };
    default:
      return { ...EMPTY, device: { ...EMPTY.device, store: "new" } };
  }
}

/** A thousand folders, every twentieth of which receives files. */
function many(paired: View): View {
  const folders = Array.from({ length: 1000 }, (_, place): FolderView => {
    const name = `Folder ${String(place).padStart(4, "0")}`;
    const shape = place % 20 === 0 ? FILM : PHOTOS;
    return { ...shape, id: name, label: name, root: `/home/ada/${name}` };
  });
  return { ...paired, folders };
}

/** A folder for everything that can stand in one. */
function full(paired: View): View {
  const shared: Partial<FolderView> = { peers: [{ id: "anna", state: "connected" }] };
  const held_back = [
    { path: "invoice\u202efdp.exe", reason: "disk_full" },
    { path: "mail/re: order?.eml", reason: "name" },
    { path: "private/diary.txt", reason: "unreadable" },
  ];
  const backup: FolderView = {
    ...folder("backup", "Backup", "/home/ada/Backup"),
    ...shared,
    braked: [{ peer: "anna", deletes: 1204, overwrites: 0, revives: 0 }],
  };
  const music: FolderView = {
    ...folder("music", "Music", "/home/ada/Music"),
    ...shared,
    settings: { ...FOLDER_SETTINGS, mode: "receive_only" },
    local_changes: 3,
    held_back: held_back.slice(1),
  };
  const site: FolderView = {
    ...folder("site", "Web site", "/home/ada/Web site"),
    ...shared,
    settings: { ...FOLDER_SETTINGS, mode: "send_only" },
    state: { state: "waiting" },
    needs: 5,
  };
  const archive: FolderView = {
    ...folder("archive", "Archive", "/home/ada/Archive"),
    ...shared,
    settings: { ...FOLDER_SETTINGS, paused: true },
    state: { state: "paused_by_person" },
  };
  const disk: FolderView = {
    ...folder("disk", "Old disk", "/media/ada/disk"),
    ...shared,
    state: { state: "paused", fault: "missing" },
  };
  const notes: FolderView = { ...NOTES, conflicts: 4 };
  return { ...paired, folders: [archive, backup, FILM, music, notes, disk, PHOTOS, site] };
}

function trouble(paired: View, nowMs: number): View {
  const broken: FolderView = {
    ...PHOTOS,
    id: "disk",
    label: "Backup disk",
    root: "/media/ada/disk",
    state: { state: "paused", fault: "missing" },
  };
  const waiting: FolderView = {
    ...NOTES,
    state: { state: "waiting" },
    needs: 3,
    held_back: [
      { path: "private/diary.txt", reason: "unreadable" },
      { path: "mail/re: order?.eml", reason: "name" },
      { path: "invoice\u202efdp.exe", reason: "disk_full" },
    ],
  };
  return {
    ...paired,
    device: { ...paired.device, key_place: "file" },
    server: {
      url: "wss://signal.example.org/ws",
      proxy: null,
      state: { state: "offline", fault: "unreachable", retry_at_ms: nowMs + 24_000 },
      own: ["wss://signal.example.org/ws"],
      set_by: "person",
      usual: null,
      others: [],
    },
    peers: [
      ANNA,
      { ...ATTIC, name: "Attic \u202edesktop", link: { state: "impostor" } },
      unanswered(NAS, nowMs),
    ],
    folders: [broken, waiting],
  };
}
