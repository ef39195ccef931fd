// The motion of a recording from the server: short ones as a whole; of long ones an overview at once, and all frames
// around the playhead as it moves. Drawing never waits: until its frames are here, the nearest of the overview is drawn.

import { clamp } from "../../viewer/dom.js";
import { WholeMotion } from "../../viewer/motion.js";
import { getBytes } from "./api.js";

const WHOLE_BYTES = 6e6; // recordings up to this size are loaded as a whole
const OVERVIEW_BYTES = 1.5e6;
const OVERVIEW_FRAMES = 8000;
const CHUNK_BYTES = 2.5e5;
const CACHE_BYTES = 6e7;
const LOADING_AT_ONCE = 2;

// The motion of a recording (see viewer/motion.js); onload() is called when frames arrived that were missing.
export async function openMotion(recording, onload) {
  const { id, motion: facts, skeleton } = recording;
  const frameBytes = facts.slots.length * (skeleton.joints * 6 + 1);
  const isWhole = facts.frames * frameBytes <= WHOLE_BYTES;
  const shown = Math.max(2, Math.min(OVERVIEW_FRAMES, Math.floor(OVERVIEW_BYTES / frameBytes)));
  const step = isWhole ? 1 : Math.ceil(facts.frames / shown);
  const packed = unpack(await getBytes(`recordings/${id}/motion`, { start: 0, stop: facts.frames, step }), facts,
    skeleton.joints);
  const positions = new Float32Array(packed.steps.length);
  for (let i = 0; i < positions.length; i++) positions[i] = packed.steps[i] * facts.unit + facts.origin[i % 3];
  const overview = new WholeMotion({ ...facts, fps: facts.fps / step, frames: packed.frames }, skeleton.joints, positions,
    packed.valid);
  if (!isWhole) return new StreamedMotion(id, facts, skeleton.joints, overview, step, onload);
  return Object.assign(overview, { ground: facts.ground, height: facts.height, width: facts.width });
}

// n x people x joints x 3 little-endian int16, then n x people bytes
function unpack(bytes, facts, joints) {
  const people = facts.slots.length;
  const frames = Math.floor(bytes.byteLength / (people * (joints * 6 + 1)));
  const values = frames * people * joints * 3;
  return { frames, steps: new Int16Array(bytes, 0, values), valid: new Uint8Array(bytes, values * 2, frames * people) };
}

class StreamedMotion {
  constructor(id, facts, joints, overview, step, onload) {
    const people = facts.slots.length;
    const chunkFrames = Math.max(32, Math.floor(CHUNK_BYTES / (people * (joints * 6 + 1))));
    Object.assign(this, {
      ...facts, id, joints, people, stride: people * joints * 3, overview, step, onload, chunkFrames,
      chunks: new Map(), loading: new Set(), failed: new Set(), wanted: [], lastFrame: 0,
    });
  }

  pose(frame) {
    const chunk = this.chunkOf(frame);
    if (!chunk) return this.overview.pose(this.overviewFrame(frame));
    const { stride, unit, origin } = this;
    const pose = new Float32Array(stride);
    const from = (frame - chunk.start) * stride;
    for (let i = 0; i < stride; i++) pose[i] = chunk.steps[from + i] * unit + origin[i % 3];
    return pose;
  }

  isSeen(frame, person) {
    const chunk = this.chunkOf(frame);
    if (!chunk) return this.overview.isSeen(this.overviewFrame(frame), person);
    return chunk.valid[(frame - chunk.start) * this.people + person] === 1;
  }

  lastSeen(frame, person) {
    const chunk = this.chunkOf(frame);
    let end = frame;
    if (chunk) {
      for (let at = frame; at >= chunk.start; at--) if (chunk.valid[(at - chunk.start) * this.people + person]) return at;
      end = chunk.start;
    }
    const index = this.overview.lastSeen(Math.floor(end / this.step), person);
    return index < 0 ? -1 : Math.min(frame, index * this.step);
  }

  centre(frame) {
    const at = clamp(frame / this.step, 0, this.overview.frames - 1);
    const [from, to] = [this.overview.centre(Math.floor(at)), this.overview.centre(Math.ceil(at))];
    const share = at - Math.floor(at);
    return [from[0] + (to[0] - from[0]) * share, from[1] + (to[1] - from[1]) * share];
  }

  // ---- frames around the playhead ----------------------------------------------------------------------------

  overviewFrame(frame) {
    return clamp(Math.round(frame / this.step), 0, this.overview.frames - 1);
  }

  chunkOf(frame) {
    return this.chunks.get(Math.floor(frame / this.chunkFrames));
  }

  // The frame that is shown; what is around it is loaded, first where it is going.
  moveTo(frame) {
    const index = Math.floor(frame / this.chunkFrames);
    const ahead = frame < this.lastFrame ? -1 : 1;
    this.lastFrame = frame;
    const chunk = this.chunks.get(index);
    if (chunk) { // the last one that was used is the last to go
      this.chunks.delete(index);
      this.chunks.set(index, chunk);
    }
    const last = Math.floor((this.frames - 1) / this.chunkFrames);
    const around = [index, index + ahead, index - ahead, index + 2 * ahead];
    this.wanted = around.filter((at) => at >= 0 && at <= last && !this.chunks.has(at) && !this.failed.has(at));
    this.load();
  }

  load() {
    while (this.loading.size < LOADING_AT_ONCE) {
      const index = this.wanted.find((at) => !this.loading.has(at));
      if (index === undefined) return;
      this.loading.add(index);
      this.fetch(index);
    }
  }

  async fetch(index) {
    const start = index * this.chunkFrames;
    try {
      const stop = Math.min(this.frames, start + this.chunkFrames);
      const bytes = await getBytes(`recordings/${this.id}/motion`, { start, stop, step: 1 });
      this.chunks.set(index, { start, bytes: bytes.byteLength, ...unpack(bytes, this, this.joints) });
      this.forgetOldest();
      if (index === Math.floor(this.lastFrame / this.chunkFrames)) this.onload();
    } catch {
      this.failed.add(index); // the overview is drawn instead; it is tried again after a while
      setTimeout(() => this.failed.delete(index), 3000);
    }
    this.loading.delete(index);
    this.wanted = this.wanted.filter((at) => at !== index);
    this.load();
  }

  forgetOldest() {
    let total = 0;
    for (const { bytes } of this.chunks.values()) total += bytes;
    for (const [index, { bytes }] of this.chunks) {
      if (total <= CACHE_BYTES) return;
      this.chunks.delete(index);
      total -= bytes;
    }
  }
}
