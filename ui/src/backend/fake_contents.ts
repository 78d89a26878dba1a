/** What lies in the folders of a fake device: trees, conflicts, versions, held back entries. */
import type { ConflictView } from "./generated/ConflictView";
import type { FileView } from "./generated/FileView";
import type { HeldBackView } from "./generated/HeldBackView";
import type { PreviewView } from "./generated/PreviewView";
import type { SideView } from "./generated/SideView";
import type { VersionView } from "./generated/VersionView";

/** What lies in a folder. */
export interface Contents {
  files: FileView[];
  conflicts: ConflictView[];
  previews: Map<string, PreviewView>;
  versions: VersionView[];
  held: HeldBackView[];
  shared: string;
}

/** The fake device itself. */
export const HERE = "B7Q2MZ4NKX3HTC5WLR8VYD9FGJ6SPEAU2N4K7M3Q5X8ZCBTRWHYD";

const HOUR = 3_600_000;

/** The contents of a folder that a scene begins with. */
export function contents(folder: string, nowMs: number): Contents {
  const nothing = { conflicts: [], previews: new Map(), versions: [], held: [], shared: "" };
  switch (folder) {
    case "film":
      return { ...nothing, files: film(nowMs), versions: versions(nowMs, 2600), shared: "*.tmp\n/cache/\n" };
    case "notes":
      return { ...nothing, ...notes(nowMs), versions: versions(nowMs, 9), held: held(3), shared: "*.tmp\n" };
    case "archive":
      return { ...nothing, files: [], held: [] };
    case "music":
      return { ...nothing, files: photos(nowMs), held: held(240) };
    default:
      return { ...nothing, files: photos(nowMs), versions: versions(nowMs, 9) };
  }
}

function entry(path: string, size: number, mtime_ms: number, more: Partial<FileView> = {}): FileView {
  return { path, kind: "file", size, mtime_ms, state: "here", peers: ["anna", "nas"], ...more };
}

function directory(path: string, mtime_ms: number): FileView {
  return entry(path, 0, mtime_ms, { kind: "directory" });
}

function photos(nowMs: number): FileView[] {
  return [
    directory("2025", nowMs - 9000 * HOUR),
    directory("2026", nowMs - 40 * HOUR),
    directory("2026/Sweden", nowMs - 40 * HOUR),
    entry("2026/Sweden/archipelago.jpg", 4_812_000, nowMs - 41 * HOUR),
    entry("2026/Sweden/ferry.jpg", 3_920_400, nowMs - 42 * HOUR, { state: "coming" }),
    entry("2026/Sweden/lighthouse.heic", 2_100_000, nowMs - 43 * HOUR, { state: "missing", peers: ["anna"] }),
    entry("cover.jpg", 1_204_800, nowMs - 20 * HOUR),
    entry("index.txt", 18_400, nowMs - 2 * HOUR, { state: "local", peers: [] }),
    entry("newest.jpg", 11, nowMs - HOUR, { kind: "symlink" }),
  ];
}

/** Frames of a film: more than a list can draw at once. */
function film(nowMs: number): FileView[] {
  const frames = Array.from({ length: 100_000 }, (_, frame) => {
    const state = frame % 1000 === 7 ? "coming" : "here";
    return entry(`frames/${String(frame).padStart(6, "0")}.exr`, 9_200_000 + frame, nowMs - frame * 60_000, { state });
  });
  return [
    directory("frames", nowMs - HOUR),
    ...frames,
    directory("sound", nowMs - 5 * HOUR),
    entry("sound/sea.wav", 98_000_000, nowMs - 5 * HOUR),
    entry("script.md", 48_200, nowMs - 3 * HOUR),
  ];
}

