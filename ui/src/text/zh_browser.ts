/** The words of the window in a browser, in Simplified Chinese. */
import type { englishBrowser, englishBrowserCodes } from "./en_browser";

/** The words of its screens. */
export const chineseBrowser: typeof englishBrowser = {
  title: "打开此设备",
  link: "请在运行 Towline 的电脑上执行此命令，然后打开它显示的链接：",
  once: "链接只能使用一次，五分钟内有效。之后此标签页会一直打开，直到您将其关闭或 Towline 停止。",
  password: "密码",
  open: "打开",
  orLink: "或者在运行 Towline 的电脑上执行此命令，然后打开链接：",
  pathHint: "运行 Towline 的电脑上的完整路径。",
  lost: {
    what: "此设备没有应答。",
    todo: "会自动重试。您看到的内容可能已过时。如果 Towline 已在那里停止，请启动它。",
  },
};

/** What is refused only there. */
export const chineseBrowserCodes: typeof englishBrowserCodes = {
  unreachable: { what: "此设备没有应答。", todo: "据目前所知，没有任何更改。请在它应答后重试。" },
  session: { what: "此标签页不能再使用该设备。", todo: "请在那里运行“towline web”，然后打开链接。" },
  token: { what: "此链接已被使用，或已超过五分钟。", todo: "请再次运行“towline web”。" },
  password: { what: "密码错误。", todo: "请重试。" },
  too_many: { what: "密码尝试次数过多。", todo: "请等待一分钟，或在那里运行“towline web”并打开链接。" },
};
