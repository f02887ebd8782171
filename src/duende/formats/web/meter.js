// How long frames take: the last ones, in milliseconds.

const KEPT = 240;

export class Meter {
  constructor() {
    this.count = 0;
    this.last = 0;
    this.rows = { interval: new Float32Array(KEPT), script: new Float32Array(KEPT), drawing: new Float32Array(KEPT) };
  }

  // `began`, `posed`, `drawn`: when a frame's work began, its figures were posed, and it was handed to the GPU.
  add(began, posed, drawn) {
    const { rows, count } = this;
    const at = count % KEPT;
    rows.interval[at] = count ? began - this.last : 0;
    rows.script[at] = posed - began;
    rows.drawing[at] = drawn - posed;
    this.last = began;
    this.count += 1;
  }

  reset() {
    this.count = 0;
  }

  state() {
    const size = Math.min(this.count, KEPT);
    const result = { count: this.count };
    for (const [name, row] of Object.entries(this.rows)) {
      const values = row.subarray(0, size);
      result[name] = size ? { mean: values.reduce((sum, value) => sum + value, 0) / size, worst: Math.max(...values) } : null;
    }
    return result;
  }
}
