// The page: what the controls, the pointer and the keys do.
const byId = (id) => document.getElementById(id);
let waiting = false, latest = 0;

function redraw() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    for (const name of Object.keys(PLANES)) drawPlane(name);
  });
}

async function describe() {
  const mine = ++latest, voxel = [...view.voxel], index = indexOf(voxel);
  const label = shown.labels ? shown.labels[index] : 0;
  const rows = await valueRows(index), curves = await curvesAt(index);
  if (mine !== latest) return; // the cross-hair has moved on
  const where = element("p"), name = regionName(label);
  if (name) {
    const swatch = element("span", undefined, { class: "swatch" });
    swatch.style.background = FACTS.regions.find((region) => region.label === label).color;
    where.append(swatch);
  }
  where.append(name || (FACTS.regions.length ? "outside the regions" : "no regions"));
  const table = element("table");
  table.append(...rows);
  const place = `Slice ${voxel[0] + 1}, row ${voxel[1] + 1}, column ${voxel[2] + 1}; ${position(voxel)}`;
  byId("voxel").replaceChildren(where, element("p", place, { class: "caption" }), table);
  const open = byId("curves").querySelector("details")?.open;
  byId("curves").replaceChildren(...curves);
  if (open) byId("curves").querySelector("details")?.setAttribute("open", "");
  byId("voxel").dataset.voxel = voxel.join(" ");
  const values = rows.map((one) => `${one.cells[0].textContent} ${one.cells[1].textContent}`).join("; ");
  for (const plane of Object.keys(PLANES)) {
    const title = plane[0].toUpperCase() + plane.slice(1), axis = PLANES[plane].fixed;
    byId(plane).setAttribute("aria-label",
      `${title} slice ${voxel[axis] + 1} of ${FACTS.shape[axis]}. Cross-hair: ${name || "outside the regions"}; ${values}`);
  }
}

function moveTo(voxel) {
  view.voxel = voxel.map((value, axis) => Math.min(FACTS.shape[axis] - 1, Math.max(0, value)));
  keepInView();
  redraw();
  describe();
}

// When zoomed in, the view follows the cross-hair once it comes near an edge.
function keepInView() {
  view.voxel.forEach((value, axis) => {
    const half = (0.4 * FACTS.shape[axis]) / view.zoom;
    view.center[axis] = Math.min(value + 0.5 + half, Math.max(value + 0.5 - half, view.center[axis]));
  });
}

async function showMap(key) {
  view.map = key;
  byId("map").value = key;
  const layer = layerOf(key), codes = layer ? await volume(key, true) : null;
  if (view.map !== key) return;
  shown.layer = layer ?? null;
  shown.codes = codes;
  if (layer) {
    shown.numbers = colorNumbers(layer);
    shown.table = colorTable(layer);
  }
  drawBar(layer);
  redraw();
}

function drawBar(layer) {
  const canvas = byId("bar");
  canvas.parentElement.hidden = !layer;
  if (!layer) return;
  const context = canvas.getContext("2d"), image = context.createImageData(256, canvas.height);
  for (let at = 0; at < 256 * canvas.height; at++) {
    const number = 3 * (at % 256);
    image.data.set([shown.table[number], shown.table[number + 1], shown.table[number + 2], 255], 4 * at);
  }
  context.putImageData(image, 0, 0);
  const [low, high] = layer.limits;
  const unit = layer.unit ? ` ${layer.unit}` : "";
  const texts = [0, 0.25, 0.5, 0.75, 1].map((part) => String(+(low + part * (high - low)).toPrecision(4)).replace("-", "\u2212") + unit);
  byId("ticks").replaceChildren(...texts.map((text) => element("span", text)));
  byId("bar-title").textContent = layer.title;
  canvas.setAttribute("aria-label", `Colour bar of ${layer.title}: ${texts[0]} to ${texts[4]}`);
}

function zoomTo(zoom) {
  view.zoom = Math.min(8, Math.max(1, zoom));
  view.center = view.voxel.map((value) => value + 0.5);
  byId("zoom").value = view.zoom;
  redraw();
}

function toggle(id) {
  const box = byId(id);
  if (box) box.click();
}

function onKey(name, event) {
  const { fixed, across, down } = PLANES[name], voxel = [...view.voxel];
  const moves = {
    ArrowLeft: [across, -1], ArrowRight: [across, 1], ArrowUp: [down, -1], ArrowDown: [down, 1],
    PageUp: [fixed, -1], PageDown: [fixed, 1],
  };
  const maps = [...byId("map").options].map((option) => option.value);
  const others = {
    "+": () => zoomTo(view.zoom + 0.5), "=": () => zoomTo(view.zoom + 0.5), "-": () => zoomTo(view.zoom - 0.5),
    m: () => showMap(maps[(maps.indexOf(view.map) + 1) % maps.length]),
    r: () => toggle("outlines"), o: () => toggle("inside"), x: () => toggle("cross"),
  };
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key in moves) {
    voxel[moves[event.key][0]] += moves[event.key][1];
    moveTo(voxel);
  } else if (event.key in others) {
    others[event.key]();
  } else {
    return;
  }
  event.preventDefault();
}

