// What a reader has said of a case and not recorded yet. It outlives every redraw, undo and all.

const NOT = "not_assessed";

class Draft {
  constructor(said) {
    const { findings = {}, boxes = [], note = "" } = said ?? {};
    Object.assign(this, { findings: { ...findings }, boxes: [...boxes], note });
    this.steps = []; // What each change replaced.
    this.first = note;
    this.changed = () => {}; // Who shows it says what to do.
  }

  change(values) {
    this.steps.push({ findings: this.findings, boxes: this.boxes });
    Object.assign(this, values);
    this.changed();
  }

  /** Whether there is something that was not recorded. */
  get open() {
    return this.steps.length > 0 || this.note !== this.first;
  }

  undo() {
    if (!this.steps.length) return;
    Object.assign(this, this.steps.pop());
    this.changed();
  }

  of(label) {
    return this.findings[label] ?? NOT;
  }

  mark(labels, value) {
    this.change({ findings: { ...this.findings, ...Object.fromEntries(labels.map((label) => [label, value])) } });
  }

  /** Return what is recorded. */
  said() {
    return { findings: { ...this.findings }, boxes: this.boxes, note: this.note.trim() };
  }
}
