// The page: load the network, take recordings from files or the microphone, show their words or the events in them.
import { decode, join, loudest, mono, prepare, resampleBlocks, wav } from "./audio.js";
import { detect } from "./events.js";
import { env, InferenceSession, Tensor } from "./ort.wasm.bundle.min.js";

const LIKELY = 8; // words that are always visible
const LONG = 2; // seconds; a longer recording is not a single clip
const LONGEST = 60; // seconds of the microphone's sound that are kept
const LISTED = 200; // events
const WAITING = 4000; // blocks of sound, 10 seconds, that wait for a slow network

const element = (id) => document.getElementById(id);
const percent = (share) => `${(100 * share).toFixed(1)}%`;
const button = element("record");
let description, session, stop;
let busy = true;

async function start() {
  env.wasm.numThreads = 1; // more need headers that a static server does not send
  const response = await fetch("model.json");
  description = await response.json();
  element("vocabulary").textContent = description.words.join(", ");
  element("about").textContent = description.events
    ? "The page lists when each word is spoken; of up to two seconds, it shows how likely each word is."
    : `The network listens to the loudest second.${description.k ? "" : " The shares of all words sum to 100%."}`;
  const networks = description.members === 1 ? "1 network" : `${description.members} networks`;
  const recipe = description.recipe === "unknown" ? [] : [`recipe ${description.recipe}`];
  element("origin").textContent = [networks, ...recipe, description.version].join(", ");
  session = await InferenceSession.create("model.onnx", { executionProviders: ["wasm"] });
  element("file").disabled = button.disabled = false;
  show("Ready. Choose or drop a recording, or record.");
}

function show(message, isError = false) {
  element("status").textContent = message;
  element("status").classList.toggle("error", isError);
}

async function run(clips) {
  return session.run({ waveforms: new Tensor("float32", join(clips), [clips.length, clips[0].length]) });
}

async function presences(windows) {
  const { data, dims } = (await run(windows.map(prepare))).presence;
  return windows.map((_, i) => data.subarray(i * dims[1], (i + 1) * dims[1]));
}

// Show the result of a recording {channels, rate}; `audio` is a Blob with it.
async function predict(name, recording, audio) {
  const samples = mono(recording, description.sample_rate);
  if (description.events && samples.length > LONG * description.sample_rate) await showEvents(name, [samples]);
  else await showWords(name, samples);
  keep(audio);
}

// Replace an older result.
function begin(title) {
  for (const id of ["words", "unlikely", "events"]) element(id).replaceChildren();
  for (const id of ["others", "player", "save"]) element(id).hidden = true;
  element("name").textContent = title;
  element("result").hidden = false;
}

function keep(audio, isSaved = audio instanceof File) {
  URL.revokeObjectURL(element("player").src);
  element("player").src = element("save").href = URL.createObjectURL(audio);
  element("player").hidden = false;
  element("save").hidden = isSaved;
}

async function showWords(name, samples) {
  const { probs, num_words: numWords, presence } = await run([loudest(samples, description.num_samples)]);
  const all = description.words.map((word, i) => [word, (presence ?? probs).data[i]]).sort((a, b) => b[1] - a[1]);
  begin(`Words in the loudest second of ${name}`);
  const rows = all.map(([word, share]) => row(word, share, percent(share)));
  element("words").replaceChildren(...rows.slice(0, LIKELY));
  element("unlikely").replaceChildren(...rows.slice(LIKELY));
  element("others").hidden = rows.length <= LIKELY;
  const likely = all.slice(0, 3).map(([word, share]) => `${word} ${percent(share)}`).join(", ");
  show([numWords && mostLikelyNumber(numWords.data), `${presence ? "Probabilities" : "Shares"}: ${likely}`].filter(Boolean).join(". "));
}

