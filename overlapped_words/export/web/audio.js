// Turn recordings into the network's input, as predict.py does (datamodules/recordings.py, waveforms.py).

const CANCELED = 0.01; // two channels have opposite phase if their mean has less than this share of the louder's energy
const ZERO_CROSSINGS = 6; // of the resampling filter, and its roll-off: the defaults of torchaudio
const ROLLOFF = 0.99;
const CONTEXT = 0.02; // seconds that the filter extends at most
const OPUS_RATE = 48000; // Hz
const MP3_RATES = [44100, 48000, 32000]; // Hz, of MPEG 1
const UNKNOWN_SIZE = 0x7fff0000; // bytes; programs that write a WAV to a pipe give a size near 2^31 or 2^32
const MISSING = 0.006; // seconds by which a file may be shorter than its header says: WAV sizes may count the header

// The content of a file (an ArrayBuffer) -> {channels, rate, isTruncated}. Not resampled if its header tells a rate that
// the browser decodes at.
export async function decode(content) {
  const { rate, frames } = readHeader(new DataView(content));
  const audio = await decoder(rate).decodeAudioData(content);
  const channels = Array.from({ length: audio.numberOfChannels }, (_, i) => symmetric(audio.getChannelData(i)));
  return { channels, rate: audio.sampleRate, isTruncated: audio.duration < frames / rate - MISSING };
}

// Chromium divides positive samples of 8 and 16 bits by 127 and 32767, negative ones by 128 and 32768. Divide all of them
// by the latter, as libsndfile does.
function symmetric(samples) {
  for (const most of [127, 32767]) {
    const isInteger = (x) => Math.abs(x - Math.round(x)) < most * 2 ** -23;
    if (samples.every((x) => x <= 0 || isInteger(x * most))) return samples.map((x) => (x > 0 ? (x * most) / (most + 1) : x));
  }
  return samples;
}

function decoder(rate) {
  try {
    return new OfflineAudioContext(1, 1, rate);
  } catch {
    return new OfflineAudioContext(1, 1, OPUS_RATE);
  }
}

// The header of WAV, FLAC, Ogg (Vorbis, Opus, FLAC) or MP3 -> its rate in Hz and number of frames, each null if it does
// not tell.
function readHeader(view) {
  const is = (text, at) => [...text].every((c, i) => at + i < view.byteLength && view.getUint8(at + i) === c.charCodeAt(0));
  try {
    if (is("WAVE", 8)) return wavHeader(view, is);
    if (is("fLaC", 0)) return { rate: view.getUint32(18) >>> 12, frames: (view.getUint8(21) & 15) * 2 ** 32 + view.getUint32(22) };
    return { rate: is("OggS", 0) ? oggRate(view, is) : mp3Rate(view, is("ID3", 0)), frames: null };
  } catch { // a RangeError: the file is shorter than its header
    return { rate: null, frames: null };
  }
}

function wavHeader(view, is) {
  const find = (name, at) => {
    while (!is(name, at)) {
      const size = view.getUint32(at + 4, true);
      at += 8 + size + (size % 2);
    }
    return at;
  };
  const format = find("fmt ", 12);
  const size = view.getUint32(find("data", format) + 4, true);
  return { rate: view.getUint32(format + 12, true), frames: size < UNKNOWN_SIZE ? size / view.getUint16(format + 20, true) : null };
}

function oggRate(view, is) {
  const packet = 27 + view.getUint8(26); // after the table of segments
  if (is("\x01vorbis", packet)) return view.getUint32(packet + 12, true);
  if (is("\x7fFLAC", packet)) return view.getUint32(packet + 27) >>> 12;
  return OPUS_RATE;
}

function mp3Rate(view, tagged) {
  const size = (at) => (view.getUint8(at) * 128 + view.getUint8(at + 1)) * 16384 + view.getUint8(at + 2) * 128 + view.getUint8(at + 3);
  const start = tagged ? 10 + size(6) : 0;
  if (view.getUint16(start) >>> 5 !== 0x7ff) return null;
  const divisor = { 3: 1, 2: 2, 0: 4 }[(view.getUint8(start + 1) >> 3) & 3]; // MPEG 1, 2 and 2.5
  return MP3_RATES[(view.getUint8(start + 2) >> 2) & 3] / divisor || null;
}

// {channels, rate} -> mono samples at `sampleRate` Hz.
export function mono({ channels, rate }, sampleRate) {
  const samples = resample(mixDown(channels), rate, sampleRate);
  if (!samples.length) throw new Error("contains no samples");
  return samples;
}

// Mono samples -> the loudest second of them, `length` samples, as the network takes it.
export const loudest = (samples, length) => to16Bits(fitLength(withinFullScale(samples), length));

// A window of mono samples -> the same as the network takes it: in [-1, 1), rounded to 16 bits.
export const prepare = (window) => to16Bits(withinFullScale(window));

function withinFullScale(samples) {
  const peak = samples.reduce((most, x) => Math.max(most, Math.abs(x)), 1);
  return samples.map((x) => x / peak);
}

