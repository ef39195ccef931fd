// Train: jobs, models and what they learned.

export class TrainPanel {
  constructor(root, page) {
    Object.assign(this, { root, page });
  }
}
