// Find which word is spoken when, as overlapped_words/inference/events.py and listening.py do.
import { join } from "./audio.js";

const BATCH = 16; // windows

// Apply a rule to consecutive windows.
class Detector {
  constructor(rule) {
    this.rule = rule;
    this.recent = []; // windows {start, end, presence}, in seconds
    this.ready = rule.threshold.map(() => true); // to be an event
    this.last = rule.threshold.map(() => -Infinity); // end of the window of the last event
  }

  // Add the next window -> the events in it, {start, end, word, probability}; `word` is an index.
  push(window) {
    const { windows, threshold, refractory, release } = this.rule;
    this.recent = [...this.recent, window].slice(-windows);
    if (this.recent.length < windows) return [];
    return threshold.flatMap((least, word) => {
      const probs = this.recent.map(({ presence }) => presence[word]);
      const score = Math.min(...probs);
      if (score < release * least && window.end - this.last[word] >= refractory) this.ready[word] = true;
      if (!this.ready[word] || score < least) return [];
      [this.ready[word], this.last[word]] = [false, window.end];
      return { start: window.start, end: this.recent[0].end, word, probability: Math.max(...probs) };
    });
  }
}

// Blocks of a waveform -> after each batch of windows, the events in it and how many seconds have been listened to.
// `predict` takes windows and returns the presence of each word in each of them.
export async function* detect(blocks, predict, { sample_rate: rate, num_samples: size, events: rule }) {
  const detector = new Detector(rule);
  const hop = Math.round(rule.hop * rate);
  const padding = Math.floor((size - 1) / hop) * hop; // silence before and after, so that windows begin and end there
  let buffer = new Float32Array(padding);
  let [start, length] = [-padding, 0]; // of the buffer in the waveform; of the waveform so far
  async function* complete() { // the windows that the buffer has
    while (buffer.length >= size) {
      const starts = [];
      for (let at = 0; at + size <= buffer.length && starts.length < BATCH; at += hop) starts.push(at);
      const presences = await predict(starts.map((at) => buffer.subarray(at, at + size)));
      const windows = starts.map((at, i) => ({ start: (start + at) / rate, end: (start + at + size) / rate, presence: presences[i] }));
      const limit = (event) => ({ ...event, start: Math.max(0, event.start), end: Math.min(length / rate, event.end) });
      const events = windows.flatMap((window) => detector.push(window)).map(limit);
      buffer = buffer.subarray(starts.length * hop);
      start += starts.length * hop;
      yield { events, seconds: Math.min(length / rate, windows.at(-1).end) };
    }
  }
  for await (const block of blocks) {
    buffer = join([buffer, block]);
    length += block.length;
    yield* complete();
  }
  const last = Math.floor((padding + length - 1) / hop) * hop; // the start of the last window that has a sample
  buffer = join([buffer, new Float32Array(last + size - padding - length)]);
  yield* complete();
}
