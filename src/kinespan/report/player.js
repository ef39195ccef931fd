// The moving skeleton: a clock, a camera that turns around the people, and the drawing of bones on a canvas.

const GHOST_SECONDS = 1; // for how long an unseen person's last pose is kept as a ghost
const HEAD_RADIUS = 0.095; // metres
const FIELD = 1.9; // focal length in units of half the canvas height

// Time that runs. "time" is sent for each change, "state" when it starts, stops or changes its speed.
class Clock extends EventTarget {
  constructor() {
    super();
    Object.assign(this, { time: 0, duration: 0, speed: 1, playing: false, last: 0 });
    this.tick = this.tick.bind(this);
  }

  load(duration) {
    this.pause();
    this.duration = duration;
    this.seek(0);
  }

  seek(time) {
    this.time = clamp(time, 0, this.duration);
    this.dispatchEvent(new Event("time"));
  }

  play() {
    if (this.playing || !this.duration) return;
    if (this.time >= this.duration) this.seek(0);
    this.playing = true;
    this.last = performance.now();
    requestAnimationFrame(this.tick);
    this.dispatchEvent(new Event("state"));
  }

  pause() {
    if (!this.playing) return;
    this.playing = false;
    this.dispatchEvent(new Event("state"));
  }

  toggle() {
    if (this.playing) this.pause();
    else this.play();
  }

  setSpeed(speed) {
    this.speed = speed;
    this.dispatchEvent(new Event("state"));
  }

  tick(now) {
    if (!this.playing) return;
    const passed = Math.max(0, now - this.last) / 1000;
    this.last = now;
    this.seek(this.time + passed * this.speed);
    if (this.time >= this.duration) this.pause();
    else requestAnimationFrame(this.tick);
  }
}

// ---- the scene -----------------------------------------------------------------------------------------------

class Scene {
  constructor(canvas) {
    this.canvas = canvas;
    this.recording = null;
    this.frame = 0;
    this.paint = canvasPainter(canvas, (context, width, height) => this.draw(context, width, height));
    this.listen();
    this.retheme();
  }

  retheme() {
    this.colours = theme();
    this.paint();
  }

  show(recording) {
    this.recording = recording;
    this.survey = surveyMotion(recording.motion);
    this.lastSeen = lastSeenFrames(recording.motion);
    this.frame = 0;
    this.reset();
  }

  reset() {
    if (!this.recording) return;
    const { height, width } = this.survey;
    this.yaw = this.recording.motion.facing + 0.6;
    this.pitch = 0.2;
    this.distance = FIELD * Math.max(height * 0.66, width * 0.78) + width * 0.4;
    this.nearest = this.distance * 0.3;
    this.paint();
  }

  turn(yaw, pitch) {
    this.yaw += yaw;
    this.pitch = clamp(this.pitch + pitch, -0.05, 1.5);
    this.paint();
  }

  zoom(factor) {
    this.distance = clamp(this.distance * factor, this.nearest, this.nearest * 20);
    this.paint();
  }

  setFrame(frame) {
    this.frame = frame;
    this.paint();
  }

