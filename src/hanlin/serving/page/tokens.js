// A text as its tokens: each coloured by its probability, with what else was likely on pointing,
// focus or tap. Tokens that are parts of one character are shown as one.

import { byId, make } from "./dom.js";
import { word } from "./words.js";

const BOUNDS = [0.5, 0.2, 0.05, 0.01];

/** Return both forms of log-probabilities as notes: {bytes, logprob, top: [{bytes, logprob}]}. */
export function notesOf(logprobs) {
  if (!logprobs) return [];
  if (logprobs.content) return logprobs.content.map((note) => ({ bytes: note.bytes, logprob: note.logprob, top: note.top_logprobs }));
  return logprobs.tokens.map((token, place) => ({
    bytes: bytesOf(token),
    logprob: logprobs.token_logprobs[place] ?? 0,
    top: Object.entries(logprobs.top_logprobs[place] ?? {}).map(([other, logprob]) => ({ bytes: bytesOf(other), logprob })),
  }));
}

function bytesOf(token) {
  if (!token.startsWith("bytes:")) return [...new TextEncoder().encode(token)];
  return token.slice("bytes:".length).split("\\x").filter(Boolean).map((pair) => parseInt(pair, 16));
}

const decode = (bytes) => new TextDecoder().decode(new Uint8Array(bytes));

function isWhole(bytes) {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(new Uint8Array(bytes));
    return true;
  } catch {
    return false;
  }
}

/** Group notes so that each group is whole characters, or bytes that never become one. */
export function groupNotes(notes) {
  const groups = [];
  let open = [];
  let bytes = [];
  const close = () => {
    if (open.length) groups.push({ notes: open, text: decode(bytes) });
    open = [];
    bytes = [];
  };
  for (const note of notes) {
    if (note.bytes.length && (note.bytes[0] & 0xc0) !== 0x80) close(); // it goes on with no character
    open.push(note);
    bytes.push(...note.bytes);
    if (isWhole(bytes) || bytes.length >= 4) close();
  }
  close();
  return groups;
}

/** Put a text into an element, token by token where there are notes of it. */
export function showText(element, text, notes) {
  const groups = groupNotes(notes ?? []);
  if (!groups.length) {
    element.textContent = text;
    return;
  }
  element.replaceChildren(...groups.filter((group) => group.text).map((group) => {
    const chance = Math.exp(group.notes.reduce((sum, note) => sum + note.logprob, 0));
    const place = BOUNDS.findIndex((bound) => chance >= bound);
    const token = make("span", { class: `token t${place < 0 ? BOUNDS.length : place}`, tabindex: 0, "aria-describedby": "token-card", text: group.text });
    for (const name of ["pointerenter", "focus", "click"]) token.addEventListener(name, () => showCard(token, group.notes));
    for (const name of ["pointerleave", "blur"]) token.addEventListener(name, hideCard);
    return token;
  }));
}

function showCard(token, notes) {
  const card = byId("token-card");
  card.replaceChildren(...notes.map(tableOf));
  card.hidden = false;
  const box = token.getBoundingClientRect();
  const left = Math.min(Math.max(8, box.left), innerWidth - card.offsetWidth - 8);
  const below = box.bottom + 6;
  card.style.left = `${left}px`;
  card.style.top = `${below + card.offsetHeight > innerHeight ? box.top - card.offsetHeight - 6 : below}px`;
}

export function hideCard() {
  byId("token-card").hidden = true;
}

function tableOf(note) {
  const same = (other) => String(other.bytes) === String(note.bytes);
  const others = note.top.filter((other) => !same(other));
  const rows = [note, ...others].sort((a, b) => b.logprob - a.logprob);
  return make("table", {}, make("tbody", {}, ...rows.map((row) => {
    const chance = Math.exp(row.logprob);
    return make("tr", { class: row === note ? "chosen" : undefined },
      make("td", { text: shown(row.bytes) }),
      make("td", {}, make("meter", { value: chance, max: 1, "aria-label": word("chance") })),
      make("td", { text: `${(chance * 100).toFixed(chance < 0.1 ? 2 : 1)} %` }));
  })));
}

function shown(bytes) {
  if (!bytes.length) return "∅";
  if (!isWhole(bytes)) return `${bytes.map((byte) => byte.toString(16)).join(" ")} (${word("part")})`;
  return decode(bytes).replaceAll("\n", "⏎").replaceAll(" ", "␣");
}
