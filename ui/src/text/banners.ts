/** What stands in a folder, in sentences. */
import { assertNever } from "../backend";
import { HELD_SHOWN_MAX, type Banner } from "../state/banners";
import type { Weight } from "../state/problems";
import type { Advice } from "./en";
import { advice } from "./errors";
import { words } from "./index";
import { plain } from "./names";

/** What happened and what to do. */
export function bannerText(banner: Banner): Advice {
  const said = words.banner;
  switch (banner.kind) {
    case "root":
      return advice("root", banner.fault);
    case "disk_full":
      return said.diskFull;
    case "braked":
      return said.braked(plain(banner.name ?? words.unknownDevice), banner);
    case "conflicts":
      return said.conflicts(banner.count);
    case "local_changes":
      return said.local(banner.count);
    case "differing":
      return said.differing(banner.count);
    case "spoiled":
      return said.spoiled(banner.count);
    case "held":
      return said.held(banner.count, banner.count >= HELD_SHOWN_MAX);
    default:
      return assertNever(banner);
  }
}

/** How grave it is. */
export function bannerWeight(banner: Banner): Weight {
  switch (banner.kind) {
    case "root":
    case "disk_full":
    case "braked":
    case "conflicts":
      return "problem";
    case "local_changes":
    case "differing":
    case "spoiled":
    case "held":
      return "note";
    default:
      return assertNever(banner);
  }
}
