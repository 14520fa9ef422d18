// The request at hand as code that can be copied.

import { needsKey } from "./api.js";
import { byId } from "./dom.js";
import { word } from "./words.js";

let request = { path: "/v1/completions", body: {} };
let form = "curl";

export function curlOf({ path, body }, origin, key) {
  const data = JSON.stringify(body, null, 2).replaceAll("'", "'\\''");
  const sent = key ? `  -H "Authorization: Bearer $HANLIN_KEY" \\\n` : "";
  return `curl ${origin}${path} \\\n${sent}  -H 'Content-Type: application/json' \\\n  -d '${data}'`;
}

const EXTRA = ["top_k", "min_p", "repetition_penalty", "ask_above", "offer", "drop_old_turns"];

const python = (value) =>
  value === true ? "True" : value === false ? "False" : value === null ? "None"
    : Array.isArray(value) ? `[${value.map(python).join(", ")}]`
      : typeof value === "object" ? `{${Object.entries(value).map(([k, v]) => `${JSON.stringify(k)}: ${python(v)}`).join(", ")}}`
        : JSON.stringify(value);

export function pythonOf({ path, body }, origin, key) {
  const own = Object.entries(body).filter(([name]) => !EXTRA.includes(name)).map(([name, value]) => `    ${name}=${python(value)},\n`);
  const extra = Object.fromEntries(Object.entries(body).filter(([name]) => EXTRA.includes(name)));
  const more = Object.keys(extra).length ? `    extra_body=${python(extra)},\n` : "";
  const call = path.includes("chat") ? "chat.completions" : "completions";
  const said = path.includes("chat") ? "choices[0].message.content" : "choices[0].text";
  const opening = key ? "import os\n\n" : "";
  const sent = key ? 'os.environ["HANLIN_KEY"]' : '"none"';
  return `${opening}from openai import OpenAI\n\nclient = OpenAI(base_url="${origin}/v1", api_key=${sent})\n` +
    `answer = client.${call}.create(\n${own.join("")}${more})\nprint(answer.${said})`;
}

/** Let the buttons of the dialogue work; `current` gives the request at hand. */
export function prepareCode(current) {
  const show = (chosen) => {
    form = chosen;
    byId("code-curl").setAttribute("aria-pressed", String(form === "curl"));
    byId("code-python").setAttribute("aria-pressed", String(form === "python"));
    byId("code-text").textContent = (form === "curl" ? curlOf : pythonOf)(request, location.origin, needsKey());
  };
  byId("show-code").addEventListener("click", () => {
    request = current();
    show(form);
    byId("code-copy").textContent = word("copy");
    byId("code-dialog").showModal();
  });
  byId("code-curl").addEventListener("click", () => show("curl"));
  byId("code-python").addEventListener("click", () => show("python"));
  byId("code-close").addEventListener("click", () => byId("code-dialog").close());
  byId("code-copy").addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(byId("code-text").textContent);
      byId("code-copy").textContent = word("copied");
    } catch {
      getSelection().selectAllChildren(byId("code-text"));
    }
  });
}
