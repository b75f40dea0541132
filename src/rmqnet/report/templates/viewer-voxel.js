// What is known of one voxel: values with their standard deviations, measured signals, curves.
const SVG = "http://www.w3.org/2000/svg";

function cosSqrt(x) {
  return x > 0 ? Math.cos(Math.sqrt(x)) : Math.cosh(Math.sqrt(-x));
}

function sincSqrt(x) {
  if (Math.abs(x) < 1e-4) return 1 - (x / 6) * (1 - x / 20);
  return x > 0 ? Math.sin(Math.sqrt(x)) / Math.sqrt(x) : Math.sinh(Math.sqrt(-x)) / Math.sqrt(-x);
}

function element(tag, text, attributes = {}) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

function row(cells, heading) {
  const made = element("tr");
  cells.forEach((cell, at) => {
    made.append(heading || at === 0 ? element("th", cell, { scope: heading ? "col" : "row" }) : element("td", cell));
  });
  return made;
}

async function codeAt(layer, index) {
  return (await volume(layer.key, true))[index];
}

// Values of the maps in seconds and ratios, as the signal equations take them; a quantity without a value is left out.
async function quantitiesAt(index) {
  const values = { ...FACTS.assumed };
  for (const { name, factor } of FACTS.quantities) {
    const layer = layerOf(name), value = valueOf(layer, await codeAt(layer, index));
    if (value !== null) values[name] = value / factor;
  }
  return values;
}

async function valueRows(index) {
  const rows = [];
  for (const { name } of FACTS.quantities) {
    const layer = layerOf(name), spread = layerOf(name + "-sd"), code = await codeAt(layer, index);
    const made = element("tr", undefined, { "data-quantity": name });
    made.append(element("th", name, { scope: "row" }));
    const value = valueOf(layer, code);
    if (value === null) {
      made.append(element("td", "no value: " + FACTS.reasons[code], { class: "none" }));
    } else {
      const sd = spread ? valueOf(spread, await codeAt(spread, index)) : null;
      const unit = layer.unit ? " " + layer.unit : "";
      const range = sd === null ? "" : ` \u00b1 ${spreadInWords(sd, layer.digits)}`;
      made.append(element("td", `${inWords(value, layer.digits)}${range}${unit}`));
    }
    rows.push(made);
  }
  return rows;
}

function regionName(label) {
  const found = FACTS.regions.find((region) => region.label === label);
  return found ? found.name : "";
}

// Position in mm: towards the patient's right, anterior and superior where positive.
function position(voxel) {
  const mm = FACTS.affine.slice(0, 3).map((line) => line[0] * voxel[0] + line[1] * voxel[1] + line[2] * voxel[2] + line[3]);
  const letters = [["R", "L"], ["A", "P"], ["S", "I"]];
  return mm.map((value, at) => `${letters[at][value >= 0 ? 0 : 1]} ${Math.abs(value).toFixed(1)}`).join(", ") + " mm";
}

// Signals of the model for all images of a series; its amplitude is the one that fits the measured signals best.
function curveOf(series, values, measured) {
  const name = series.models.find((model) =>
    [...MODELS[model].free, ...MODELS[model].given].every((q) => q === "M0" || q in values));
  if (name === undefined) return null;
  const signal = (settings) => MODELS[name].signal({ ...values, M0: 1, ...settings });
  const shape = series.settings.map(signal);
  let product = 0, square = 0;
  measured.forEach((value, at) => {
    if (value !== null) {
      product += value * shape[at];
      square += shape[at] ** 2;
    }
  });
  const amplitude = product / square;
  return { model: name, fitted: shape.map((value) => amplitude * value), signal: (settings) => amplitude * signal(settings) };
}

async function measuredAt(series, row) {
  const codes = await volume("signals-" + series.method, true);
  return series.images.map((_, at) => {
    const code = codes[at * FACTS.n_kept + row];
    return code === MISSING_SIGNAL ? null : code * series.step;
  });
}

