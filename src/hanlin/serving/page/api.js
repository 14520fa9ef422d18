// The server: the model, streams of chunks, counts of tokens; and the key, if one is asked for.

import { byId } from "./dom.js";
import { word } from "./words.js";

const KEPT = "hanlin.key";

/** An answer that is an error, with what the server said. */
export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function ask(path, body, signal) {
  const headers = body ? { "Content-Type": "application/json" } : {};
  const key = sessionStorage.getItem(KEPT);
  if (key) headers.Authorization = `Bearer ${key}`;
  let response;
  try {
    response = await fetch(path, { method: body ? "POST" : "GET", headers, body: body && JSON.stringify(body), signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(0, word("offline"));
  }
  if (response.ok) return response;
  const told = await response.json().catch(() => ({}));
  if (response.status === 401) {
    await askForKey();
    return ask(path, body, signal);
  }
  throw new Refused(response.status, told.error?.message ?? response.statusText);
}

function askForKey() {
  const dialog = byId("key-dialog");
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      sessionStorage.setItem(KEPT, byId("key").value.trim());
      byId("key").value = "";
      resolve();
    }, { once: true });
    if (!dialog.open) dialog.showModal();
  });
}

/** Whether this server asked for a key. */
export const needsKey = () => sessionStorage.getItem(KEPT) !== null;

/** Return the model that is served; waits while it is being loaded. */
export async function findModel(onWait) {
  for (;;) {
    try {
      return (await (await ask("/v1/models")).json()).data[0];
    } catch (error) {
      if (![0, 503].includes(error.status)) throw error;
      onWait(error.status ? word("loading") : error.message);
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  }
}

/** Return how many tokens a text has. */
export async function countTokens(text) {
  return (await (await ask("/tokenize", { prompt: text })).json()).count;
}

/** Yield the chunks of a stream; characters are never cut, wherever the network cuts bytes. */
export async function* stream(path, body, signal) {
  const response = await ask(path, { ...body, stream: true, stream_options: { include_usage: true } }, signal);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let held = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    held += value;
    const events = held.split("\n\n");
    held = events.pop();
    for (const event of events) {
      if (!event.startsWith("data: ")) continue;
      const data = event.slice("data: ".length);
      if (data === "[DONE]") return;
      const chunk = JSON.parse(data);
      if (chunk.error) throw new Refused(500, chunk.error.message);
      yield chunk;
    }
  }
}
