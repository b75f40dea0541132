// Volumes of the page: unpacked when they are first needed.
const FACTS = JSON.parse(document.getElementById("facts").textContent);
const FIRST_VALUE = 16;
const MISSING_SIGNAL = 65535;
const SIZE = FACTS.shape[0] * FACTS.shape[1] * FACTS.shape[2];
const unpacked = new Map();

function indexOf(voxel) {
  return (voxel[0] * FACTS.shape[1] + voxel[1]) * FACTS.shape[2] + voxel[2];
}

async function unpack(key) {
  const text = atob(document.getElementById("data-" + key).textContent);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function joined(bytes) {
  const n = bytes.length / 2;
  const numbers = new Uint16Array(n);
  for (let i = 0; i < n; i++) numbers[i] = bytes[i] | (bytes[n + i] << 8);
  return numbers;
}

// One promise per volume, so that nothing is unpacked twice.
function volume(key, twoBytes) {
  if (!unpacked.has(key)) unpacked.set(key, unpack(key).then((bytes) => (twoBytes ? joined(bytes) : bytes)));
  return unpacked.get(key);
}

function layerOf(key) {
  return FACTS.layers.find((layer) => layer.key === key);
}

// Value in the display unit; null where the code is a reason.
function valueOf(layer, code) {
  if (code < FIRST_VALUE) return null;
  const number = layer.low + layer.step * (code - FIRST_VALUE);
  return layer.logarithmic ? Math.exp(number) : number;
}

function twoDigits(value) {
  const decimals = Math.max(0, 1 - Math.floor(Math.log10(value)));
  return value.toFixed(Math.min(decimals, 6));
}

function inWords(value, digits) {
  const text = digits < 0 ? twoDigits(value) : value.toFixed(digits);
  return text.replace("-", "\u2212");
}

// Two digits, but no more decimals than the value has.
function spreadInWords(sd, digits) {
  const text = twoDigits(sd);
  if (!text.includes(".") || text.split(".")[1].length <= digits) return text;
  return +sd.toFixed(digits) > 0 ? sd.toFixed(digits) : "<" + (10 ** -digits).toFixed(digits);
}

// Colour number (0 to 255) of every code of a layer, so that drawing only looks it up.
function colorNumbers(layer) {
  const numbers = new Uint8Array(65536);
  const [low, high] = layer.limits;
  for (let code = FIRST_VALUE; code < 65536; code++) {
    const part = (valueOf(layer, code) - low) / (high - low);
    numbers[code] = Math.min(255, Math.max(0, Math.floor(part * 256)));
  }
  return numbers;
}

// Row of every voxel among those whose signals are kept; -1 elsewhere.
function keptRows() {
  if (!unpacked.has("rows")) {
    unpacked.set("rows", volume("kept", false).then((kept) => {
      const rows = new Int32Array(SIZE).fill(-1);
      let next = 0;
      for (let i = 0; i < SIZE; i++) if (kept[i]) rows[i] = next++;
      return rows;
    }));
  }
  return unpacked.get("rows");
}