  // Drag with one pointer turns, two pointers pinch, the wheel zooms.
  listen() {
    const { canvas } = this;
    const pointers = new Map();
    const spread = () => {
      const [a, b] = [...pointers.values()];
      return Math.hypot(a.x - b.x, a.y - b.y);
    };
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    });
    canvas.addEventListener("pointermove", (event) => {
      const last = pointers.get(event.pointerId);
      if (!last) return;
      const before = pointers.size === 2 ? spread() : 0;
      pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
      if (before) this.zoom(before / Math.max(1, spread()));
      else this.turn((last.x - event.clientX) * 0.009, (event.clientY - last.y) * 0.006);
    });
    for (const name of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(name, (event) => pointers.delete(event.pointerId));
    }
    const onWheel = (event) => {
      event.preventDefault();
      this.zoom(Math.exp(clamp(event.deltaY, -120, 120) * 0.0016));
    };
    canvas.addEventListener("wheel", onWheel, { passive: false });
  }

  // ---- drawing -----------------------------------------------------------------------------------------------

  // A function from metres to [x, y, depth] in CSS pixels for the camera as it is now.
  projection(width, height) {
    const { path, ground, height: tall } = this.survey;
    const [tx, ty, tz] = [path[this.frame * 2], ground + tall * 0.5, path[this.frame * 2 + 1]];
    const [sy, cy, sp, cp] = [Math.sin(this.yaw), Math.cos(this.yaw), Math.sin(this.pitch), Math.cos(this.pitch)];
    const focal = (Math.min(height, width * 1.1) / 2) * FIELD;
    return (x, y, z) => {
      const [dx, dy, dz] = [x - tx, y - ty, z - tz];
      const side = dx * cy - dz * sy;
      const front = dx * sy + dz * cy;
      const depth = this.distance - (dy * sp + front * cp);
      const scale = focal / Math.max(depth, 0.05);
      return [width / 2 + side * scale, height * 0.48 - (dy * cp - front * sp) * scale, depth, scale];
    };
  }

  draw(context, width, height) {
    if (!this.recording) return;
    const project = this.projection(width, height);
    context.lineCap = "round";
    context.lineJoin = "round";
    this.drawGround(context, project);
    const bodies = this.bodies(project);
    for (const body of bodies) this.drawShadow(context, body, project);
    bodies.sort((a, b) => b.depth - a.depth);
    for (const body of bodies) this.drawBody(context, body);
  }

  // Lines every half metre, each whole metre stronger, fading out around the people.
  drawGround(context, project) {
    const { path, ground, width } = this.survey;
    const radius = Math.max(2.5, width * 2.5);
    const step = radius > 8 ? 1 : 0.5;
    const [cx, cz] = [path[this.frame * 2], path[this.frame * 2 + 1]];
    context.strokeStyle = this.colours.ground;
    const stroke = (x1, z1, x2, z2, strong) => {
      const away = Math.hypot((x1 + x2) / 2 - cx, (z1 + z2) / 2 - cz) / radius;
      if (away >= 1) return;
      const [from, to] = [project(x1, ground, z1), project(x2, ground, z2)];
      if (Math.min(from[2], to[2]) < 0.1) return;
      context.globalAlpha = (1 - away) ** 1.3 * (strong ? 1 : 0.6);
      context.beginPath();
      context.moveTo(from[0], from[1]);
      context.lineTo(to[0], to[1]);
      context.stroke();
    };
    context.lineWidth = 1;
    const first = (centre) => Math.ceil((centre - radius) / step);
    const last = (centre) => Math.floor((centre + radius) / step);
    for (let i = first(cx); i <= last(cx); i++) {
      for (let k = first(cz); k < last(cz); k++) stroke(i * step, k * step, i * step, (k + 1) * step, (i * step) % 1 === 0);
    }
    for (let k = first(cz); k <= last(cz); k++) {
      for (let i = first(cx); i < last(cx); i++) stroke(i * step, k * step, (i + 1) * step, k * step, (k * step) % 1 === 0);
    }
    context.globalAlpha = 1;
  }

  // The people of this frame: projected joints, and whether they are seen or ghosts.
  bodies(project) {
    const { motion } = this.recording;
    const bodies = [];
    for (let p = 0; p < motion.people; p++) {
      const seen = this.lastSeen[this.frame * motion.people + p];
      const unseen = seen < 0 ? Infinity : (this.frame - seen) / motion.fps;
      if (unseen > GHOST_SECONDS) continue;
      const offset = this.frame * motion.stride + p * motion.joints * 3;
      const joints = [];
      for (let j = 0; j < motion.joints; j++) {
        const [x, y, z] = motion.positions.subarray(offset + j * 3, offset + j * 3 + 3);
        joints.push({ x, y, z, at: project(x, y, z) });
      }
      const depth = joints.reduce((sum, joint) => sum + joint.at[2], 0) / joints.length;
      bodies.push({ person: p, joints, depth, ghost: unseen > 0 });
    }
    return bodies;
  }

  drawShadow(context, { joints, ghost }, project) {
    const { ground } = this.survey;
    context.strokeStyle = this.colours.ground;
    context.globalAlpha = ghost ? 0.15 : 0.55;
    context.beginPath();
    for (const [child, parent] of this.recording.skeleton.bones) {
      const [from, to] = [child, parent].map((j) => project(joints[j].x, ground, joints[j].z));
      context.moveTo(from[0], from[1]);
      context.lineTo(to[0], to[1]);
      context.lineWidth = clamp(0.06 * from[3], 1, 14);
    }
    context.stroke();
    context.globalAlpha = 1;
  }

  drawBody(context, body) {
    const { skeleton } = this.recording;
    const { surface } = this.colours;
    const parts = skeleton.bones.map(([child, parent]) => this.bonePart(body, child, parent));
    if (skeleton.head >= 0) parts.push(this.headPart(body, skeleton.head));
    context.globalAlpha = body.ghost ? 0.28 : 1;
    context.setLineDash(body.ghost ? [5, 7] : []);
    this.drawTorso(context, body);
    for (const part of parts.sort((a, b) => b.depth - a.depth)) part.draw(context, surface);
    context.setLineDash([]);
    context.globalAlpha = 1;
  }

  colourOf(person, side) {
    const { left, right, middle, other } = this.colours;
    if (side < 0) return left;
    if (side > 0) return right;
    return person % 2 ? other : middle;
  }

  drawTorso(context, { person, joints, ghost }) {
    const corners = this.recording.skeleton.torso.map((landmark) => {
      const sum = landmark.reduce(([x, y], j) => [x + joints[j].at[0], y + joints[j].at[1]], [0, 0]);
      return sum.map((value) => value / landmark.length);
    });
    context.save();
    context.fillStyle = this.colourOf(person, 0);
    context.globalAlpha = ghost ? 0.04 : 0.1;
    context.beginPath();
    corners.forEach(([x, y], i) => (i ? context.lineTo(x, y) : context.moveTo(x, y)));
    context.fill();
    context.restore();
  }

  // A bone: a thick line with a rim in the page's colour, so that what is in front stands off.
  bonePart({ person, joints, ghost }, child, parent) {
    const { sides } = this.recording.skeleton;
    const [from, to] = [joints[parent].at, joints[child].at];
    const colour = this.colourOf(person, sides[child] || sides[parent]);
    const metres = Math.hypot(...["x", "y", "z"].map((axis) => joints[parent][axis] - joints[child][axis]));
    const thick = clamp(clamp(0.45 * metres, 0.014, 0.044) * ((from[3] + to[3]) / 2), 2, 22); // fingers are thin
    const draw = (context, rim) => {
      context.beginPath();
      context.moveTo(from[0], from[1]);
      context.lineTo(to[0], to[1]);
      if (!ghost) {
        context.lineCap = "butt"; // a round rim would cut into the bone before
        context.strokeStyle = rim;
        context.lineWidth = thick + 3;
        context.stroke();
        context.lineCap = "round";
      }
      context.strokeStyle = colour;
      context.lineWidth = ghost ? 2 : thick;
      context.stroke();
    };
    return { depth: (from[2] + to[2]) / 2, draw };
  }

  headPart({ person, joints, ghost }, joint) {
    const [x, y, depth, scale] = joints[joint].at;
    const draw = (context, rim) => {
      context.beginPath();
      context.arc(x, y, clamp(HEAD_RADIUS * scale, 3, 60), 0, 2 * Math.PI);
      context.fillStyle = ghost ? "transparent" : this.colourOf(person, 0);
      context.fill();
      context.strokeStyle = ghost ? this.colourOf(person, 0) : rim;
      context.lineWidth = 1.5;
      context.stroke();
      if (this.recording.motion.people < 2 || ghost) return;
      context.font = `600 ${clamp(HEAD_RADIUS * scale, 9, 30)}px system-ui, sans-serif`;
      [context.textAlign, context.textBaseline, context.fillStyle] = ["center", "middle", rim];
      context.fillText(String(this.recording.motion.slots[person]), x, y + 1);
      context.textAlign = "start";
    };
    return { depth: depth - HEAD_RADIUS, draw };
  }

  // Person slots that are not seen in this frame.
  unseen() {
    const { motion } = this.recording;
    return motion.slots.filter((_, p) => !motion.valid[this.frame * motion.people + p]);
  }
}
