// A job as a card: stage, how far it is, time left, loss, and what can be done with it.

import { curveChart } from "../../viewer/charts.js";
import { clockText, el, isNumber } from "../../viewer/dom.js";
import { getJson, postJson } from "./api.js";

const LOG_SECONDS = 2; // between two looks at the log of a running job
const KINDS = {
  finetune: "Training", learn: "Learning from all recordings", predict: "Predicting", embed: "Preparing the search for moments",
};
const STATES = {
  waiting: "waits", running: "runs", done: "done", failed: "failed", cancelled: "cancelled",
  stopped: "stopped with the server",
};

export const isOpen = (job) => job.state === "waiting" || job.state === "running";

// 80 s -> "1:20 min"
const spanText = (seconds) => (seconds < 60 ? `${Math.round(seconds)} s` : `${clockText(seconds, 0)} min`);

function standing(job) {
  if (job.state === "waiting") return "waits for the job before it";
  if (job.state === "running") {
    const left = job.done > 0 && job.total > job.done ? (job.seconds * (job.total - job.done)) / job.done : null;
    const times = [`${spanText(job.seconds)} so far`, left !== null && job.seconds > 1 ? `about ${spanText(left)} left` : null];
    return times.filter(Boolean).join(" · ");
  }
  const after = job.seconds >= 1 ? `, after ${spanText(job.seconds)}` : "";
  return `${STATES[job.state] ?? job.state}${after}`;
}

export class JobCard {
  // isBrief: without loss curve and log, for where the job is not the matter
  constructor(store, { isBrief = false } = {}) {
    Object.assign(this, { store, isBrief, job: null, charts: [], lookedAt: 0 });
    this.title = el("b", {});
    this.about = el("p", { class: "hint", dir: "auto" });
    this.bar = el("progress", { max: "1" });
    this.stage = el("span", { dir: "auto" });
    this.standing = el("span", {});
    this.error = el("p", { class: "job-error", role: "alert", dir: "auto", hidden: true });
    this.cancelButton = el("button", { type: "button", class: "ghost", onclick: () => this.ask("cancel") }, "Cancel");
    this.resumeButton = el("button", { type: "button", onclick: () => this.ask("resume") }, "Resume");
    this.curves = el("div", { class: "job-curves" });
    this.lines = el("pre", { class: "job-log", tabindex: "0" });
    this.log = el("details", { ontoggle: () => this.showLog(true) }, el("summary", {}, "Log"), this.lines);
    this.node = el("article", { class: "job", hidden: true },
      el("div", { class: "job-head" }, this.title, this.cancelButton, this.resumeButton), this.about, this.bar,
      el("div", { class: "job-standing" }, this.stage, this.standing), this.error,
      ...(isBrief ? [] : [this.curves, this.log]));
  }

  show(job) {
    const isOther = job.number !== this.job?.number;
    const hasEnded = !isOther && isOpen(this.job) && !isOpen(job);
    this.job = job;
    this.node.hidden = false;
    this.node.dataset.state = job.state;
    this.node.dataset.number = job.number;
    this.title.textContent = `${KINDS[job.kind] ?? job.kind} `;
    this.about.textContent = job.about ?? "";
    this.about.hidden = !job.about;
    this.bar.hidden = !isOpen(job);
    this.bar.setAttribute("aria-label", `${this.title.textContent}: ${job.stage || "progress"}`);
    if (job.state === "running" && !job.total) this.bar.removeAttribute("value");
    else this.bar.value = job.total ? job.done / job.total : 0;
    const steps = job.state === "running" && job.total ? ` ${job.done} of ${job.total}` : "";
    const loss = isNumber(job.loss) ? ` · loss ${Number(job.loss.toPrecision(3))}` : "";
    this.stage.textContent = isOpen(job) ? `${job.stage ?? ""}${steps}${loss}` : "";
    this.standing.textContent = standing(job);
    this.error.hidden = !job.error;
    this.error.textContent = job.error ?? "";
    this.cancelButton.hidden = !isOpen(job);
    this.resumeButton.hidden = isOpen(job) || !job.resumable;
    if (!this.isBrief) this.showLog(isOther || hasEnded);
    return this;
  }

  // Curves show while a job is under way; of one that is over they come with its log.
  showLog(isForced) {
    const isShown = isOpen(this.job) || this.log.open;
    this.curves.hidden = !isShown;
    if (isShown) this.loadLog(isForced);
  }

  ask(what) {
    return this.store.attempt(async () => this.store.onJob(await postJson(`jobs/${this.job.number}/${what}`, {})));
  }

  // The loss curve and the last lines of the log; looked for again every few seconds while the job runs.
  async loadLog(isForced) {
    const { job } = this;
    const isDue = isOpen(job) ? performance.now() - this.lookedAt > LOG_SECONDS * 1000 : false;
    if (job.state === "waiting" || !(isForced || isDue)) return;
    this.lookedAt = performance.now();
    try {
      const { lines, curves } = await getJson(`jobs/${job.number}/log`);
      if (job.number !== this.job.number) return;
      this.lines.textContent = lines.length ? lines.join("\n") : "The log is empty so far.";
      this.showCurves(curves ?? {});
    } catch (error) {
      this.lines.textContent = error.message;
    }
  }

  // The loss first, then what else was measured.
  showCurves(curves) {
    const drawn = Object.entries(curves).filter(([, points]) => points.length > 1);
    drawn.sort(([a], [b]) => Number(b.includes("loss")) - Number(a.includes("loss")));
    this.charts = drawn.map(([name, points]) => curveChart(name.replaceAll("_", " "), points));
    this.curves.replaceChildren(...this.charts.map(({ node }) => node));
  }
}
