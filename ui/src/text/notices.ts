/** What notices say, as the system's notifications show them: plain text, in which names cannot act. */
import { assertNever, type Spoken } from "../backend";
import { only, type Notice } from "../state/notices";
import { words } from "./index";
import { plain } from "./names";

/** The words of a notice. */
export function noticeText(notice: Notice): Omit<Spoken, "tag"> {
  const said = words.notices;
  const called = (name: string | null) => plain(name ?? words.unknownDevice);
  const show = { open: said.show, later: null };
  switch (notice.kind) {
    case "paired": {
      const one = only(notice.facts);
      return one
        ? { title: said.paired(called(one.name)), body: said.pairedText, open: said.compare, later: null }
        : { title: said.pairedMany(notice.facts.length), body: said.pairedText, ...show };
    }
    case "invited": {
      const one = only(notice.facts);
      return one
        ? {
            title: words.invitation.title(called(one.name), plain(one.label)),
            body: words.invitation.text,
            open: said.accept,
            later: said.later,
          }
        : { title: said.invitedMany(notice.facts.length), body: words.invitation.text, ...show };
    }
    case "conflicts": {
      const one = only(notice.facts);
      const count = notice.facts.reduce((sum, fact) => sum + fact.count, 0);
      const title = one ? said.conflicts(count, plain(one.label)) : said.conflictsMany(count, notice.facts.length);
      return { title, body: said.conflictsText, ...show };
    }
    case "braked": {
      const one = only(notice.facts);
      const title = one ? said.braked(called(one.name), plain(one.label)) : said.brakedMany(notice.facts.length);
      return { title, body: said.brakedText, ...show };
    }
    case "update":
      return { title: said.update(notice.facts.map(({ version }) => plain(version))), body: said.updateText, ...show };
    default:
      return assertNever(notice);
  }
}
