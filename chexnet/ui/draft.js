// What a reader has said of a case and not recorded yet. It outlives every redraw, undo and all.

const NOT = "not_assessed";

class Draft {
  constructor(said) {
    const { findings = {}, boxes = [], note = "" } = said ?? {};
    Object.assign(this, { findings: { ...findings }, boxes: [...boxes], note });
    this.steps = []; // What each change replaced.
    this.first = note;
    this.changed = () => {}; // Who shows it says what to do.
    this.began = () => {}; // Called once, before the first change.
  }

  /** Say once that the reader is at it. */
  begin() {
    this.began();
    this.began = () => {};
  }

  write(note) {
    this.begin();
    this.note = note;
  }

  change(values) {
    this.begin();
    this.steps.push({ findings: this.findings, boxes: this.boxes });
    Object.assign(this, values);
    this.changed();
  }

  /** Whether there is something that was not recorded. */
  get open() {
    return this.steps.length > 0 || this.note !== this.first;
  }

  /** Take the last change back; return the first label whose finding it was of, if any. */
  undo() {
    if (!this.steps.length) return null;
    const undone = this.findings;
    Object.assign(this, this.steps.pop());
    this.changed();
    return Object.keys(undone).find((label) => undone[label] !== this.findings[label]) ?? null;
  }

  of(label) {
    return this.findings[label] ?? NOT;
  }

  mark(labels, value) {
    this.change({ findings: { ...this.findings, ...Object.fromEntries(labels.map((label) => [label, value])) } });
  }

  /** Take the boxes; a finding that has its first is present, if nothing else was said of it. */
  outline(boxes) {
    const found = boxes.map(({ label }) => label).filter((label) => this.of(label) === NOT && !this.boxes.some((box) => box.label === label));
    this.change({ boxes, findings: { ...this.findings, ...Object.fromEntries(found.map((label) => [label, "present"])) } });
  }

  /** Return what is recorded. */
  said() {
    return { findings: { ...this.findings }, boxes: this.boxes, note: this.note.trim() };
  }
}
