// The keys of the page, and the dialog that lists them.

export class Keys {
  constructor(page) {
    Object.assign(this, { page });
  }
}
