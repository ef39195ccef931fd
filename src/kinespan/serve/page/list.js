// The list of recordings.

export class RecordingList {
  constructor(root, page) {
    Object.assign(this, { root, page });
  }
}