// Points of a smooth curve; the fitted points alone where images differ in more than one setting.
function smooth(series, curve) {
  const key = series.horizontal;
  const others = series.settings.map((one) => JSON.stringify({ ...one, [key]: 0 }));
  const positions = series.settings.map((one) => one[key]);
  if (others.some((text) => text !== others[0])) {
    return positions.map((x, at) => [x, curve.fitted[at]]).sort((a, b) => a[0] - b[0]);
  }
  const top = Math.max(...positions), bottom = key === "flip_angle" ? 0.5 : 0;
  return Array.from({ length: 61 }, (_, at) => {
    const x = bottom + ((top - bottom) * at) / 60;
    return [x, curve.signal({ ...series.settings[0], [key]: x })];
  });
}

function drawn(tag, attributes, text) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

function plot(series, measured, curve) {
  const width = 340, height = 190, left = 44, right = 10, top = 22, bottom = 34;
  const line = curve ? smooth(series, curve) : [];
  const xs = series.settings.map((one) => one[series.horizontal]);
  const highX = Math.max(...xs) * 1.04, known = measured.filter((value) => value !== null);
  const highY = Math.max(...known, ...line.map((point) => point[1])) * 1.08 || 1;
  const x = (value) => left + ((width - left - right) * value) / highX;
  const y = (value) => height - bottom - ((height - bottom - top) * value) / highY;
  const words = `Signals of the ${series.words} images at the cross-hair` + (curve ? ", and the curve of the model" : "");
  const svg = drawn("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": words, "data-method": series.method });
  svg.append(drawn("path", { d: `M${left} ${top}V${height - bottom}H${width - right}`, fill: "none", stroke: "#5a6673" }));
  for (const part of [0, 0.5, 1]) {
    const value = (highY / 1.08) * part, across = (highX / 1.04) * part;
    svg.append(drawn("text", { x: left - 5, y: y(value) + 4, "text-anchor": "end" }, value.toPrecision(3)));
    svg.append(drawn("text", { x: x(across), y: height - bottom + 14, "text-anchor": "middle" }, +(across * series.factor).toPrecision(3)));
  }
  svg.append(drawn("text", { x: (left + width - right) / 2, y: height - 5, "text-anchor": "middle" }, series.label));
  svg.append(drawn("text", { x: left, y: 13 }, `${series.words}: signal [a.u.]`));
  if (line.length) {
    const points = line.map((point) => `${x(point[0]).toFixed(1)},${y(point[1]).toFixed(1)}`).join(" ");
    svg.append(drawn("polyline", { points, fill: "none", stroke: "#1f5f8b", "stroke-width": 2 }));
  }
  measured.forEach((value, at) => {
    if (value !== null) svg.append(drawn("circle", { cx: x(xs[at]), cy: y(value), r: 4, fill: "#d08a00", stroke: "#fff" }));
  });
  return svg;
}

function signalTable(all) {
  const table = element("table"), body = element("tbody");
  table.append(row(["Image", "Measured", "Model"], true));
  for (const { series, measured, curve } of all) {
    series.images.forEach((image, at) => {
      const value = measured[at] === null ? "\u2013" : measured[at].toPrecision(3);
      const made = row([image + (series.own_grid ? "" : " (interpolated)"), value, curve ? curve.fitted[at].toPrecision(3) : "\u2013"]);
      made.dataset.method = series.method;
      body.append(made);
    });
  }
  table.append(body);
  const details = element("details");
  details.append(element("summary", "Signals as numbers"), table);
  details.append(element("p", "Model: the values above in the signal equation, scaled to the signals of its series.", { class: "caption" }));
  return details;
}

function withoutSignals() {
  if (FACTS.regions.length) return "No signals are kept for this voxel: the page keeps those in and near regions.";
  if (FACTS.n_kept) return "No signals are kept for this voxel: without regions, the page keeps those of voxels with values.";
  return "No signals are kept: without regions they are too many for a page.";
}

async function curvesAt(index) {
  const at = (await keptRows())[index];
  if (at < 0) return [element("p", withoutSignals(), { class: "caption" })];
  const values = await quantitiesAt(index), all = [];
  for (const series of FACTS.series) {
    const measured = await measuredAt(series, at);
    all.push({ series, measured, curve: curveOf(series, values, measured) });
  }
  const plots = all.filter(({ series }) => series.horizontal).map(({ series, measured, curve }) => plot(series, measured, curve));
  return [...plots, signalTable(all)];
}
