// The bar at the top: title, annotation set, author, model, undo and redo.

export class Topbar {
  constructor(root, page) {
    Object.assign(this, { root, page });
  }
}
