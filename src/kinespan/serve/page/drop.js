// Files that are dropped on the page.

export class DropTarget {
  constructor(root, page) {
    Object.assign(this, { root, page });
  }
}
