// How texts are drawn. An empty field is as the model proposes, which stands in it in grey.

import { byId, make } from "./dom.js";
import { word } from "./words.js";

const NUMBERS = {
  temperature: [0, 2, 0.05], top_p: [0.01, 1, 0.01], top_k: [0, 100000, 1], min_p: [0, 1, 0.01],
  repetition_penalty: [0.1, 10, 0.05], presence_penalty: [-2, 2, 0.1], frequency_penalty: [-2, 2, 0.1],
  max_tokens: [1, 100000, 1], seed: [0, 2147483647, 1], ask_above: [0.01, 0.99, 0.01],
};
const ORDER = ["system", "temperature", "max_tokens", "top_p", "top_k", "min_p", "repetition_penalty",
  "presence_penalty", "frequency_penalty", "seed", "stop", "ask_above", "probabilities"];
const CHAT_ALONE = ["system", "ask_above"];
const KEPT = "hanlin.settings";

export class Settings {
  constructor(model) {
    this.model = model;
    this.mode = "write";
    try {
      this.values = JSON.parse(localStorage.getItem(KEPT) ?? "{}") ?? {};
    } catch {
      this.values = {};
    }
    byId("settings-form").addEventListener("submit", (event) => event.preventDefault());
    byId("reset").addEventListener("click", () => {
      this.values = {};
      this.#save();
      this.show(this.mode);
    });
  }

  /** Show the fields of a mode. */
  show(mode) {
    this.mode = mode;
    const names = ORDER.filter((name) => mode === "chat" || !CHAT_ALONE.includes(name))
      .filter((name) => name !== "ask_above" || this.model.hanlin.decides);
    byId("settings-form").replaceChildren(...names.map((name) => this.#field(name)));
  }

  /** Return the fields of a request. */
  fields(mode) {
    const { system, stop, probabilities, ...numbers } = this.values;
    const fields = Object.fromEntries(Object.entries(numbers).filter(([name]) =>
      name in NUMBERS && (name !== "ask_above" || (mode === "chat" && this.model.hanlin.decides))));
    const stops = (stop ?? "").split("\n").filter(Boolean);
    if (stops.length) fields.stop = stops.slice(0, 16);
    if (probabilities) Object.assign(fields, mode === "chat" ? { logprobs: true, top_logprobs: 5 } : { logprobs: 5 });
    return fields;
  }

  get system() {
    return (this.values.system ?? "").trim();
  }

  #field(name) {
    const [label, unit, note] = word("names")[name];
    const id = `set-${name}`;
    const input = this.#input(name, id);
    const described = note ? `${id}-note` : undefined;
    if (described) input.setAttribute("aria-describedby", described);
    return make("div", { class: "field" },
      make("label", { for: id, text: label }),
      name === "probabilities" ? input : make("span", { class: "unit", text: unit }),
      ...(name === "probabilities" ? [] : [input]),
      ...(note ? [make("p", { class: "note", id: described, text: note })] : []));
  }

  #input(name, id) {
    const value = this.values[name];
    if (name === "probabilities") {
      const box = make("input", { id, type: "checkbox", change: (event) => this.#set(name, event.target.checked || undefined) });
      box.checked = Boolean(value);
      return box;
    }
    if (name === "system" || name === "stop") {
      const area = make("textarea", { id, rows: 2, input: (event) => this.#set(name, event.target.value || undefined) });
      area.value = value ?? "";
      return area;
    }
    const [min, max, step] = NUMBERS[name];
    const proposed = this.model.hanlin.proposed[name];
    const input = make("input", {
      id, type: "number", min, max, step: step === 1 ? 1 : "any", inputmode: "decimal",
      placeholder: proposed === undefined ? "" : word("proposed", proposed),
      input: ({ target }) => this.#set(name, target.value === "" || !target.checkValidity() ? undefined : target.valueAsNumber),
    });
    input.value = value ?? "";
    return input;
  }

  #set(name, value) {
    if (value === undefined) delete this.values[name];
    else this.values[name] = value;
    this.#save();
  }

  #save() {
    try {
      localStorage.setItem(KEPT, JSON.stringify(this.values));
    } catch {
      // Without a store the settings last as long as the page.
    }
  }
}
