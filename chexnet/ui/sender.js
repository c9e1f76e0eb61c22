// Files on their way to the kernel, a few at once, in pieces that are acknowledged one by one.

const PIECE = 1 << 20; // Bytes a message: well below any websocket limit of a Jupyter server.
const AT_ONCE = 2; // Files under way from this page: the kernel holds no more than these.

/** Sends files. The kernel acknowledges the last piece of one when the gateway has answered. */
class Sender {
  constructor(model, changed) {
    this.model = model;
    this.changed = changed; // Called when a file was added or is done.
    this.queue = [];
    this.waiting = new Map(); // What goes on when the kernel has answered, by file.
    this.workers = 0;
    this.added = 0; // Since nothing was under way.
    this.closed = false;
    this.hear = (message) => {
      if (message.type === "ack") this.waiting.get(message.id)?.(message.go);
    };
    model.on("msg:custom", this.hear);
  }

  /** How many files are not sent yet. */
  get left() {
    return this.queue.length + this.workers;
  }

  add(files, patient) {
    const idle = !this.left;
    if (idle) this.added = 0;
    this.added += files.length;
    files.forEach((file, at) => this.queue.push([file, patient, idle && at === 0]));
    while (this.workers < AT_ONCE && this.queue.length) this.work();
    this.changed();
  }

  /** Give up: the page closes, or its view. */
  close() {
    this.closed = true;
    this.queue = [];
    for (const id of this.waiting.keys()) this.abandon(id, "Received: a part, and its page was closed.");
    this.model.off("msg:custom", this.hear);
  }

  async work() {
    this.workers += 1;
    while (this.queue.length) {
      await this.send(...this.queue.shift());
      this.changed();
    }
    this.workers -= 1;
    this.changed();
  }

  /** Send a file; the `first` of many is shown, the others leave the reader alone. */
  async send(file, patient, first) {
    const id = [...crypto.getRandomValues(new Uint8Array(12))].map((b) => b.toString(16).padStart(2, "0")).join("");
    NAMES.set(id, file.name);
    const begin = { type: "begin", id, size: file.size, patient, first };
    let at = 0;
    try {
      for (let go = true; go && (at === 0 || at < file.size); at += PIECE) {
        const piece = await file.slice(at, at + PIECE).arrayBuffer();
        if (this.closed) return;
        go = await this.ask(at === 0 ? begin : { type: "piece", id }, piece);
      }
    } catch (error) { // Its disk was taken out, or it was changed meanwhile.
      if (at === 0) this.model.send(begin);
      this.abandon(id, `Received: one that the browser can no longer read (${error.name}).`);
    } finally {
      this.waiting.delete(id);
    }
  }

  abandon(id, why) {
    this.model.send({ type: "abandon", id, why });
  }

  ask(message, piece) {
    return new Promise((resolve) => {
      this.waiting.set(message.id, resolve);
      this.model.send(message, undefined, piece.byteLength ? [piece] : []);
    });
  }
}
