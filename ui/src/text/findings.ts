/**
 * What the doctor finds, in words. `about` is what tells one thing from others of its kind on this computer (an
 * address, a place, a name): it is shown, and never part of a report that is copied.
 */
import type { FindingView } from "../backend/generated/FindingView";
import type { VerdictView } from "../backend/generated/VerdictView";
import type { Advice } from "./en";
import { advice } from "./errors";
import { numbers, sentences, words } from "./index";
import { plain } from "./names";
import type { Standing } from "./states";

const said = words.checks;

/** What was found about one thing. */
export interface FindingText {
  standing: Standing;
  verdict: string;
  what: string;
  /** What to do; empty where all is fine. */
  todo: string;
  /** Which one; empty where there is only one. */
  about: string;
}

/** A clock may differ by so much, as the engine judges too. */
const CLOCK_TOLERANCE_S = 60;

/** One finding in words. */
export function findingText(finding: FindingView): FindingText {
  const { what, todo } = adviceOf(finding);
  const isFine = finding.verdict === "fine";
  return {
    standing: standingOf(finding.verdict),
    verdict: said.verdict[finding.verdict],
    what,
    todo: isFine ? "" : todo,
    about: plain(aboutOf(finding)),
  };
}

/** How all of it is, in a sentence. */
export function findingsSummary(findings: readonly FindingView[]): string {
  const count = (verdict: VerdictView) => findings.filter((each) => each.verdict === verdict).length;
  const [bad, fair] = [count("bad"), count("fair")];
  return bad + fair === 0 ? said.allFine : said.summary(bad, fair);
}

/** All of it as a text that may be shown to anybody. */
export function findingsReport(findings: readonly FindingView[], version: string, atMs: number): string {
  const lines = findings.map(findingText).map(({ verdict, what, todo }) => {
    const rest = todo === "" ? "" : `\n  ${todo}`;
    return `- ${verdict}: ${what}${rest}`;
  });
  return [said.reportTitle(version, numbers.moment(atMs)), ...lines, ""].join("\n");
}

function standingOf(verdict: VerdictView): Standing {
  const standings = { fine: "good", fair: "wait", bad: "trouble" } as const;
  return standings[verdict];
}

function adviceOf(finding: FindingView): Advice {
  switch (finding.check) {
    case "server":
      return serverAdvice(finding.state);
    case "udp":
      return said.udp[finding.outside];
    case "nat":
      return finding.translates === false ? said.nat.open : said.nat[finding.mapping];
    case "port_mapping":
      if (finding.external !== null) return said.mapping.given;
      return finding.asked ? said.mapping.none : said.mapping.off;
    case "lan_only":
      return said.lanOnly;
    case "mdns": {
      const known = said.mdns[finding.state];
      return typeof known === "function" ? known(finding.neighbours, finding.codes) : known;
    }
    case "clock":
      return clockAdvice(finding.ahead_s);
    case "paths":
      return { what: said.paths.what(finding.connected, finding.relayed), todo: said.paths.todo };
    case "keyring":
      return said.keyring[finding.place];
    case "disk":
      return said.disk.room(finding.available, finding.total);
    case "disk_unknown":
      return said.disk.unknown;
    case "watches":
      return said.watches(finding.directories, finding.limit);
    case "folder": {
      const { what, todo } = advice("root", finding.fault);
      return { what: sentences(said.folder, what), todo };
    }
    default:
      // An engine of a newer version looks at more.
      return said.unknown(plain((finding as { check: string }).check));
  }
}

function serverAdvice(state: string): Advice {
  switch (state) {
    case "none":
    case "online":
    case "connecting":
      return said.server[state];
    case "certificate": {
      const { what, todo } = advice("server", state);
      return { what, todo: sentences(todo, said.server.clockToo) };
    }
    default:
      return advice("server", state);
  }
}

function clockAdvice(ahead: number | null): Advice {
  if (ahead === null) return said.clock.unknown;
  if (Math.abs(ahead) <= CLOCK_TOLERANCE_S) return said.clock.right;
  return said.clock.wrong(Math.abs(ahead) * 1000, ahead > 0);
}

function aboutOf(finding: FindingView): string {
  switch (finding.check) {
    case "server":
      return finding.url ?? "";
    case "port_mapping":
      return finding.external ?? "";
    case "disk":
    case "disk_unknown":
      return finding.place;
    case "folder":
      return finding.label;
    default:
      return "";
  }
}
