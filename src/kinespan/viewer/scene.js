// The moving skeleton: a camera that turns around the people, and the drawing of bones on a canvas.

import { theme } from "./colours.js";
import { canvasPainter, clamp } from "./dom.js";

const GHOST_SECONDS = 1; // for how long an unseen person's last pose is kept as a ghost
const HEAD_RADIUS = 0.095; // metres
const FIELD = 1.9; // focal length in units of half the canvas height
const TRAIL_SECONDS = 1.5;
const TRAIL_POINTS = 45;
const CLICK_REACH = 4; // pixels that a pointer may move and still press, not drag
const PICK_REACH = 24; // pixels around a bone in which its person is pressed
const FADES = 5; // steps in which the lines of the ground fade out

// The canvas gets a "pick" event whose detail is the number of the person that was pressed.
export class Scene {
  constructor(canvas) {
    Object.assign(this, {
      canvas, motion: null, skeleton: null, frame: 0, follows: true, hasGround: true, trails: new Set(), chosen: null,
        isAlone: false, drawn: [],
    });
    this.paint = canvasPainter(canvas, (context, width, height) => this.draw(context, width, height));
    this.listen();
    this.retheme();
  }

  retheme() {
    this.colours = theme();
    this.paint();
  }

  // skeleton: bones [child, parent], sides of the joints, torso, head; motion as motion.js says
  show(motion, skeleton) {
    const { parents } = skeleton;
    const lone = [...parents.keys()].filter((joint) => parents[joint] < 0 && !parents.includes(joint) && joint !== skeleton.head);
    Object.assign(this, { motion, skeleton, lone, frame: 0, home: motion.centre(0), trails: new Set() });
    this.reset();
  }

  clear() {
    Object.assign(this, { motion: null, drawn: [] });
    this.paint();
  }

  // The number of the person that stands out, or null.
  setChosen(person) {
    this.chosen = person;
    this.paint();
  }

  // Whether only the chosen person is drawn.
  setAlone(isAlone) {
    this.isAlone = isAlone;
    this.paint();
  }

  // Whether the camera goes along with the people; else it stays where it is.
  setFollows(follows) {
    if (!follows && this.motion) this.home = this.motion.centre(this.frame);
    this.follows = follows;
    this.paint();
  }

  setGround(hasGround) {
    this.hasGround = hasGround;
    this.paint();
  }

  // joints: indices of those that leave a trail behind them
  setTrails(joints) {
    this.trails = new Set(joints);
    this.paint();
  }

