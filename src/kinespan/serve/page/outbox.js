// Changes on their way to the server: each goes out at once, one after the other, and is kept in the browser until it was
// answered, so that neither a server that is gone nor a closed page loses one.
//
// An entry: { recording, set, what, body, temporary, uncertain }. `recording` is a name, as ids end with the server; `body`
// holds items by label name. Items that an edit adds have negative numbers in the page until the server numbered them:
// `temporary` holds those. `uncertain`: it was sent, and whether it arrived is not known.

const RETRY_SECONDS = 1;
const SERVER_FAULTS = 3; // times that a change is sent which the server fails at
const WAITING = new Set([0, 401, 429, 503]); // statuses after which a change is sent again, however often

export class Outbox extends EventTarget {
  // corpus: its name, under which entries are kept. deliver(entry) -> the answer; it raises ApiError.
  // answered(entry, answer), refused(entry, error): what became of an entry. ready(): resolves where the server is back.
  constructor(corpus, { deliver, answered, refused, ready }) {
    super();
    Object.assign(this, { deliver, answered, refused, ready, entries: [], isSending: false, isWaiting: false });
    this.lastTemporary = -Math.floor(Math.random() * 2 ** 40); // others than those of entries that are taken over
    this.prefix = `kinespan-unsaved:${corpus}:`;
    this.key = this.prefix + crypto.getRandomValues(new Uint32Array(2)).join("-");
    this.promises = new Map();
    this.numbers = new Map(); // those that the server gave, by temporary number: a dialog or a drag may still hold the latter
    this.withdrawn = []; // entries that were undone before they went out, null for what the server undid after them
  }

  // Takes over what pages have left, as soon as they are closed, and sends it.
  async start() {
    await holdLock(this.key);
    const keys = Object.keys(localStorage).filter((key) => key.startsWith(this.prefix) && key !== this.key);
    for (const key of keys) whenUnlocked(key, () => this.takeOver(key));
  }

  takeOver(key) {
    const left = JSON.parse(localStorage.getItem(key) ?? "[]");
    this.entries.push(...left.map((entry) => ({ ...entry, uncertain: true })));
    localStorage.removeItem(key);
    if (left.length) this.changed();
    this.pump();
  }

  get size() {
    return this.entries.length;
  }

  // The entries of a recording in a set that were not answered yet.
  of(recording, set) {
    return this.entries.filter((entry) => entry.recording === recording && entry.set === set);
  }

  // A number as it is now.
  numberOf(number) {
    return this.numbers.get(number) ?? number;
  }

  temporaryNumbers(count) {
    return Array.from({ length: count }, () => --this.lastTemporary);
  }

  // Resolves to the answer, null where the change was refused.
  add(entry) {
    if (entry.what === "edit") this.withdrawn = [];
    if (entry.what === "undo" && this.withdrawn.length) this.withdrawn.push(null);
    if (entry.what === "redo") this.withdrawn.pop();
    return this.put({ temporary: [], uncertain: false, ...entry });
  }

  put(entry) {
    this.entries.push(entry);
    this.changed();
    const promise = new Promise((resolve) => this.promises.set(entry, resolve));
    this.pump();
    return promise;
  }

  // Resolves when nothing is on its way.
  async idle() {
    if (this.entries.length) await new Promise((resolve) => this.addEventListener("idle", resolve, { once: true }));
  }

  // Takes the last change back where it is an edit that has not gone out yet; returns it, else null.
  withdraw(recording, set) {
    const first = this.isSending || this.entries[0]?.uncertain ? 1 : 0;
    const at = this.entries.findLastIndex((entry) => entry.recording === recording && entry.set === set
      && entry.what !== "watched");
    if (at < first || this.entries[at].what !== "edit") return null;
    const [entry] = this.entries.splice(at, 1);
    this.settle(entry, null);
    this.withdrawn.push(entry);
    this.changed();
    return entry;
  }

  // Puts back what was withdrawn last; returns it, null where there is nothing.
  restore(recording, set) {
    const entry = this.withdrawn.at(-1); // null: what the server undid comes first
    if (entry?.recording !== recording || entry.set !== set) return null;
    this.put(this.withdrawn.pop());
    return entry;
  }

  settle(entry, answer) {
    this.promises.get(entry)?.(answer);
    this.promises.delete(entry);
  }

  changed() {
    try {
      if (this.entries.length) localStorage.setItem(this.key, JSON.stringify(this.entries));
      else localStorage.removeItem(this.key);
    } catch {
      // no room in the browser's store: the entries are still in the page
    }
    this.dispatchEvent(new Event("change"));
  }

  // Sends what waits now, such as when the server is back.
  retry() {
    clearTimeout(this.timer);
    this.isWaiting = false;
    this.pump();
  }

  async pump() {
    if (this.isSending || this.isWaiting) return;
    this.isSending = true;
    while (this.entries.length && !this.isWaiting) await this.sendFirst();
    this.isSending = false;
    if (!this.entries.length) this.dispatchEvent(new Event("idle"));
  }

