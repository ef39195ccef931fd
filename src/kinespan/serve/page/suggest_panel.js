// Suggest: drafts of the loaded model, what to label next, moments like the selected one.

export class SuggestPanel {
  constructor(root, page) {
    Object.assign(this, { root, page });
  }
}
