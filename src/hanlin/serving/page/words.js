// All words of the page, in Chinese and English; the browser's language decides, a button changes it.

import { byId } from "./dom.js";

const WORDS = {
  en: {
    other: "中文", otherName: "切换到中文", skip: "To the text", history: "History", begin: "New", mode: "Mode",
    chat: "Chat", write: "Write", code: "Code", settings: "Settings", reset: "Reset", dialogue: "Dialogue",
    export: "Export", import: "Import", noTalks: "Nothing yet.", historyNote: "Kept in this browser alone.",
    chatEmpty: "Say something. The model answers, or asks back if something is missing.",
    say: "Message (Enter sends, Shift+Enter starts a line)", send: "Send", stop: "Stop", text: "Begin a text; Ctrl+Enter goes on",
    suffix: "and what comes after it (optional)", undo: "Undo", again: "Another", goOn: "Go on", justWritten: "Just written",
    codeTitle: "This request as code", copy: "Copy", copied: "Copied", close: "Close",
    keyTitle: "This server asks for a key", key: "API key", keyNote: "Kept until this tab is closed.",
    you: "You", assistant: "Model", asks: "asks back", edit: "Edit", retry: "Retry", save: "Send again", cancel: "Cancel",
    drop: "Delete", loading: "The model is being loaded…", offline: "The server cannot be reached.",
    empty: "The model wrote nothing. Try it again.", left: (n) => `${n} old messages no longer fit and were left out.`,
    badFile: "That file holds no history of this page.", tokens: (n) => `${n} tokens`, full: "The browser's store is full; export and delete something.",
    speed: (n, rate, seconds) => `${n} tokens, ${rate} a second, first after ${seconds} s`,
    context: (used, all) => `context ${used} of ${all}`, stopped: "stopped", length: "cut off at max tokens",
    part: "a part of a character", chance: "probability", proposed: (value) => `the model proposes ${value}`,
    names: {
      system: ["System message", "", "What is said to the model before the dialogue."],
      temperature: ["Temperature", "0 to 2", "0 takes the likeliest token always."],
      top_p: ["Top p", "share", "Keeps the likeliest tokens that hold this probability."],
      top_k: ["Top k", "tokens", "Keeps so many of the likeliest; 0 keeps all."],
      min_p: ["Min p", "share", "Keeps tokens at least this share as likely as the likeliest."],
      repetition_penalty: ["Repetition penalty", "×", "Above 1, what was seen becomes less likely."],
      presence_penalty: ["Presence penalty", "logits", "Taken from each token already written."],
      frequency_penalty: ["Frequency penalty", "logits", "Taken for each time that a token was written."],
      max_tokens: ["Length", "tokens at most", ""],
      seed: ["Seed", "whole number", "The same seed writes the same text; empty draws anew."],
      stop: ["Stop at", "one a line", "Texts at which the model stops."],
      ask_above: ["Ask back from", "probability", "Lower asks more often."],
      probabilities: ["Show probabilities", "", "Colours each token; point at one, or tap it, for what else was likely."],
    },
  },
  zh: {
    other: "English", otherName: "Switch to English", skip: "跳到正文", history: "历史", begin: "新建", mode: "方式",
    chat: "对话", write: "续写", code: "代码", settings: "设置", reset: "还原", dialogue: "对话内容",
    export: "导出", import: "导入", noTalks: "还没有记录。", historyNote: "只保存在这个浏览器里。",
    chatEmpty: "说点什么吧。模型会回答；缺了信息，它会反问。",
    say: "消息（Enter 发送，Shift+Enter 换行）", send: "发送", stop: "停止", text: "写个开头，Ctrl+Enter 续写",
    suffix: "以及后文（可不填）", undo: "撤销", again: "换一个", goOn: "续写", justWritten: "刚写的",
    codeTitle: "把这个请求写成代码", copy: "复制", copied: "已复制", close: "关闭",
    keyTitle: "这个服务需要密钥", key: "API 密钥", keyNote: "只保留到关闭这个标签页。",
    you: "你", assistant: "模型", asks: "反问", edit: "修改", retry: "重答", save: "重新发送", cancel: "取消",
    drop: "删除", loading: "正在载入模型……", offline: "连不上服务。",
    empty: "模型什么也没写，请再试一次。", left: (n) => `有 ${n} 条旧消息放不下，已略去。`,
    badFile: "这个文件里没有本页的历史记录。", tokens: (n) => `${n} 个词元`, full: "浏览器存不下了，请导出并删除一些。",
    speed: (n, rate, seconds) => `${n} 个词元，每秒 ${rate} 个，${seconds} 秒后开始`,
    context: (used, all) => `上下文 ${used} / ${all}`, stopped: "已停止", length: "到长度上限为止",
    part: "一个字的一部分", chance: "概率", proposed: (value) => `模型建议 ${value}`,
    names: {
      system: ["系统消息", "", "对话开始前对模型说的话。"],
      temperature: ["温度", "0 到 2", "0 总取最可能的词元。"],
      top_p: ["Top p", "份额", "只留合起来占这么多概率的最可能的词元。"],
      top_k: ["Top k", "个词元", "只留最可能的这么多个；0 全留。"],
      min_p: ["Min p", "份额", "只留概率不低于最大者这一份额的词元。"],
      repetition_penalty: ["重复惩罚", "倍", "大于 1 时，出现过的词元变得不太可能。"],
      presence_penalty: ["出现惩罚", "对数几率", "写过的词元各减这么多。"],
      frequency_penalty: ["频率惩罚", "对数几率", "每写过一次就减这么多。"],
      max_tokens: ["长度", "个词元以内", ""],
      seed: ["种子", "整数", "同一个种子写出同样的文本；不填则每次不同。"],
      stop: ["停止处", "一行一个", "遇到这些文字就停。"],
      ask_above: ["反问界限", "概率", "越低，越常反问。"],
      probabilities: ["显示概率", "", "给每个词元上色；指着或点一下，看还有哪些可能。"],
    },
  },
};

const KEPT = "hanlin.language";
let language = localStorage.getItem(KEPT) || (navigator.language.startsWith("zh") ? "zh" : "en");
if (!(language in WORDS)) language = "en";

/** Return a word of the page; further values go into words that need them. */
export function word(name, ...values) {
  const found = WORDS[language][name];
  return typeof found === "function" ? found(...values) : found;
}

/** Write all words of the page in the chosen language. */
export function showWords() {
  document.documentElement.lang = language === "zh" ? "zh-Hans" : "en";
  for (const element of document.querySelectorAll("[data-word]")) element.textContent = word(element.dataset.word);
  for (const element of document.querySelectorAll("[data-label]")) element.setAttribute("aria-label", word(element.dataset.label));
  for (const element of document.querySelectorAll("[data-placeholder]")) element.placeholder = word(element.dataset.placeholder);
  byId("language").textContent = word("other");
  byId("language").setAttribute("aria-label", word("otherName"));
}

/** Change to the other language, and tell who has to know. */
export function switchLanguage() {
  language = language === "zh" ? "en" : "zh";
  localStorage.setItem(KEPT, language);
  showWords();
}