// Show the events in blocks of samples, the newest one first, as they come.
async function showEvents(name, blocks) {
  begin(`Words in ${name}`);
  let found = 0;
  for await (const { events, seconds } of detect(blocks, presences, description)) {
    for (const { start, word, probability } of events) {
      element("events").prepend(row(description.words[word], probability, `${Math.round(100 * probability)}%`, clock(start)));
    }
    while (element("events").children.length > LISTED) element("events").lastChild.remove();
    found += events.length;
    element("name").textContent = `Words in ${name} until ${clock(seconds)}`;
    await new Promise((resolve) => setTimeout(resolve)); // let the browser draw
  }
  element("name").textContent = `Words in ${name}`;
  show(found ? `${found === 1 ? "1 word" : `${found} words`} found` : "None of the words was found");
}

function clock(seconds) {
  const tenths = Math.round(10 * seconds);
  return `${Math.floor(tenths / 600)}:${((tenths % 600) / 10).toFixed(1).padStart(4, "0")}`;
}

// The probabilities of each number of words -> the most likely one.
function mostLikelyNumber(probs) {
  const most = probs.indexOf(Math.max(...probs));
  const words = description.k[0] + most;
  const text = words === 0 ? "None of the words" : words === 1 ? "One word" : `${words} words`;
  return `${text} (${percent(probs[most])})`;
}

function row(word, share, text, time = "") {
  const item = document.createElement("li");
  const [when, name, bar, value] = ["time", "b", "i", "data"].map((tag) => item.appendChild(document.createElement(tag)));
  when.textContent = time;
  name.textContent = word;
  bar.style.width = percent(share);
  bar.ariaHidden = "true";
  value.value = share;
  value.textContent = text;
  return item;
}

async function openFile(file) {
  show("Listening…");
  let recording;
  try {
    recording = await decode(await file.arrayBuffer());
  } catch {
    throw new Error(`${file.name}: the browser cannot decode it; give a recording such as WAV, FLAC, Ogg or MP3`);
  }
  if (recording.isTruncated) throw new Error(`${file.name}: shorter than its header says; copy or record it again`);
  await predict(file.name, recording, file);
}

// Listen until the button is pressed again, without events up to LONGEST.
async function record() {
  if (!navigator.mediaDevices) throw new Error("No microphone: browsers offer it on localhost or over HTTPS only");
  const raw = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  const stream = await navigator.mediaDevices.getUserMedia({ audio: raw });
  const context = new AudioContext();
  const { sampleRate: rate } = context;
  const [waiting, kept] = [[], []];
  let [length, isOn] = [0, true];
  async function* blocks() {
    while (isOn || waiting.length) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      const block = join(waiting.splice(0));
      length += block.length;
      if (length <= LONGEST * rate) kept.push(block);
      else isOn &&= Boolean(description.events);
      yield block;
    }
  }
  try {
    await context.audioWorklet.addModule("recorder.js");
    const recorder = new AudioWorkletNode(context, "recorder");
    recorder.port.onmessage = ({ data }) => isOn && waiting.length < WAITING && waiting.push(data);
    context.createMediaStreamSource(stream).connect(recorder);
    button.textContent = "Stop";
    show("Recording. Speak, then press Stop.");
    stop = () => (isOn = false);
    if (description.events) await showEvents("the recording", resampleBlocks(blocks(), rate, description.sample_rate));
    else for await (const _ of blocks());
  } finally {
    stop = undefined;
    button.textContent = "Record";
    stream.getTracks().forEach((track) => track.stop());
    await context.close();
  }
  const samples = join(kept);
  if (!description.events || length <= LONG * rate) await showWords("the recording", mono({ channels: [samples], rate }, description.sample_rate));
  if (length <= LONGEST * rate || !description.events) keep(wav(samples, rate));
}

// Take one step at a time and show its error; the result of an earlier recording must not stay next to it.
async function attempt(step) {
  busy = true;
  try {
    await step();
  } catch (error) {
    element("result").hidden = true;
    show(error.message, true);
  }
  busy = false;
}

function choose([file]) {
  if (file && !busy) attempt(() => openFile(file));
}

element("file").addEventListener("change", ({ target }) => {
  choose(target.files);
  target.value = ""; // so that the same file can be chosen again
});
button.addEventListener("click", () => {
  if (stop) stop();
  else if (!busy) attempt(record);
});
addEventListener("dragover", (event) => event.preventDefault());
addEventListener("drop", (event) => {
  event.preventDefault();
  if (session) choose(event.dataTransfer.files);
});
attempt(start);
