// Hands on the timeline: makes, moves, splits and deletes spans, events and point labels.

export class Editor {
  constructor(page) {
    Object.assign(this, { page });
  }

  // The rows of the timeline that can be edited.
  rows() {
    return [];
  }
}
