/** The words for what goes on between the window and the desktop around it, in Arabic. */
import { apart, CONFLICTS, DEVICES_OBJECT, FOLDERS, FOLDERS_OBJECT, ltr } from "./ar_pieces";
import type { englishManners } from "./en_manners";
import type { Numbers } from "./numbers";

/** The words, for the numbers of one locale. */
export function arabicManners(numbers: Numbers): ReturnType<typeof englishManners> {
  const conflicts = (count: number) => numbers.plural(count, CONFLICTS);
  const inFolders = (count: number) => `في ${numbers.plural(count, FOLDERS_OBJECT)}`;

  return {
    drop: {
      target: "أفلت المجلد هنا لتجري مزامنته",
    },
    notices: {
      paired: (peer) => `تم الإقران مع ${apart(peer)}`,
      pairedMany: (count) => `تم الإقران مع ${numbers.plural(count, DEVICES_OBJECT)}`,
      pairedText: "طابق الصور على الشاشتين، لتتأكد من أن أحدًا لم يدخل بينكما.",
      compare: "مطابقة",
      invitedMany: (count) => `يُشارَك معك ${numbers.plural(count, FOLDERS)}`,
      accept: "قبول…",
      later: "لاحقًا",
      conflicts: (count, folder) => `${conflicts(count)} في «${apart(folder)}»`,
      conflictsMany: (count, folders) => `${conflicts(count)} ${inFolders(folders)}`,
      conflictsText: "تغيّر ملف في مكانين. يُحفظ الإصداران حتى تختار.",
      braked: (peer, folder) => `يريد ${apart(peer)} تغيير الكثير في «${apart(folder)}»`,
      brakedMany: (count) => `تغييرات ${inFolders(count)} تنتظرك`,
      brakedText: "لا يُحذف شيء هنا ولا يُستبدل حتى توافق.",
      update: (versions) => `${ltr(`Towline ${versions.join(", ")}`)} جاهز`,
      updateText: "أنت تحدد متى يُثبَّت.",
      show: "عرض",
    },
    general: {
      title: "عام",
      text: "سلوك Towline على هذا الحاسوب.",
      notices: "إخباري حين يحتاج أمر إليّ",
      noticesText: "الأجهزة الجديدة، والمجلدات التي تُشارَك معك، والتعارضات، والتغييرات التي تنتظر. فقط حين لا تنظر إلى هذه النافذة.",
      atLogin: "البدء عند تسجيل الدخول",
      atLoginText: "من دون نافذة، لتبقى مجلداتك متزامنة.",
    },
  };
}
