/** The words of the window in a browser, in Arabic. */
import { ltr } from "./ar_pieces";
import type { englishBrowser, englishBrowserCodes } from "./en_browser";

/** The words of its screens. */
export const arabicBrowser: typeof englishBrowser = {
  title: "افتح هذا الجهاز",
  link: `شغّل هذا الأمر على الحاسوب الذي يعمل عليه ${ltr("Towline")}، وافتح الرابط الذي يطبعه:`,
  once: `يصلح الرابط مرة واحدة ولمدة خمس دقائق. يبقى هذا اللسان مفتوحًا بعد ذلك إلى أن تغلقه أو يتوقف ${ltr("Towline")}.`,
  password: "كلمة المرور",
  open: "افتح",
  orLink: `أو شغّل هذا على الحاسوب الذي يعمل عليه ${ltr("Towline")}، وافتح رابطه:`,
  pathHint: `المسار الكامل، على الحاسوب الذي يعمل عليه ${ltr("Towline")}.`,
  lost: {
    what: "هذا الجهاز لا يجيب.",
    todo: `تُعاد المحاولة تلقائيًا. قد يكون ما تراه قديمًا. إن كان ${ltr("Towline")} قد أُوقف هناك فشغّله.`,
  },
};

/** What is refused only there. */
export const arabicBrowserCodes: typeof englishBrowserCodes = {
  unreachable: { what: "هذا الجهاز لا يجيب.", todo: "لم يتغيّر شيء على حد العلم. أعد المحاولة حين يجيب." },
  session: { what: "لم يعد يحق لهذا اللسان استخدام الجهاز.", todo: `شغّل ${ltr("towline web")} هناك، وافتح رابطه.` },
  token: { what: "استُخدم هذا الرابط، أو مضت عليه أكثر من خمس دقائق.", todo: `شغّل ${ltr("towline web")} مرة أخرى.` },
  password: { what: "كلمة المرور خاطئة.", todo: "أعد المحاولة." },
  too_many: { what: "جُرّبت كلمة المرور مرات كثيرة.", todo: `انتظر دقيقة، أو شغّل ${ltr("towline web")} هناك وافتح رابطه.` },
};
