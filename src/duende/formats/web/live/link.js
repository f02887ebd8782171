// The connection to the server: messages, the moment of its sound on our clock, and coming back after a break.

const FIRST_PINGS = 6; // in quick succession, to know the offset of the clocks soon
const QUICK = 100; // milliseconds between them
const STEADY = 1500; // and between those that follow
const KEPT = 12; // pings of which the quickest tells the offset
const PATIENCE = [300, 3000]; // milliseconds until a new attempt, growing from the first to the second

export const seconds = () => performance.now() / 1000;

// When the server's sound is where: of several pings, the one that travelled least errs least (as in NTP).
export class ServerTime {
  constructor() {
    this.samples = [];
  }

  add(sent, received, moment) {
    this.samples.push({ trip: received - sent, offset: moment - (sent + received) / 2 });
    if (this.samples.length > KEPT) this.samples.shift();
    this.best = this.samples.reduce((best, sample) => (sample.trip < best.trip ? sample : best));
  }

  get known() {
    return Boolean(this.best);
  }

  // Seconds of the server's sound at `at` on our clock.
  moment(at = seconds()) {
    return at + this.best.offset;
  }
}

export class Link {
  // `on`: functions `hello`, `frames`, `status`, `end` and `lost`.
  constructor(on) {
    this.on = on;
    this.time = new ServerTime();
    this.wait = PATIENCE[0];
    this.open();
  }

  open() {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    this.socket = new WebSocket(`${scheme}://${location.host}/stream`);
    this.socket.binaryType = "arraybuffer";
    this.socket.addEventListener("open", () => this.greet());
    this.socket.addEventListener("message", ({ data }) => this.take(data));
    this.socket.addEventListener("close", () => this.lose());
  }

  greet() {
    this.wait = PATIENCE[0];
    this.time = new ServerTime();
    this.pings = 0;
    this.ping();
  }

  ping() {
    this.say({ ping: seconds() });
    this.pings += 1;
    this.timer = setTimeout(() => this.ping(), this.pings < FIRST_PINGS || !this.time.known ? QUICK : STEADY);
  }

  lose() {
    clearTimeout(this.timer);
    this.on.lost();
    setTimeout(() => this.open(), this.wait);
    this.wait = Math.min(this.wait * 1.6, PATIENCE[1]);
  }

  say(values) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(values));
  }

  take(data) {
    if (typeof data !== "string") return this.on.frames(data);
    const message = JSON.parse(data);
    if (message.kind !== "pong") return this.on[message.kind]?.(message);
    if (message.moment !== null) this.time.add(message.ping, seconds(), message.moment);
  }
}
