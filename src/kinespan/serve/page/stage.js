// The stage: the skeleton, the video beside it, what was decided when the file was read.

export class Stage {
  constructor(root, page) {
    Object.assign(this, { root, page });
  }

  retheme() {}
}