function listen(name) {
  const canvas = byId(name), { fixed } = PLANES[name], slider = byId(name + "-slice");
  slider.max = FACTS.shape[fixed];
  const step = (amount) => {
    const voxel = [...view.voxel];
    voxel[fixed] += amount;
    moveTo(voxel);
  };
  slider.addEventListener("input", () => step(slider.value - 1 - view.voxel[fixed]));
  canvas.addEventListener("pointerdown", (event) => {
    canvas.focus({ preventScroll: true }); // the canvas must not move under the pointer
    canvas.setPointerCapture(event.pointerId);
    moveTo(voxelAt(name, event));
  });
  canvas.addEventListener("pointermove", (event) => {
    if (event.buttons & 1) moveTo(voxelAt(name, event));
  });
  let turned = 0; // a trackpad sends many small turns
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    turned += event.deltaMode === 0 ? event.deltaY : 40 * event.deltaY;
    if (Math.abs(turned) < 40) return;
    step(Math.sign(turned));
    turned = 0;
  }, { passive: false });
  canvas.addEventListener("keydown", (event) => onKey(name, event));
}

function bind(id, change) {
  const control = byId(id);
  if (control) control.addEventListener("input", () => { change(control); redraw(); });
}

function listenAll() {
  for (const name of Object.keys(PLANES)) listen(name);
  byId("map").addEventListener("change", (event) => showMap(event.target.value));
  bind("opacity", (one) => { view.opacity = one.value / 100; });
  bind("inside", (one) => { view.inside = one.checked; });
  bind("outlines", (one) => { view.outlines = one.checked; });
  bind("fill", (one) => { view.fill = one.value / 100; });
  bind("brightness", (one) => { view.brightness = one.value / 100; });
  bind("zoom", (one) => zoomTo(+one.value));
  bind("cross", (one) => { view.cross = one.checked; });
  byId("reset").addEventListener("click", reset);
  window.addEventListener("resize", () => { Object.keys(PLANES).forEach(fitCanvas); redraw(); });
  const places = byId("goto");
  if (!places) return;
  places.append("Go to: ");
  for (const region of FACTS.regions) {
    const button = element("button", region.name, { type: "button" });
    button.addEventListener("click", () => { moveTo(region.voxel); byId("viewer").scrollIntoView(); byId("sagittal").focus(); });
    places.append(button);
  }
}

function reset() {
  const initial = { opacity: 100, fill: 0, brightness: 100, zoom: 1 };
  for (const [id, value] of Object.entries(initial)) if (byId(id)) byId(id).value = value;
  for (const id of ["inside", "outlines", "cross"]) if (byId(id)) byId(id).checked = true;
  Object.assign(view, NEUTRAL, { inside: FACTS.regions.length > 0, map: view.map });
  moveTo([...FACTS.start]);
}

// Columns so wide that the sagittal plane is as high as the other two together, and all fit into the window.
function layOut() {
  const [z, y, x] = FACTS.shape.map((n, axis) => n * FACTS.voxel[axis]);
  const wide = ((x / y) * (x + y)) / z;
  const style = document.querySelector(".planes").style;
  style.setProperty("--wide", `${wide}fr`);
  style.setProperty("--ratio", ((1 + wide) / wide) * (x / y));
}

async function begin() {
  if (typeof DecompressionStream === "undefined") {
    throw new Error("this browser is too old for the viewer (it needs DecompressionStream, of 2023): slices and tables stand below");
  }
  view.inside = FACTS.regions.length > 0;
  layOut();
  Object.keys(PLANES).forEach(fitCanvas);
  listenAll();
  shown.image = await volume("image", false);
  if (FACTS.regions.length) shown.labels = await volume("labels", false);
  const first = ["T1rho", "T1"].find((name) => layerOf(name)) ?? FACTS.layers[0].key;
  await showMap(first);
  for (const name of Object.keys(PLANES)) drawPlane(name);
  document.documentElement.dataset.viewer = "shown";
  await describe();
  document.documentElement.dataset.viewer = "ready";
}

begin().catch((error) => {
  byId("trouble").textContent = `The viewer could not start: ${error.message}.`;
  byId("trouble").hidden = false;
  document.documentElement.dataset.viewer = "failed";
});
