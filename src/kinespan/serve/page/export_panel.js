// Export: labels in the formats of other programs, and the report.

export class ExportPanel {
  constructor(root, page) {
    Object.assign(this, { root, page });
  }
}