  async sendFirst() {
    const [entry] = this.entries;
    try {
      if (entry.uncertain) await this.ready();
      this.done(entry, await this.deliver(entry));
    } catch (error) {
      const faults = error.status >= 500 && error.status !== 503 ? (entry.faults = (entry.faults ?? 0) + 1) : 0;
      if (WAITING.has(error.status) || (faults > 0 && faults < SERVER_FAULTS)) this.wait(entry, error);
      else this.drop(entry, error);
    }
  }

  wait(entry, error) {
    entry.uncertain ||= error.status === 0;
    this.isWaiting = true;
    this.changed();
    this.timer = setTimeout(() => this.retry(), RETRY_SECONDS * 1000);
  }

  done(entry, answer) {
    this.entries.shift();
    const numbers = new Map(entry.temporary.map((number, i) => [number, answer.numbers?.[i]]));
    for (const [temporary, number] of numbers) this.numbers.set(temporary, number);
    if (numbers.size) for (const later of this.entries) renumber(later.body, numbers);
    this.changed();
    this.answered(entry, answer, numbers);
    this.settle(entry, answer);
  }

  // A refused entry; what was to change the items that it would have added cannot be done either.
  drop(entry, error) {
    this.entries.shift();
    const gone = new Set(entry.temporary);
    const dependent = this.entries.filter(({ body }) => changedNumbers(body).some((number) => gone.has(number)));
    this.entries = this.entries.filter((later) => !dependent.includes(later));
    this.changed();
    this.refused(entry, error);
    for (const each of [entry, ...dependent]) this.settle(each, null);
  }
}

const changedNumbers = ({ delete: removed = [], change = [] }) => [...removed, ...change.map(({ from }) => from)]
  .map(({ number }) => number);

function renumber({ delete: removed = [], change = [] }, numbers) {
  for (const item of [...removed, ...change.map(({ from }) => from)]) item.number = numbers.get(item.number) ?? item.number;
}

// Items and watched time of a recording, as they are once entries were answered.
export function withEntries({ items, covered }, entries) {
  if (!entries.length) return { items, covered };
  const byNumber = new Map(items.map((item) => [item.number, item]));
  let time = covered;
  for (const { what, body, temporary } of entries) {
    if (what === "watched") time = union(time, body.intervals);
    if (what !== "edit") continue;
    for (const { number } of body.delete) byNumber.delete(number);
    for (const { from: { number }, to } of body.change) if (byNumber.has(number)) byNumber.set(number, { ...to, number });
    body.add.forEach((item, i) => byNumber.set(temporary[i], { ...item, number: temporary[i] }));
    time = without(union(time, body.watched), body.unwatched);
  }
  return { items: [...byNumber.values()].sort((a, b) => a.start - b.start), covered: time };
}

// Whether the items of a recording show that an edit of unknown fate arrived; its numbers, or null.
export function arrivedNumbers({ body, known }, items) {
  const same = (a, b) => a.start === b.start && a.end === b.end && a.label === b.label && a.person === b.person;
  const byNumber = new Map(items.map((item) => [item.number, item]));
  if (body.delete.some(({ number }) => byNumber.has(number))) return null;
  if (!body.change.every(({ from, to }) => byNumber.has(from.number) && same(byNumber.get(from.number), to))) return null;
  const fresh = items.filter(({ number }) => number > known);
  const numbers = body.add.map((item) => {
    const at = fresh.findIndex((candidate) => same(candidate, item));
    return at < 0 ? null : fresh.splice(at, 1)[0].number;
  });
  return numbers.includes(null) ? null : numbers;
}

// ---- intervals: [[start, end]] in order, apart from each other -----------------------------------------------

export function union(left, right) {
  const joined = [];
  for (const [start, end] of [...left, ...right].sort((a, b) => a[0] - b[0])) {
    const last = joined.at(-1);
    if (last && start <= last[1] + 1e-6) last[1] = Math.max(last[1], end);
    else if (end > start) joined.push([start, end]);
  }
  return joined;
}

export function without(intervals, removed) {
  let rest = intervals;
  for (const [from, to] of removed) {
    rest = rest.flatMap(([start, end]) => [[start, Math.min(end, from)], [Math.max(start, to), end]]
      .filter(([a, b]) => b - a > 1e-6));
  }
  return rest;
}

// ---- pages that are open --------------------------------------------------------------------------------------

// Holds a lock for as long as the page is open; browsers that have no locks here do without.
function holdLock(name) {
  if (!navigator.locks) return Promise.resolve();
  return new Promise((held) => {
    navigator.locks.request(name, () => {
      held();
      return new Promise(() => {});
    });
  });
}

// Runs a task once no page holds the lock.
function whenUnlocked(name, task) {
  if (navigator.locks) navigator.locks.request(name, task);
  else task();
}
