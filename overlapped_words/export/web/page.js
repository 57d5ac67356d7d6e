// The page: load the network, take recordings from files or the microphone, show the share of each word.
import { decode, prepare, wav } from "./audio.js";
import { env, InferenceSession, Tensor } from "./ort.wasm.bundle.min.js";

const LIKELY = 8; // words that are always visible
const LONGEST = 60; // seconds of a recording with the microphone

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

// Predict a recording {channels, rate} and show it; `audio` is a Blob with it.
async function predict(name, recording, audio) {
  const clip = prepare(recording, description.sample_rate, description.num_samples);
  const input = new Tensor("float32", clip, [1, clip.length]);
  const { probs, num_words: numWords } = await session.run({ waveforms: input });
  const number = numWords && mostLikelyNumber(numWords.data);
  const all = description.words.map((word, i) => [word, probs.data[i]]).sort((a, b) => b[1] - a[1]);
  const shares = number?.words === 0 ? [] : all; // the shares are those of the words that are there, if any are
  element("words").replaceChildren(...shares.slice(0, LIKELY).map(row));
  element("unlikely").replaceChildren(...shares.slice(LIKELY).map(row));
  element("others").hidden = shares.length <= LIKELY;
  element("name").textContent = `Words in the loudest second of ${name}`;
  URL.revokeObjectURL(element("player").src);
  element("player").src = element("save").href = URL.createObjectURL(audio);
  element("result").hidden = false;
  const likely = shares.slice(0, 3).map(([word, share]) => `${word} ${percent(share)}`).join(", ");
  show([number?.text, shares.length && `Shares: ${likely}`].filter(Boolean).join(". "));
}

// The probabilities of each number of words -> the most likely one.
function mostLikelyNumber(probs) {
  const most = probs.indexOf(Math.max(...probs));
  const words = description.k[0] + most;
  const text = words === 0 ? "None of the words" : words === 1 ? "One word" : `${words} words`;
  return { words, text: `${text} (${percent(probs[most])})` };
}

function row([word, share]) {
  const item = document.createElement("li");
  const [name, bar, value] = ["b", "i", "data"].map((tag) => item.appendChild(document.createElement(tag)));
  name.textContent = word;
  bar.style.width = percent(share);
  bar.ariaHidden = "true";
  value.value = share;
  value.textContent = percent(share);
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
  element("save").hidden = true;
  await predict(file.name, recording, file);
}

// Record until the button is pressed again.
async function record() {
  if (!navigator.mediaDevices) throw new Error("No microphone: browsers offer it on localhost or over HTTPS only");
  const raw = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  const stream = await navigator.mediaDevices.getUserMedia({ audio: raw });
  const context = new AudioContext();
  const blocks = [];
  try {
    await context.audioWorklet.addModule("recorder.js");
    const recorder = new AudioWorkletNode(context, "recorder");
    recorder.port.onmessage = ({ data }) => blocks.push(data);
    context.createMediaStreamSource(stream).connect(recorder);
    button.textContent = "Stop";
    show("Recording. Speak, then press Stop.");
    await new Promise((resolve) => {
      stop = resolve;
      setTimeout(resolve, 1000 * LONGEST);
    });
  } finally {
    stop = undefined;
    button.textContent = "Record";
    stream.getTracks().forEach((track) => track.stop());
    await context.close();
  }
  const samples = Float32Array.from(blocks.flatMap((block) => [...block]));
  element("save").hidden = false;
  await predict("the recording", { channels: [samples], rate: context.sampleRate }, wav(samples, context.sampleRate));
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
