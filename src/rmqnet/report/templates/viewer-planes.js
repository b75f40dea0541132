// The three planes: slices along the axes of the scan, voxels as they were acquired.
const PLANES = {
  sagittal: { fixed: 0, across: 2, down: 1, edges: ["A", "P", "S", "I"] },
  coronal: { fixed: 2, across: 0, down: 1, edges: ["R", "L", "S", "I"] },
  axial: { fixed: 1, across: 0, down: 2, edges: ["R", "L", "A", "P"] },
};
const STRIDES = [FACTS.shape[1] * FACTS.shape[2], FACTS.shape[2], 1];
const NEUTRAL = { map: "", opacity: 1, inside: false, outlines: true, fill: 0, brightness: 1, zoom: 1, cross: true };
const view = { ...NEUTRAL, voxel: [...FACTS.start], center: FACTS.start.map((v) => v + 0.5) };
const shown = { image: null, labels: null, codes: null, layer: null, numbers: null, table: null };

function colorTable(layer) {
  const text = atob(layer.colors);
  return Uint8Array.from(text, (c) => c.charCodeAt(0));
}

function hexColor(hex) {
  return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
}

const REGION_COLORS = [];
for (const region of FACTS.regions) REGION_COLORS[region.label] = hexColor(region.color);

// Where voxels lie on a canvas: pixels per voxel in both directions, and the pixel of voxel 0.
function placement(name) {
  const plane = PLANES[name], canvas = document.getElementById(name);
  const perMm = (canvas.width / (FACTS.shape[plane.across] * FACTS.voxel[plane.across])) * view.zoom;
  const width = perMm * FACTS.voxel[plane.across], height = perMm * FACTS.voxel[plane.down];
  // at zoom 1 the whole slice fills the canvas; above, the center moves but no edge comes inside
  const origin = (axis, size, length) =>
    Math.min(0, Math.max(length - size * FACTS.shape[axis], length / 2 - size * view.center[axis]));
  return {
    width, height,
    left: origin(plane.across, width, canvas.width),
    top: origin(plane.down, height, canvas.height),
  };
}

function fitCanvas(name) {
  const plane = PLANES[name], canvas = document.getElementById(name);
  const mm = (axis) => FACTS.shape[axis] * FACTS.voxel[axis];
  canvas.style.aspectRatio = `${mm(plane.across)} / ${mm(plane.down)}`;
  const width = Math.max(1, Math.round(canvas.clientWidth * Math.min(window.devicePixelRatio || 1, 2)));
  canvas.width = width;
  canvas.height = Math.max(1, Math.round((width * mm(plane.down)) / mm(plane.across)));
}

const scratch = { gray: document.createElement("canvas"), color: document.createElement("canvas") };

function paintGray(pixels, at) {
  const value = Math.min(255, shown.image[at.voxel] * view.brightness);
  pixels[at.pixel] = pixels[at.pixel + 1] = pixels[at.pixel + 2] = value;
  pixels[at.pixel + 3] = 255;
}

function paintColor(pixels, at) {
  if (!shown.codes || (view.inside && shown.labels && !shown.labels[at.voxel])) return;
  const code = shown.codes[at.voxel];
  if (code < FIRST_VALUE) return;
  const number = 3 * shown.numbers[code];
  pixels[at.pixel] = shown.table[number];
  pixels[at.pixel + 1] = shown.table[number + 1];
  pixels[at.pixel + 2] = shown.table[number + 2];
  pixels[at.pixel + 3] = 255 * view.opacity;
}

function paintRegion(pixels, at) {
  const region = REGION_COLORS[shown.labels[at.voxel]];
  if (!region) return;
  pixels.set(region, at.pixel);
  pixels[at.pixel + 3] = 255 * view.fill;
}

