// What was said and written, kept in this browser: a list of talks, the newest first.

const KEPT = "hanlin.talks";
const FORM = "hanlin-history-1";

const isMessage = (m) => ["user", "assistant"].includes(m?.role) && typeof m.content === "string";
const isTalk = (t) =>
  typeof t?.id === "string" && ["chat", "write"].includes(t.mode) && typeof t.text === "string" &&
  Array.isArray(t.messages) && t.messages.every(isMessage);

export class Store {
  constructor() {
    try {
      const found = JSON.parse(localStorage.getItem(KEPT) ?? "[]");
      this.talks = Array.isArray(found) ? found.filter(isTalk) : [];
    } catch {
      this.talks = [];
    }
  }

  begin(mode) {
    const id = Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => byte.toString(16).padStart(2, "0")).join("");
    return { id, mode, changed: Date.now(), messages: [], text: "", settings: {} };
  }

  /** Keep a talk; notes of tokens are too many to keep. Returns whether there was room. */
  keep(talk) {
    const messages = talk.messages.map(({ notes, ...rest }) => rest);
    this.talks = [{ ...talk, messages, changed: Date.now() }, ...this.talks.filter((known) => known.id !== talk.id)];
    return this.#save();
  }

  drop(id) {
    this.talks = this.talks.filter((talk) => talk.id !== id);
    this.#save();
  }

  find(id) {
    const found = this.talks.find((talk) => talk.id === id);
    return found && structuredClone(found);
  }

  export() {
    return JSON.stringify({ form: FORM, talks: this.talks }, null, 1);
  }

  /** Take over the talks of an exported file; returns whether it was one. */
  import(text) {
    let found;
    try {
      found = JSON.parse(text);
    } catch {
      return false;
    }
    if (found?.form !== FORM || !Array.isArray(found.talks) || !found.talks.every(isTalk)) return false;
    const fresh = new Set(found.talks.map((talk) => talk.id));
    this.talks = [...found.talks, ...this.talks.filter((talk) => !fresh.has(talk.id))];
    return this.#save();
  }

  #save() {
    try {
      localStorage.setItem(KEPT, JSON.stringify(this.talks));
      return true;
    } catch {
      return false;
    }
  }
}

/** Return what a talk is called: how it begins. */
export const titleOf = (talk) => {
  const first = talk.mode === "chat" ? talk.messages[0]?.content : talk.text;
  return Array.from((first ?? "").trim().replace(/\s+/g, " ")).slice(0, 40).join("") || "…";
};
