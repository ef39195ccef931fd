// Motion as a scene draws it, and what is known of it before: ground, the camera's path, reach, who is seen when.
//
// A motion has: fps, frames, people, joints, stride (= people x joints x 3), slots (the number of each person),
// facing (radians); ground, height, width (metres); pose(frame) -> Float32Array(stride) in metres;
// isSeen(frame, person); lastSeen(frame, person) -> the last frame up to it in which the person was seen, or -1;
// centre(frame) -> [x, z], where the camera looks.

async function inflate(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).arrayBuffer();
}

// The time of the first frame in which anybody is seen: where a recording is opened.
export const firstTime = ({ first, fps }) => (first > 0 ? (first + 0.5) / fps : 0);

// Scores of labels by frame: { fps, frames, columns, levels }, a byte each; column 0 is background.
export async function unpackScores(scores) {
  return scores && { ...scores, levels: new Uint8Array(await inflate(scores.levels)) };
}

// A motion that is in memory as a whole.
export class WholeMotion {
  // facts: fps, frames, slots, facing; positions Float32Array (frames x stride); valid Uint8Array (frames x people)
  constructor(facts, joints, positions, valid) {
    const people = facts.slots.length;
    Object.assign(this, { ...facts, people, joints, stride: people * joints * 3, positions, valid });
    const { path, ...survey } = surveyMotion(this);
    Object.assign(this, survey, { path, seen: lastSeenFrames(this) });
  }

  // From differences of int16 steps, deflated, base64; Int16Array wraps around as the writer did.
  static async unpack(packed, joints) {
    const steps = new Int16Array(await inflate(packed.steps));
    const stride = packed.slots.length * joints * 3;
    for (let i = stride; i < steps.length; i++) steps[i] += steps[i - stride];
    const positions = new Float32Array(steps.length);
    for (let i = 0; i < steps.length; i++) positions[i] = steps[i] * packed.unit + packed.origin[i % 3];
    return new WholeMotion(packed, joints, positions, new Uint8Array(await inflate(packed.valid)));
  }

  pose(frame) {
    return this.positions.subarray(frame * this.stride, (frame + 1) * this.stride);
  }

  isSeen(frame, person) {
    return this.valid[frame * this.people + person] === 1;
  }

  lastSeen(frame, person) {
    return this.seen[frame * this.people + person];
  }

  centre(frame) {
    return [this.path[frame * 2], this.path[frame * 2 + 1]];
  }
}

// Ground height, the path (frames x 2) that the camera follows, and how far from it the bodies reach.
export function surveyMotion(motion) {
  const { frames, people, joints, stride, positions, valid } = motion;
  const path = new Float32Array(frames * 2);
  const lows = [];
  let last = null;
  for (let t = 0; t < frames; t++) {
    let [x, z, count, low] = [0, 0, 0, Infinity];
    for (let p = 0; p < people; p++) {
      if (!valid[t * people + p]) continue;
      for (let j = 0; j < joints; j++) {
        const at = t * stride + (p * joints + j) * 3;
        x += positions[at];
        z += positions[at + 2];
        low = Math.min(low, positions[at + 1]);
        count++;
      }
    }
    if (count) {
      if (!last) for (let before = 0; before < t; before++) path.set([x / count, z / count], before * 2);
      last = [x / count, z / count];
      lows.push(low);
    }
    if (last) path.set(last, t * 2);
  }
  lows.sort((a, b) => a - b);
  const ground = lows.length ? lows[Math.floor(lows.length * 0.05)] : 0;
  return { ground, path: smoothed(path, Math.round(motion.fps)), ...reachOf(motion, path, ground) };
}

// The path averaged over 2 * radius + 1 frames, by running sums.
function smoothed(path, radius) {
  const frames = path.length / 2;
  const result = new Float32Array(path.length);
  for (const axis of [0, 1]) {
    const sums = new Float64Array(frames + 1);
    for (let t = 0; t < frames; t++) sums[t + 1] = sums[t] + path[t * 2 + axis];
    for (let t = 0; t < frames; t++) {
      const [from, to] = [Math.max(0, t - radius), Math.min(frames, t + radius + 1)];
      result[t * 2 + axis] = (sums[to] - sums[from]) / (to - from);
    }
  }
  return result;
}

// Height above the ground and distance from the path that 98 % of the joints keep.
function reachOf(motion, path, ground) {
  const { frames, people, joints, stride, positions, valid } = motion;
  const [heights, widths] = [[], []];
  const hop = Math.max(1, Math.floor(frames / 500));
  for (let t = 0; t < frames; t += hop) {
    for (let k = 0; k < people * joints; k++) {
      if (!valid[t * people + Math.floor(k / joints)]) continue;
      const at = t * stride + k * 3;
      heights.push(positions[at + 1] - ground);
      widths.push(Math.hypot(positions[at] - path[t * 2], positions[at + 2] - path[t * 2 + 1]));
    }
  }
  const most = (values, least) => {
    values.sort((a, b) => a - b);
    return Math.max(least, values.length ? values[Math.floor((values.length - 1) * 0.98)] : 0);
  };
  return { height: most(heights, 0.2), width: most(widths, 0.12) };
}

// For each frame and person, the last frame up to it in which the person was seen; -1 before the first.
function lastSeenFrames({ frames, people, valid }) {
  const seen = new Int32Array(frames * people).fill(-1);
  for (let t = 0; t < frames; t++) {
    for (let p = 0; p < people; p++) {
      const at = t * people + p;
      if (valid[at]) seen[at] = t;
      else if (t) seen[at] = seen[at - people];
    }
  }
  return seen;
}
