// Labels: the label set, with keys, colours and order.

export class LabelPanel {
  constructor(root, page) {
    Object.assign(this, { root, page });
  }
}