const to16Bits = (clip) => clip.map((x) => Math.min(Math.max(roundHalfEven(x * 32768), -32768), 32767) / 32768);

function roundHalfEven(x) { // the mean of two channels often ends in .5
  const rounded = Math.round(x);
  return rounded - x === 0.5 && rounded % 2 ? rounded - 1 : rounded;
}

function mixDown(channels) {
  const mean = channels[0].map((_, t) => channels.reduce((sum, channel) => sum + channel[t], 0) / channels.length);
  const energies = channels.map(energy);
  const most = Math.max(...energies);
  const canceled = channels.length === 2 && energy(mean) < CANCELED * most;
  return canceled ? channels[energies.indexOf(most)] : mean;
}

const energy = (samples) => samples.reduce((sum, x) => sum + x * x, 0);

// Interpolate with a windowed sinc, as torchaudio.transforms.Resample does.
function resample(samples, rate, newRate) {
  if (rate === newRate) return samples;
  const divisor = gcd(rate, newRate);
  const [from, to] = [rate / divisor, newRate / divisor];
  const cutoff = (ROLLOFF * Math.min(from, to)) / from; // cycles per two old samples
  const width = Math.ceil(ZERO_CROSSINGS / cutoff);
  const taps = 2 * width + 2;
  const filters = Array.from({ length: to }, (_, phase) => // new sample `phase` is at the old time phase * from / to
    Float64Array.from({ length: taps }, (_, i) => {
      const center = (phase * from) / to;
      const time = Math.min(Math.max((Math.floor(center) - width + i - center) * cutoff, -ZERO_CROSSINGS), ZERO_CROSSINGS);
      const sinc = time === 0 ? 1 : Math.sin(Math.PI * time) / (Math.PI * time);
      return cutoff * sinc * Math.cos((Math.PI * time) / ZERO_CROSSINGS / 2) ** 2;
    }),
  );
  const resampled = new Float32Array(Math.ceil((samples.length * to) / from));
  for (let n = 0; n < resampled.length; n++) {
    const first = Math.floor((n * from) / to) - width;
    const filter = filters[n % to];
    let sum = 0;
    for (let i = Math.max(0, -first); i < taps && first + i < samples.length; i++) sum += filter[i] * samples[first + i];
    resampled[n] = sum;
  }
  return resampled;
}

// Blocks of mono samples -> the same resampled, about 20 ms later, as overlapped_words/inference/listening.py does.
export async function* resampleBlocks(blocks, rate, newRate) {
  const divisor = gcd(rate, newRate);
  const [step, newStep] = [rate / divisor, newRate / divisor]; // samples of the shortest time that has whole numbers
  const context = Math.ceil((CONTEXT * rate) / step); // in steps
  let buffer = new Float32Array(context * step);
  for await (const block of blocks) {
    buffer = join([buffer, block]);
    const steps = Math.floor(buffer.length / step) - 2 * context;
    if (steps <= 0) continue;
    const resampled = resample(buffer.subarray(0, (steps + 2 * context) * step), rate, newRate);
    yield resampled.subarray(context * newStep, (context + steps) * newStep);
    buffer = buffer.subarray(steps * step);
  }
  yield resample(buffer, rate, newRate).subarray(context * newStep);
}

export function join(arrays) {
  const joined = new Float32Array(arrays.reduce((sum, { length }) => sum + length, 0));
  arrays.reduce((at, array) => (joined.set(array, at), at + array.length), 0);
  return joined;
}

const gcd = (a, b) => (b ? gcd(b, a % b) : a);

// Center a shorter recording between zeros; take the window of a longer one that has the most energy.
function fitLength(samples, length) {
  const clip = new Float32Array(length);
  if (samples.length <= length) {
    clip.set(samples, Math.floor((length - samples.length) / 2));
    return clip;
  }
  const sums = new Float64Array(samples.length + 1);
  samples.forEach((x, t) => (sums[t + 1] = sums[t] + x * x));
  let start = 0;
  for (let t = 1; t + length < sums.length; t++) {
    if (sums[t + length] - sums[t] > sums[start + length] - sums[start]) start = t;
  }
  return samples.slice(start, start + length);
}

// Mono samples -> a WAV file of 32-bit floats.
export function wav(samples, rate) {
  const header = new DataView(new ArrayBuffer(44));
  const text = (at, word) => [...word].forEach((c, i) => header.setUint8(at + i, c.charCodeAt(0)));
  [[0, "RIFF"], [8, "WAVE"], [12, "fmt "], [36, "data"]].forEach(([at, word]) => text(at, word));
  [[4, 36 + 4 * samples.length], [16, 16], [24, rate], [28, 4 * rate], [40, 4 * samples.length]].forEach(([at, value]) => header.setUint32(at, value, true));
  [[20, 3], [22, 1], [32, 4], [34, 32]].forEach(([at, value]) => header.setUint16(at, value, true)); // floats, mono
  return new Blob([header, samples], { type: "audio/wav" });
}
