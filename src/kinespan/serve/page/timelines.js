// The rows under the stage: annotation sets, drafts, predictions, curves of joints, frame scores.

export class Timelines {
  constructor(root, page) {
    Object.assign(this, { root, page });
  }
}