function notes(nowMs: number): Pick<Contents, "files" | "conflicts" | "previews"> {
  const side = (path: string, device: string, size: number, hours: number): SideView => ({
    path,
    device,
    kind: "file",
    size,
    mtime_ms: nowMs - hours * HOUR,
  });
  const previews = new Map<string, PreviewView>();
  const text = (path: string, text: string) =>
    previews.set(path, { kind: "text", text, data_url: null, cut: false });
  const image = (path: string, sky: string, sea: string) =>
    previews.set(path, { kind: "image", text: null, data_url: picture(sky, sea), cut: false });
  text("recipes/bread.md", BREAD);
  text("recipes/bread.conflict-anna.md", BREAD.replace("500 g flour", "450 g flour\n50 g rye flour").replace("30 minutes", "45 minutes"));
  image("boat.png", "#f2c9a0", "#0f6070");
  image("boat.conflict-nas.png", "#9fc6e8", "#123a52");
  text("plan.txt", "Monday: paint the hull\nTuesday: rest\n");
  text("plan.conflict-anna.txt", "Monday: paint the hull\nTuesday: sand the deck\n");
  text("plan.conflict-attic.txt", "Monday: rain\nTuesday: rest\nWednesday: sail\n");
  previews.set("old/letter.odt", { kind: "other", text: null, data_url: null, cut: false });
  const conflicts: ConflictView[] = [
    { path: "boat.png", winner: side("boat.png", "nas", 1_204_000, 5), losers: [side("boat.conflict-nas.png", HERE, 1_198_400, 6)] },
    { path: "old/letter.odt", winner: null, losers: [side("old/letter.odt", "anna", 18_200, 30)] },
    {
      path: "plan.txt",
      winner: side("plan.txt", HERE, 38, 1),
      losers: [side("plan.conflict-anna.txt", "anna", 46, 3), side("plan.conflict-attic.txt", "attic", 47, 2)],
    },
    { path: "recipes/bread.md", winner: side("recipes/bread.md", HERE, 412, 2), losers: [side("recipes/bread.conflict-anna.md", "anna", 431, 4)] },
  ];
  const files = [
    entry("boat.png", 1_204_000, nowMs - 5 * HOUR),
    directory("old", nowMs - 30 * HOUR),
    entry("plan.txt", 38, nowMs - HOUR),
    directory("recipes", nowMs - 2 * HOUR),
    entry("recipes/bread.md", 412, nowMs - 2 * HOUR),
    entry("recipes/draft.tmp", 90, nowMs - 2 * HOUR, { state: "local", peers: [] }),
    entry("todo.tmp", 12, nowMs - 2 * HOUR, { state: "local", peers: [] }),
  ];
  return { files, conflicts, previews };
}

function versions(nowMs: number, count: number): VersionView[] {
  const paths = ["recipes/bread.md", "plan.txt", "letters/landlord.odt", "boat.png", "recipes/soup \u202edm.exe"];
  return Array.from({ length: count }, (_, place) => ({
    id: `v${count - place}`,
    path: paths[place % paths.length] ?? "a",
    kind: "file",
    kept_at_ms: nowMs - (place + 1) * 7 * HOUR,
    mtime_ms: nowMs - (place + 1) * 9 * HOUR,
    size: 420 + place * 3100,
    executable: false,
  }));
}

function held(count: number): HeldBackView[] {
  const few = [
    { path: "invoice\u202efdp.exe", reason: "disk_full" },
    { path: "mail/re: order?.eml", reason: "name" },
    { path: "private/diary.txt", reason: "unreadable" },
  ];
  const many = Array.from({ length: Math.max(0, count - few.length) }, (_, place) => ({
    path: `scans/page ${String(place).padStart(3, "0")}: a?.png`,
    reason: "name",
  }));
  return [...few, ...many];
}

function picture(sky: string, sea: string): string {
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="320" height="200"><rect width="320" height="200" fill="${sky}"/><circle cx="230" cy="70" r="26" fill="#fff6df"/><rect y="120" width="320" height="80" fill="${sea}"/><path d="M90 120h90l-16 26h-58z" fill="#5a2f17"/><path d="M132 40v78h-46zM138 30v88h34z" fill="#fffefb"/></svg>`;
  return `data:image/svg+xml,${encodeURIComponent(svg)}`;
}

const BREAD = `# Bread

- 500 g flour
- 350 g water
- 10 g salt
- 3 g yeast

Mix everything in the evening and leave it in the kitchen.

In the morning, fold it four times and let it rest.
Heat the oven as far as it goes, with a pot inside.

Bake it for 30 minutes with the lid and ten without.

It keeps for three days.
`;
