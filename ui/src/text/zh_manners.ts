/** The words for what goes on between the window and the desktop around it, in Simplified Chinese. */
import type { englishManners } from "./en_manners";
import type { Numbers } from "./numbers";

/** The words, for the numbers of one locale. */
export function chineseManners(numbers: Numbers): ReturnType<typeof englishManners> {
  const n = (count: number) => numbers.count(count);

  return {
    drop: {
      target: "在此松开，即可同步此文件夹",
    },
    notices: {
      paired: (peer) => `已与 ${peer} 配对`,
      pairedMany: (count) => `已与 ${n(count)} 台设备配对`,
      pairedText: "请核对两个屏幕上的图案，确认没有人插在中间。",
      compare: "核对",
      invitedMany: (count) => `有 ${n(count)} 个文件夹与您共享`,
      accept: "接受……",
      later: "以后再说",
      conflicts: (count, folder) => `“${folder}”中有 ${n(count)} 个冲突`,
      conflictsMany: (count, inFolders) => `${n(inFolders)} 个文件夹中共有 ${n(count)} 个冲突`,
      conflictsText: "有文件在两处被更改。在您选择之前，两个版本都会保留。",
      braked: (peer, folder) => `${peer} 要在“${folder}”中更改大量内容`,
      brakedMany: (count) => `${n(count)} 个文件夹中的更改等待您决定`,
      brakedText: "在您同意之前，这里不会删除或覆盖任何内容。",
      update: (versions) => `Towline ${versions.join("、")} 已就绪`,
      updateText: "何时安装由您决定。",
      show: "查看",
    },
    general: {
      title: "常规",
      text: "Towline 在这台电脑上如何运行。",
      notices: "有事需要我处理时通知我",
      noticesText: "新设备、与您共享的文件夹、冲突和等待中的更改。仅在您没有看着此窗口时通知。",
      atLogin: "登录时启动",
      atLoginText: "不打开窗口，让您的文件夹保持同步。",
    },
  };
}