// A slice, one pixel per voxel, painted by `paint`.
function sliceOf(canvas, plane, paint) {
  const n = FACTS.shape[plane.across], m = FACTS.shape[plane.down];
  canvas.width = n;
  canvas.height = m;
  const context = canvas.getContext("2d"), image = context.createImageData(n, m);
  const first = view.voxel[plane.fixed] * STRIDES[plane.fixed];
  const at = { voxel: 0, pixel: 0 };
  for (let row = 0; row < m; row++) {
    for (let column = 0; column < n; column++) {
      at.voxel = first + row * STRIDES[plane.down] + column * STRIDES[plane.across];
      at.pixel = 4 * (row * n + column);
      paint(image.data, at);
    }
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

function drawOutlines(context, plane, place) {
  const n = FACTS.shape[plane.across], m = FACTS.shape[plane.down];
  const first = view.voxel[plane.fixed] * STRIDES[plane.fixed];
  const label = (row, column) =>
    row < 0 || column < 0 || row >= m || column >= n
      ? 0 : shown.labels[first + row * STRIDES[plane.down] + column * STRIDES[plane.across]];
  const paths = new Map();
  const edge = (own, x0, y0, x1, y1) => {
    if (!paths.has(own)) paths.set(own, new Path2D());
    paths.get(own).moveTo(place.left + x0 * place.width, place.top + y0 * place.height);
    paths.get(own).lineTo(place.left + x1 * place.width, place.top + y1 * place.height);
  };
  for (let row = 0; row < m; row++) {
    for (let column = 0; column < n; column++) {
      const own = label(row, column);
      if (!own) continue;
      if (label(row - 1, column) !== own) edge(own, column, row, column + 1, row);
      if (label(row + 1, column) !== own) edge(own, column, row + 1, column + 1, row + 1);
      if (label(row, column - 1) !== own) edge(own, column, row, column, row + 1);
      if (label(row, column + 1) !== own) edge(own, column + 1, row, column + 1, row + 1);
    }
  }
  context.lineWidth = Math.max(1, Math.min(2, place.width / 3));
  for (const [own, path] of paths) {
    if (!REGION_COLORS[own]) continue;
    context.strokeStyle = `rgb(${REGION_COLORS[own].join(",")})`;
    context.stroke(path);
  }
}

function drawCross(context, plane, place, canvas) {
  const x = place.left + (view.voxel[plane.across] + 0.5) * place.width;
  const y = place.top + (view.voxel[plane.down] + 0.5) * place.height;
  const gap = Math.max(6, place.width);
  context.strokeStyle = "rgba(120, 220, 255, 0.85)";
  context.lineWidth = 1;
  context.beginPath();
  for (const [x0, y0, x1, y1] of [[0, y, x - gap, y], [x + gap, y, canvas.width, y], [x, 0, x, y - gap], [x, y + gap, x, canvas.height]]) {
    context.moveTo(x0, y0);
    context.lineTo(x1, y1);
  }
  context.stroke();
}

function drawLetters(context, plane, canvas) {
  const size = Math.max(12, canvas.width / 34);
  context.font = `600 ${size}px system-ui, sans-serif`;
  context.fillStyle = "#fff";
  context.shadowColor = "#000";
  context.shadowBlur = 3;
  context.textBaseline = "middle";
  const [start, end, top, bottom] = plane.edges;
  context.textAlign = "left";
  context.fillText(start, 4, canvas.height / 2);
  context.textAlign = "right";
  context.fillText(end, canvas.width - 4, canvas.height / 2);
  context.textAlign = "center";
  context.fillText(top, canvas.width / 2, size * 0.8);
  context.fillText(bottom, canvas.width / 2, canvas.height - size * 0.8);
  context.shadowBlur = 0;
}

function drawPlane(name) {
  const plane = PLANES[name], canvas = document.getElementById(name), context = canvas.getContext("2d");
  const place = placement(name), n = FACTS.shape[plane.across], m = FACTS.shape[plane.down];
  context.fillStyle = "#000";
  context.fillRect(0, 0, canvas.width, canvas.height);
  const put = (slice, smooth) => {
    context.imageSmoothingEnabled = smooth;
    context.drawImage(slice, place.left, place.top, n * place.width, m * place.height);
  };
  put(sliceOf(scratch.gray, plane, paintGray), true);
  put(sliceOf(scratch.color, plane, paintColor), false);
  if (shown.labels && view.outlines) {
    if (view.fill > 0) put(sliceOf(scratch.color, plane, paintRegion), false);
    drawOutlines(context, plane, place);
  }
  if (view.cross) drawCross(context, plane, place, canvas);
  drawLetters(context, plane, canvas);
  const number = view.voxel[plane.fixed] + 1, all = FACTS.shape[plane.fixed];
  document.getElementById(name + "-slice").value = number;
  document.getElementById(name + "-number").textContent = `${number} / ${all}`;
}

// The voxel under a point of the window.
function voxelAt(name, event) {
  const plane = PLANES[name], canvas = document.getElementById(name), place = placement(name);
  const box = canvas.getBoundingClientRect();
  const voxel = [...view.voxel];
  const put = (axis, pixel, origin, size) => {
    voxel[axis] = Math.min(FACTS.shape[axis] - 1, Math.max(0, Math.floor((pixel - origin) / size)));
  };
  put(plane.across, ((event.clientX - box.left) / box.width) * canvas.width, place.left, place.width);
  put(plane.down, ((event.clientY - box.top) / box.height) * canvas.height, place.top, place.height);
  return voxel;
}
