// What the page asks of the server, and what it hears from it.

export class Denied extends Error {}

async function ask(address) {
  const answer = await fetch(address, { cache: "no-store" });
  if (answer.status === 401) throw new Denied(address);
  if (!answer.ok) throw new Error(`${address}: ${answer.status}`);
  return answer.json();
}

export const about = () => ask("api/about");
export const rounds = async () => (await ask("api/rounds")).rounds;
/** A thing with what each round made of it, and what people said. */
export const thing = (id) => ask(`api/things/${encodeURIComponent(id)}`);

/** Says what a person thinks of a thing; `judgement` is confirmed, rejected, or null to take it back. */
export async function judge(id, judgement, by, note) {
  const body = JSON.stringify(note ? { judgement, by, note } : { judgement, by });
  const headers = { "content-type": "application/json" };
  const answer = await fetch(`api/things/${encodeURIComponent(id)}/judgement`, { method: "POST", headers, body });
  if (!answer.ok) throw new Error(`judgement: ${answer.status}`);
}

/** The pages of a collection, each handed on as it comes, until there is none or `most` features are there. */
export async function pages(path, parameters, most, each) {
  let query = `?${new URLSearchParams(parameters)}`;
  let [count, newest] = [0, null];
  while (query && count < most) {
    const page = await ask(`api/${path}${query}`);
    newest ??= page.newest;
    count += page.features.length;
    each(page.features);
    query = page.links.find((link) => link.rel === "next")?.href;
  }
  return { newest, cut: Boolean(query) };
}

const SILENT_MS = 35000;
const RESTS_MS = [500, 1000, 2000, 4000, 8000];

/**
 * Listens to what is new from number `after` on, and goes on after each loss where it was.
 * `heard` has a function for each event (change, units, trouble, reset) and `open` and `lost`.
 */
export class Stream {
  #source = null;
  #timer = null;
  #silence = null;
  #tries = 0;

  constructor(after, heard) {
    this.after = after;
    this.heard = heard;
    this.#listen();
  }

  /** Tries at once. */
  retry() {
    clearTimeout(this.#timer);
    this.#tries = 0;
    this.#listen();
  }

  close() {
    clearTimeout(this.#timer);
    clearTimeout(this.#silence);
    this.#source?.close();
  }

  #listen() {
    this.close();
    const source = new EventSource(`api/stream${this.after === null ? "" : `?after=${this.after}`}`);
    this.#source = source;
    source.onopen = () => {
      this.#tries = 0;
      this.#alive();
      this.heard.open();
    };
    source.onerror = () => this.#lost();
    for (const name of ["change", "units", "trouble", "reset", "beat"]) {
      source.addEventListener(name, (event) => {
        this.#alive();
        if (event.lastEventId) this.after = Number(event.lastEventId);
        this.heard[name]?.(JSON.parse(event.data));
      });
    }
  }

  #alive() {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.#lost(), SILENT_MS);
  }

  #lost() {
    this.close();
    this.heard.lost();
    const rest = RESTS_MS[Math.min(this.#tries++, RESTS_MS.length - 1)];
    this.#timer = setTimeout(() => this.#listen(), rest * (0.75 + Math.random() / 2));
  }
}
