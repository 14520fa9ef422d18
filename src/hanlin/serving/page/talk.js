// The chat: turns that can be edited and spoken again, and what the model offers to say next.

import { stream } from "./api.js";
import { byId, isSend, make } from "./dom.js";
import { notesOf, showText } from "./tokens.js";
import { word } from "./words.js";

export class Talk {
  /** `desk` has model, settings, talk, keep(), tell(text), measure(text, chunk), busy(on). */
  constructor(desk) {
    this.desk = desk;
    this.abort = null;
    byId("chat-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send();
    });
    byId("say").addEventListener("keydown", (event) => {
      if (!isSend(event)) return;
      event.preventDefault();
      this.#send();
    });
    byId("chat-stop").addEventListener("click", () => this.stop());
  }

  stop() {
    this.abort?.abort();
  }

  /** Return the request that would be sent now. */
  request(messages = this.desk.talk.messages) {
    const { model, settings } = this.desk;
    const said = byId("say").value.trim();
    const turns = messages.map(({ role, content, decision, offers }) => ({ role, content, ...(decision && { decision }), ...(offers?.length && { offers }) }));
    if (turns.at(-1)?.role !== "user") turns.push({ role: "user", content: said || word("you") });
    if (settings.system) turns.unshift({ role: "system", content: settings.system });
    const own = model.hanlin.decides ? { offer: true } : {};
    return { path: "/v1/chat/completions", body: { model: model.id, messages: turns, drop_old_turns: true, ...own, ...settings.fields("chat") } };
  }

  show() {
    const { messages } = this.desk.talk;
    byId("messages").replaceChildren(...messages.map((message, place) => this.#message(message, place)));
    byId("chat-empty").hidden = messages.length > 0;
    this.#toEnd(true);
  }

  #send() {
    const said = byId("say").value.trim();
    if (!said || this.abort) return;
    byId("say").value = "";
    byId("say").dispatchEvent(new Event("input"));
    this.#speak([...this.desk.talk.messages, { role: "user", content: said }]);
  }

  async #speak(messages) {
    const { desk } = this;
    const { talk } = desk;
    const answer = { role: "assistant", content: "", notes: [] };
    talk.messages = messages;
    const { path, body } = this.request(messages);
    talk.messages = [...messages, answer];
    this.show();
    const row = byId("messages").lastElementChild;
    const place = row.querySelector(".said");
    row.setAttribute("aria-busy", "true");
    desk.busy(true);
    desk.tell("");
    this.abort = new AbortController();
    const { signal } = this.abort;
    const began = performance.now();
    try {
      for await (const chunk of stream(path, body, signal)) {
        this.#take(answer, chunk);
        place.textContent = answer.content;
        desk.measure(answer, chunk, began);
        this.#toEnd(false);
      }
      if (!answer.content.trim()) desk.tell(word("empty"));
      else if (answer.left) desk.tell(word("left", answer.left));
    } catch (error) {
      if (error.name === "AbortError") answer.finish = "stopped";
      else desk.tell(error.message);
    }
    this.abort = null;
    desk.busy(false);
    if (!answer.content.trim()) talk.messages = messages;
    desk.keep(talk);
    if (desk.talk !== talk) return; // another was opened meanwhile
    this.show();
    byId("say").focus();
  }

  #take(answer, chunk) {
    const [choice] = chunk.choices;
    if (chunk.hanlin?.left_out) answer.left = chunk.hanlin.left_out;
    if (!choice) return;
    const { content, decision, offers } = choice.delta;
    if (content) answer.content += content;
    if (decision) answer.decision = decision;
    if (offers) answer.offers = offers;
    answer.notes.push(...notesOf(choice.logprobs));
    if (choice.finish_reason) answer.finish = choice.finish_reason;
  }

  #message(message, place) {
    const { messages } = this.desk.talk;
    const isUser = message.role === "user";
    const isLast = place === messages.length - 1;
    const said = make("div", { class: "said" });
    showText(said, message.content, message.notes);
    const who = [word(isUser ? "you" : "assistant")];
    if (message.decision === "ask") who.push(word("asks"));
    if (["stopped", "length"].includes(message.finish)) who.push(word(message.finish));
    const acts = make("div", { class: "acts" });
    if (isUser) acts.append(make("button", { class: "quiet", type: "button", text: word("edit"), click: () => this.#edit(place) }));
    if (isLast && !this.abort) acts.append(make("button", {
      class: "quiet", type: "button", text: word("retry"),
      click: () => this.#speak(isUser ? messages : messages.slice(0, -1)),
    }));
    const row = make("article", { class: `message ${message.role}` }, make("div", { class: "who", text: who.join(" · ") }), said, acts);
    if (isLast && message.offers?.length) {
      row.append(make("div", { class: "offers" }, ...message.offers.map((offer) => make("button", {
        type: "button", text: offer, click: () => this.#speak([...messages, { role: "user", content: offer }]),
      }))));
    }
    return row;
  }

  #edit(place) {
    if (this.abort) return;
    const { messages } = this.desk.talk;
    const area = make("textarea", { rows: 3, "aria-label": word("edit") });
    area.value = messages[place].content;
    const save = () => area.value.trim() && this.#speak([...messages.slice(0, place), { role: "user", content: area.value.trim() }]);
    area.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.show();
      if (!isSend(event)) return;
      event.preventDefault();
      save();
    });
    const bar = make("div", { class: "bar" },
      make("button", { class: "quiet", type: "button", text: word("cancel"), click: () => this.show() }),
      make("button", { class: "main", type: "button", text: word("save"), click: save }));
    byId("messages").children[place].replaceChildren(make("div", { class: "box" }, area, bar));
    area.focus();
  }

  /** Keep the end in sight, unless the reader has gone elsewhere. */
  #toEnd(always) {
    const box = byId("messages");
    if (always || box.scrollHeight - box.scrollTop - box.clientHeight < 80) box.scrollTop = box.scrollHeight;
  }
}
