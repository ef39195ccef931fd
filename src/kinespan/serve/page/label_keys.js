// Which key stands for which label: the digits in the order of the labels, and what somebody gave a label in its place.
// The browser keeps it for each annotation set.

const DIGITS = [..."1234567890"];
const LETTERS = [..."dhjwyz"]; // those that no other key of the page has
export const LABEL_KEYS = [...DIGITS, ...LETTERS];

export class LabelKeys {
  constructor(store) {
    this.store = store;
  }

  get place() {
    return `kinespan-label-keys:${this.store.session?.corpus ?? ""}:${this.store.set}`;
  }

  // { name: key } of what was given by hand
  get given() {
    return JSON.parse(localStorage.getItem(this.place) ?? "{}");
  }

  // Gives a label a key, null for that of its place in the order. Another label that had it loses it.
  give(name, key) {
    const others = Object.entries(this.given).filter(([each, own]) => each !== name && own !== key);
    const all = key === null ? others : [...others, [name, key]];
    localStorage.setItem(this.place, JSON.stringify(Object.fromEntries(all)));
    this.store.tell("labels");
  }

  // The keys of all labels by index; "" where a label has none.
  all() {
    const { given, store } = this;
    const taken = new Set(store.labels.names.map((name) => given[name]).filter(Boolean));
    return store.labels.names.map((name, i) => given[name] ?? (i < DIGITS.length && !taken.has(DIGITS[i]) ? DIGITS[i] : ""));
  }

  // The index of a key's label; -1 where it has none.
  labelOf(key) {
    return this.all().indexOf(key);
  }
}
