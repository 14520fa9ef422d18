// The sheet: a text that goes on where it stands, or between two texts where that was taught.

import { stream } from "./api.js";
import { byId } from "./dom.js";
import { notesOf, showText } from "./tokens.js";
import { word } from "./words.js";

export class Writing {
  constructor(desk) {
    this.desk = desk;
    this.abort = null;
    this.before = null;
    byId("write-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#goOn();
    });
    byId("text").addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !event.isComposing) {
        event.preventDefault();
        this.#goOn();
      }
    });
    byId("text").addEventListener("input", () => {
      this.desk.talk.text = byId("text").value;
      this.#offerUndo(null);
    });
    byId("text").addEventListener("change", () => this.desk.talk.text && this.desk.keep());
    byId("write-stop").addEventListener("click", () => this.stop());
    byId("undo").addEventListener("click", () => this.#undo());
    byId("again").addEventListener("click", () => {
      this.#undo();
      this.#goOn();
    });
    byId("suffix-row").hidden = !desk.model.hanlin.infill;
  }

  stop() {
    this.abort?.abort();
  }

  request() {
    const { model, settings } = this.desk;
    const suffix = byId("suffix").value;
    return { path: "/v1/completions", body: { model: model.id, prompt: byId("text").value, ...(suffix && model.hanlin.infill && { suffix }), ...settings.fields("write") } };
  }

  show() {
    byId("text").value = this.desk.talk.text;
    byId("written").hidden = true;
    this.#offerUndo(null);
    byId("text").dispatchEvent(new Event("counted"));
  }

  async #goOn() {
    if (this.abort) return;
    const { desk } = this;
    const { talk } = desk;
    const { path, body } = this.request();
    const area = byId("text");
    const answer = { content: "", notes: [] };
    const before = area.value;
    area.readOnly = true;
    desk.busy(true);
    desk.tell("");
    byId("written").hidden = true;
    this.abort = new AbortController();
    const { signal } = this.abort;
    const began = performance.now();
    try {
      for await (const chunk of stream(path, body, signal)) {
        const [choice] = chunk.choices;
        if (choice && desk.talk === talk) {
          answer.content += choice.text;
          answer.notes.push(...notesOf(choice.logprobs));
          const isNear = area.scrollHeight - area.scrollTop - area.clientHeight < 80;
          area.value = before + answer.content;
          if (isNear) area.scrollTop = area.scrollHeight;
        }
        desk.measure(answer, chunk, began);
      }
      if (!answer.content) desk.tell(word("empty"));
    } catch (error) {
      if (error.name !== "AbortError") desk.tell(error.message);
    }
    this.abort = null;
    area.readOnly = false;
    desk.busy(false);
    talk.text = before + answer.content;
    if (answer.content) desk.keep(talk);
    if (desk.talk !== talk) return; // another was opened meanwhile
    if (answer.content) this.#offerUndo(before);
    if (answer.notes.length) {
      showText(byId("written-text"), answer.content, answer.notes);
      byId("written").hidden = false;
    }
    area.dispatchEvent(new Event("counted"));
    area.focus();
  }

  #undo() {
    if (this.before === null) return;
    byId("text").value = this.before;
    this.desk.talk.text = this.before;
    byId("written").hidden = true;
    this.#offerUndo(null);
  }

  #offerUndo(before) {
    this.before = before;
    byId("undo").disabled = byId("again").disabled = before === null;
  }
}