  reset() {
    if (!this.motion) return;
    const { height, width } = this.motion;
    this.home = this.motion.centre(this.frame);
    this.yaw = this.motion.facing + 0.6;
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
    let pressed = null;
    const spread = () => {
      const [a, b] = [...pointers.values()];
      return Math.hypot(a.x - b.x, a.y - b.y);
    };
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
      pressed = pointers.size === 1 ? { x: event.clientX, y: event.clientY } : null;
    });
    canvas.addEventListener("pointermove", (event) => {
      const last = pointers.get(event.pointerId);
      if (!last) return;
      const before = pointers.size === 2 ? spread() : 0;
      pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
      if (before) this.zoom(before / Math.max(1, spread()));
      else this.turn((last.x - event.clientX) * 0.009, (event.clientY - last.y) * 0.006);
    });
    canvas.addEventListener("pointerup", (event) => {
      pointers.delete(event.pointerId);
      if (pressed && Math.hypot(event.clientX - pressed.x, event.clientY - pressed.y) <= CLICK_REACH) this.pick(event.offsetX,
        event.offsetY);
      pressed = null;
    });
    canvas.addEventListener("pointercancel", (event) => pointers.delete(event.pointerId));
    const onWheel = (event) => {
      event.preventDefault();
      this.zoom(Math.exp(clamp(event.deltaY, -120, 120) * 0.0016));
    };
    canvas.addEventListener("wheel", onWheel, { passive: false });
  }

  // Tells whose body is pressed, at x and y in CSS pixels; nothing where there is none, or only one to choose.
  pick(x, y) {
    if (!this.motion || this.motion.people < 2) return;
    const away = ({ joints }) => Math.min(...joints.map(({ at }) => Math.hypot(at[0] - x, at[1] - y)));
    const nearest = this.drawn.map((body) => [away(body), body.person]).sort((a, b) => a[0] - b[0])[0];
    if (!nearest || nearest[0] > PICK_REACH) return;
    this.canvas.dispatchEvent(new CustomEvent("pick", { detail: this.motion.slots[nearest[1]] }));
  }

  // ---- drawing -----------------------------------------------------------------------------------------------

  // The point on the ground, [x, z], that the camera looks at.
  get focus() {
    return this.follows ? this.motion.centre(this.frame) : this.home;
  }

  // A function from metres to [x, y, depth] in CSS pixels for the camera as it is now.
  projection(width, height) {
    const { ground, height: tall } = this.motion;
    const [[tx, tz], ty] = [this.focus, ground + tall * 0.5];
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
    if (!this.motion) return;
    const project = this.projection(width, height);
    context.lineCap = "round";
    context.lineJoin = "round";
    if (this.hasGround) this.drawGround(context, project);
    this.drawTrails(context, project);
    const bodies = this.bodies(project);
    this.drawn = bodies;
    if (this.hasGround) for (const body of bodies) this.drawShadow(context, body, project);
    bodies.sort((a, b) => b.depth - a.depth);
    for (const body of bodies) this.drawBody(context, body);
  }

  // Lines every half metre, each whole metre stronger, fading out around the people.
  drawGround(context, project) {
    const { ground, width } = this.motion;
    const isSmall = width < 0.25; // such as a hand
    const radius = isSmall ? 0.8 : Math.max(2.5, width * 2.5);
    const step = isSmall ? 0.1 : radius > 8 ? 1 : 0.5;
    const [cx, cz] = this.focus;
    const paths = Array.from({ length: 2 * FADES }, () => new Path2D()); // of each strength; few strokes are fast
    const [firstX, firstZ, lastX, lastZ] = [Math.ceil((cx - radius) / step), Math.ceil((cz - radius) / step),
      Math.floor((cx + radius) / step), Math.floor((cz + radius) / step)];
    const points = [];
    for (let i = firstX; i <= lastX; i++) for (let k = firstZ; k <= lastZ; k++) points.push(project(i * step, ground, k * step));
    const line = (i, k, di, dk) => {
      const away = Math.hypot((i + di / 2) * step - cx, (k + dk / 2) * step - cz) / radius;
      const index = (i - firstX) * (lastZ - firstZ + 1) + k - firstZ;
      const [from, to] = [points[index], points[index + di * (lastZ - firstZ + 1) + dk]];
      if (away >= 1 || from[2] < 0.1 || to[2] < 0.1) return;
      const isMetre = ((di ? k : i) * step) % 1 === 0;
      const path = paths[Math.floor(away * FADES) + (isMetre ? FADES : 0)];
      path.moveTo(from[0], from[1]);
      path.lineTo(to[0], to[1]);
    };
    for (let i = firstX; i <= lastX; i++) {
      for (let k = firstZ; k <= lastZ; k++) {
        if (k < lastZ) line(i, k, 0, 1);
        if (i < lastX) line(i, k, 1, 0);
      }
    }
    [context.strokeStyle, context.lineWidth] = [this.colours.ground, 1];
    paths.forEach((path, at) => {
      context.globalAlpha = (1 - ((at % FADES) + 0.5) / FADES) ** 1.3 * (at >= FADES ? 1 : 0.6);
      context.stroke(path);
    });
    context.globalAlpha = 1;
  }

  isDrawn(person) {
    return !this.isAlone || this.chosen === null || this.motion.slots[person] === this.chosen;
  }

  // The people of this frame: projected joints, and whether they are seen or ghosts.
  bodies(project) {
    const { motion } = this;
    const pose = motion.pose(this.frame);
    const bodies = [];
    for (let p = 0; p < motion.people; p++) {
      if (!this.isDrawn(p)) continue;
      const seen = motion.lastSeen(this.frame, p);
      const unseen = seen < 0 ? Infinity : (this.frame - seen) / motion.fps;
      if (unseen > GHOST_SECONDS) continue;
      const joints = [];
      for (let j = 0; j < motion.joints; j++) {
        const at = (p * motion.joints + j) * 3;
        const [x, y, z] = [pose[at], pose[at + 1], pose[at + 2]];
        joints.push({ x, y, z, at: project(x, y, z) });
      }
      const depth = joints.reduce((sum, joint) => sum + joint.at[2], 0) / joints.length;
      bodies.push({ person: p, joints, depth, ghost: unseen > 0 });
    }
    return bodies;
  }

  // The paths of the chosen joints in the last moments, thicker towards now.
  drawTrails(context, project) {
    const { motion, frame } = this;
    const hop = Math.max(1, Math.round((TRAIL_SECONDS * motion.fps) / TRAIL_POINTS));
    for (const joint of this.trails) {
      for (let p = 0; p < motion.people; p++) {
        if (!this.isDrawn(p)) continue;
        const at = (p * motion.joints + joint) * 3;
        context.strokeStyle = this.colourOf(p, this.skeleton.sides[joint]);
        let last = null;
        for (let k = TRAIL_POINTS; k >= 0; k--) {
          const back = frame - k * hop;
          if (back < 0 || !motion.isSeen(back, p)) {
            last = null;
            continue;
          }
          const pose = motion.pose(back);
          const point = project(pose[at], pose[at + 1], pose[at + 2]);
          if (last) {
            context.globalAlpha = 0.75 * (1 - k / (TRAIL_POINTS + 1));
            context.lineWidth = 1 + 3 * (1 - k / TRAIL_POINTS);
            context.beginPath();
            context.moveTo(last[0], last[1]);
            context.lineTo(point[0], point[1]);
            context.stroke();
          }
          last = point;
        }
      }
    }
    context.globalAlpha = 1;
  }

  drawShadow(context, { joints, ghost }, project) {
    const { ground } = this.motion;
    context.strokeStyle = this.colours.ground;
    context.globalAlpha = ghost ? 0.15 : 0.55;
    context.beginPath();
    for (const [child, parent] of this.skeleton.bones) {
      const [from, to] = [child, parent].map((j) => project(joints[j].x, ground, joints[j].z));
      context.moveTo(from[0], from[1]);
      context.lineTo(to[0], to[1]);
      context.lineWidth = clamp(0.06 * from[3], 1, 14);
    }
    context.stroke();
    context.globalAlpha = 1;
  }

  drawBody(context, body) {
    const { skeleton } = this;
    const { surface } = this.colours;
    const parts = skeleton.bones.map(([child, parent]) => this.bonePart(body, child, parent));
    parts.push(...this.lone.map((joint) => this.dotPart(body, joint)));
    if (skeleton.head >= 0) parts.push(this.headPart(body, skeleton.head));
    else if (this.motion.people > 1) parts.push(this.numberPart(body));
    const fades = this.chosen !== null && this.motion.slots[body.person] !== this.chosen;
    context.globalAlpha = body.ghost ? 0.28 : fades ? 0.4 : 1;
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
    const corners = this.skeleton.torso.map((landmark) => {
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
    const { sides } = this.skeleton;
    const [from, to] = [joints[parent].at, joints[child].at];
    const colour = this.colourOf(person, sides[child] || sides[parent]);
    const metres = Math.hypot(...["x", "y", "z"].map((axis) => joints[parent][axis] - joints[child][axis]));
    const thick = clamp(clamp(0.3 * metres, 0.009, 0.044) * ((from[3] + to[3]) / 2), 2, 22); // fingers are thin
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

  // A joint that no bone reaches, such as a marker.
  dotPart({ person, joints, ghost }, joint) {
    const [x, y, depth, scale] = joints[joint].at;
    const draw = (context) => {
      context.beginPath();
      context.arc(x, y, clamp(0.018 * scale, 2.5, 12), 0, 2 * Math.PI);
      context.fillStyle = this.colourOf(person, this.skeleton.sides[joint]);
      if (!ghost) context.fill();
    };
    return { depth, draw };
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
      if (this.motion.people < 2 || ghost) return;
      this.drawNumber(context, person, x, y + 1, clamp(HEAD_RADIUS * scale, 9, 30), rim);
    };
    return { depth: depth - HEAD_RADIUS, draw };
  }

  // The number of a person without a head, over the highest joint.
  numberPart({ person, joints, ghost }) {
    const top = joints.reduce((highest, joint) => (joint.at[1] < highest.at[1] ? joint : highest));
    const draw = (context) => {
      if (!ghost) this.drawNumber(context, person, top.at[0], top.at[1] - 14, 13, this.colourOf(person, 0));
    };
    return { depth: -Infinity, draw };
  }

  drawNumber(context, person, x, y, size, colour) {
    context.font = `600 ${size}px system-ui, sans-serif`;
    [context.textAlign, context.textBaseline, context.fillStyle] = ["center", "middle", colour];
    context.fillText(String(this.motion.slots[person]), x, y);
    context.textAlign = "start";
  }

  // Person slots that are not seen in this frame.
  unseen() {
    if (!this.motion) return [];
    return this.motion.slots.filter((_, p) => !this.motion.isSeen(this.frame, p));
  }
}
