// Compare: how far two annotation sets agree, and where they differ.

export class ComparePanel {
  constructor(root, page) {
    Object.assign(this, { root, page });
  }
}
