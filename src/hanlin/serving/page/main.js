// The page put together: the model, the two modes, the history, and what is measured.

import { countTokens, findModel } from "./api.js";
import { prepareCode } from "./code.js";
import { byId, delayed, download, make } from "./dom.js";
import { Settings } from "./settings.js";
import { Store, titleOf } from "./store.js";
import { Talk } from "./talk.js";
import { hideCard } from "./tokens.js";
import { showWords, switchLanguage, word } from "./words.js";
import { Writing } from "./write.js";

class Desk {
  constructor(model) {
    this.model = model;
    this.store = new Store();
    this.settings = new Settings(model);
    this.talk = this.store.begin("write");
    this.rooms = { chat: new Talk(this), write: new Writing(this) };
  }

  get room() {
    return this.rooms[this.talk.mode];
  }

  /** Open a talk, a new one if none is given. */
  open(mode, id) {
    this.room.stop();
    this.talk = (id && this.store.find(id)) || this.store.begin(mode);
    for (const name of ["chat", "write"]) {
      byId(name).hidden = name !== this.talk.mode;
      byId(`mode-${name}`).setAttribute("aria-pressed", String(name === this.talk.mode));
    }
    byId("speed").textContent = "";
    this.tell("");
    this.settings.show(this.talk.mode);
    this.room.show();
    this.list();
  }

  keep(talk = this.talk) {
    talk.settings = { ...this.settings.values };
    if (!this.store.keep(talk)) this.tell(word("full"));
    this.list();
  }

  list() {
    byId("no-talks").hidden = this.store.talks.length > 0;
    byId("talks").replaceChildren(...this.store.talks.map((talk) => make("li", {},
      make("button", {
        class: "open", type: "button", text: titleOf(talk), "aria-current": String(talk.id === this.talk.id),
        click: () => this.open(talk.mode, talk.id),
      }),
      make("button", {
        class: "quiet drop", type: "button", text: "×", "aria-label": `${word("drop")}: ${titleOf(talk)}`,
        click: () => {
          this.store.drop(talk.id);
          if (talk.id === this.talk.id) this.open(talk.mode);
          else this.list();
        },
      }))));
  }

  /** Tell the user something; nothing takes it away. */
  tell(text) {
    byId("notice").textContent = text;
    byId("notice").hidden = !text;
  }

  busy(on) {
    for (const name of ["chat-stop", "write-stop"]) byId(name).hidden = !on;
    for (const name of ["send", "go-on"]) byId(name).hidden = on;
    for (const name of ["new-talk", "mode-chat", "mode-write"]) byId(name).disabled = on;
  }

  /** Say how fast a text comes, and how much of the context it takes. */
  measure(answer, chunk, began) {
    if (chunk.timings) {
      const { predicted_n: count, predicted_per_second: rate, prompt_ms: first } = chunk.timings;
      answer.speed = word("speed", count, rate.toFixed(1), (first / 1000).toFixed(2));
    }
    if (chunk.usage) answer.context = word("context", chunk.usage.total_tokens, this.model.max_model_len);
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    byId("speed").textContent = [answer.speed ?? `${seconds} s`, answer.context].filter(Boolean).join(" · ");
  }
}

function countLive(area, place) {
  const count = delayed(async () => {
    const text = byId(area).value;
    byId(place).textContent = text ? word("tokens", await countTokens(text).catch(() => "?")) : "";
  }, 300);
  for (const name of ["input", "counted"]) byId(area).addEventListener(name, count);
}

function prepareSides() {
  const pairs = [["show-history", "history"], ["show-settings", "settings"]];
  const close = () => pairs.forEach(([button, side]) => {
    byId(side).classList.remove("shown");
    byId(button).setAttribute("aria-expanded", "false");
  });
  for (const [button, side] of pairs) {
    byId(button).addEventListener("click", () => {
      const opens = !byId(side).classList.contains("shown");
      close();
      byId(side).classList.toggle("shown", opens);
      byId(button).setAttribute("aria-expanded", String(opens));
      if (opens) byId(side).querySelector("button, input, textarea").focus();
    });
  }
  byId("main").addEventListener("click", close);
  byId("talks").addEventListener("click", close);
  byId("new-talk").addEventListener("click", close);
  return close;
}

function prepareHistory(desk) {
  byId("new-talk").addEventListener("click", () => desk.open(desk.talk.mode));
  byId("export").addEventListener("click", () => download("hanlin-history.json", desk.store.export()));
  byId("import").addEventListener("click", () => byId("import-file").click());
  byId("import-file").addEventListener("change", async ({ target }) => {
    const [file] = target.files;
    if (file && !desk.store.import(await file.text())) desk.tell(word("badFile"));
    target.value = "";
    desk.list();
  });
}

async function start() {
  showWords();
  const close = prepareSides();
  const notice = byId("notice");
  const tell = (text) => {
    notice.textContent = text;
    notice.hidden = !text;
  };
  let model;
  try {
    model = await findModel(tell);
  } catch (error) {
    tell(error.message);
    return;
  }
  tell("");
  byId("model-name").textContent = model.id;
  const desk = new Desk(model);
  countLive("say", "say-count");
  countLive("text", "text-count");
  prepareHistory(desk);
  prepareCode(() => desk.room.request());
  byId("language").addEventListener("click", () => {
    switchLanguage();
    desk.settings.show(desk.talk.mode);
    desk.room.show();
    desk.list();
  });
  for (const mode of ["chat", "write"]) {
    byId(`mode-${mode}`).addEventListener("click", () => {
      if (mode === "chat" && !model.hanlin.chat) desk.tell(model.hanlin.why_no_chat);
      else if (desk.talk.mode !== mode) desk.open(mode);
    });
  }
  byId("mode-chat").setAttribute("aria-disabled", String(!model.hanlin.chat));
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    hideCard();
    close();
    desk.room.stop();
  });
  document.addEventListener("scroll", hideCard, true);
  desk.open(model.hanlin.chat ? "chat" : "write");
  byId(model.hanlin.chat ? "say" : "text").focus();
  document.documentElement.dataset.ready = "true";
}

start();
