/** The words for what goes on between the window and the desktop around it, in German. */
import type { englishManners } from "./en_manners";
import type { Numbers } from "./numbers";

/** The words, for the numbers of one locale. */
export function germanManners(numbers: Numbers): ReturnType<typeof englishManners> {
  const n = (count: number, one: string, other: string) =>
    numbers.plural(count, { one: `# ${one}`, other: `# ${other}` });
  const conflicts = (count: number) => n(count, "Konflikt", "Konflikte");

  return {
    drop: {
      target: "Hier loslassen, um den Ordner zu synchronisieren",
    },
    notices: {
      paired: (peer) => `Gekoppelt mit ${peer}`,
      pairedMany: (count) => `Gekoppelt mit ${n(count, "Gerät", "Geräten")}`,
      pairedText: "Vergleichen Sie die Bilder auf beiden Bildschirmen. So ist sicher, dass sich niemand dazwischengeschoben hat.",
      compare: "Vergleichen",
      invitedMany: (count) => `${n(count, "Ordner wird", "Ordner werden")} mit Ihnen geteilt`,
      accept: "Annehmen …",
      later: "Später",
      conflicts: (count, folder) => `${conflicts(count)} in „${folder}“`,
      conflictsMany: (count, inFolders) => `${conflicts(count)} in ${n(inFolders, "Ordner", "Ordnern")}`,
      conflictsText: "Eine Datei wurde an zwei Orten geändert. Beide Versionen bleiben, bis Sie wählen.",
      braked: (peer, folder) => `${peer} will sehr viel in „${folder}“ ändern`,
      brakedMany: (count) => `Änderungen in ${n(count, "Ordner", "Ordnern")} warten auf Sie`,
      brakedText: "Hier wird nichts gelöscht oder überschrieben, bis Sie Ja sagen.",
      update: (versions) => `Towline ${versions.join(", ")} liegt bereit`,
      updateText: "Wann es installiert wird, bestimmen Sie.",
      show: "Zeigen",
    },
    general: {
      title: "Allgemein",
      text: "Wie sich Towline auf diesem Computer verhält.",
      notices: "Bescheid geben, wenn etwas mich braucht",
      noticesText: "Neue Geräte, mit Ihnen geteilte Ordner, Konflikte und wartende Änderungen. Nur, während Sie anderswo hinsehen.",
      atLogin: "Beim Anmelden starten",
      atLoginText: "Ohne Fenster, damit Ihre Ordner synchron bleiben.",
    },
  };
}
