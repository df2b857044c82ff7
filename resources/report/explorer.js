"use strict";
const content = JSON.parse(document.getElementById("content").textContent);
// rows come column by column: the values of a column, and for every row which of them it has
const columns = Object.entries(content.rows);
content.rows = (columns.length ? columns[0][1].codes : []).map((_, k) =>
  Object.fromEntries(columns.map(([name, column]) => [name, column.values[column.codes[k]]])));
const byId = (id) => document.getElementById(id);
const labels = Object.fromEntries(content.networks.map((each) => [each.name, each.label]));

function fill(select, options, chosen) {
  for (const [value, text] of options) select.add(new Option(text, value, false, value === chosen));
}

fill(byId("measure"), Object.entries(content.measures), Object.keys(content.measures)[0]);
fill(byId("roi"), content.rois.map((each) => [each, each]), content.rois[0]);
fill(byId("other"), content.rois.map((each) => [each, each]), content.rois[content.rois.length - 1]);
const drawn = content.networks.filter((each) => content.rows.some((row) => row.model === each.name));
fill(byId("first"), drawn.map((each) => [each.name, each.label]), drawn[0] && drawn[0].name);
fill(byId("second"), drawn.map((each) => [each.name, each.label]), drawn[1] && drawn[1].name);
const named = Object.keys(content.rdms).filter((name) => content.rdms[name]);
fill(byId("rdm"), named.map((name) => {
  const cut = name.indexOf("/");
  return [name, cut < 0 ? `${name} (brain)` : `${labels[name.slice(0, cut)]}: ${name.slice(cut + 1)}`];
}), named[0]);
fill(byId("order"), Object.keys(content.orders).map((each) => [each, each]),
  Object.keys(content.orders).find((each) => each.startsWith("cluster")) || "stimulus");
byId("shown").textContent = content.shown[0] === content.shown[1]
  ? `All ${content.shown[1]} test stimuli; dissimilarities as ranks, dark: alike.`
  : `${content.shown[0]} of ${content.shown[1]} test stimuli, evenly spaced in their list; dissimilarities as ranks, dark: alike.`;

for (const each of content.networks) {
  const label = document.createElement("label");
  const box = Object.assign(document.createElement("input"), { type: "checkbox", value: each.name, checked: true });
  const swatch = Object.assign(document.createElement("span"), { className: "swatch" });
  swatch.style.background = each.color;
  label.append(box, swatch, each.label);
  label.title = each.family;
  box.addEventListener("change", update);
  byId("networks").append(label);
}

const chosenNetworks = () => [...byId("networks").querySelectorAll("input:checked")].map((box) => box.value);
const colour = {
  // by name: two networks may have one label
  field: "model", type: "nominal", legend: null,
  scale: { domain: content.networks.map((each) => each.name), range: content.networks.map((each) => each.color) },
};
const tooltip = [
  { field: "label", title: "network" }, { field: "layer" }, { field: "shape", title: "output" },
  { field: "interval", title: "score" }, { field: "attained", title: "of what is attainable" },
];
if (content.rows.some((row) => row.dimensionality !== null)) {
  tooltip.push({ field: "dimensionality", title: "effective dimensions" });
}
for (const row of content.rows) {
  row.interval = row.ci_low === null || row.ci_high === null ? `${row.score.toFixed(3)}, without an interval`
    : `${row.score.toFixed(3)} [${row.ci_low.toFixed(3)}, ${row.ci_high.toFixed(3)}]`;
  row.attained = row.attainable === null ? "not known" : `${Math.round((100 * row.score) / row.attainable)} %`;
}

const profiles = {
  width: "container", height: 320, data: { name: "rows", values: [] },
  encoding: { x: { field: "depth", type: "quantitative", title: "relative depth (input 0, output 1)" }, color: colour },
  layer: [
    { mark: { type: "area", opacity: 0.13 }, encoding: { y: { field: "ci_low", type: "quantitative", title: "score" }, y2: { field: "ci_high" } } },
    { mark: { type: "line", strokeWidth: 1.6 }, encoding: { y: { field: "score", type: "quantitative" } } },
    { mark: { type: "point", filled: true, size: 55, cursor: "pointer" }, encoding: { y: { field: "score", type: "quantitative" }, tooltip } },
    {
      transform: [{ filter: "datum.attainable != null" }, { aggregate: [{ op: "max", field: "attainable", as: "attainable" }] }],
      mark: { type: "rule", strokeDash: [5, 4], color: "#555" },
      encoding: { y: { field: "attainable", type: "quantitative" }, color: { value: "#555" }, x: null },
    },
  ],
};
const scatter = {
  width: "container", height: 320, data: { name: "rows", values: [] },
  encoding: {
    x: { field: "here", type: "quantitative", title: "score in the region" },
    y: { field: "there", type: "quantitative", title: "score in the other region" },
    color: colour, order: { field: "depth" },
  },
  layer: [
    { mark: { type: "line", strokeWidth: 1, opacity: 0.6 } },
    { mark: { type: "point", filled: true, size: 55, cursor: "pointer" }, encoding: { tooltip } },
  ],
};

const views = {};
function rowsNow() {
  const networks = new Set(chosenNetworks());
  const rows = content.rows.filter((row) => row.measure === byId("measure").value && row.roi === byId("roi").value && networks.has(row.model));
  // a network of one layer is a line from input to output, as in the report
  const layers = new Map();
  for (const row of rows) layers.set(row.model, (layers.get(row.model) || 0) + 1);
  return rows.flatMap((row) => (layers.get(row.model) > 1 ? [row] : [{ ...row, depth: 0 }, { ...row, depth: 1 }]));
}
function pairsNow() {
  const two = new Set([byId("first").value, byId("second").value]);
  const own = content.rows.filter((row) => row.measure === byId("measure").value && two.has(row.model));
  const there = new Map(own.filter((row) => row.roi === byId("other").value).map((row) => [`${row.model}/${row.layer}`, row.score]));
  return own.filter((row) => row.roi === byId("roi").value && there.has(`${row.model}/${row.layer}`))
    .map((row) => ({ ...row, here: row.score, there: there.get(`${row.model}/${row.layer}`) }));
}
function update() {
  // two different regions, where there are two
  if (byId("other").value === byId("roi").value && content.rois.length > 1) {
    byId("other").value = content.rois.find((roi) => roi !== byId("roi").value);
  }
  describe();
  if (views.profiles) views.profiles.data("rows", rowsNow()).runAsync();
  if (views.scatter) views.scatter.data("rows", pairsNow()).runAsync();
}
function pick(event, item) {
  const datum = item && item.datum;
  if (!datum || !datum.layer) return;
  const name = `${datum.model}/${datum.layer}`;
  if (!content.rdms[name]) return;
  byId("rdm").value = name;
  draw();
  byId("rdm-title").scrollIntoView({ behavior: "smooth" });
}
async function start() {
  // errors alone: a choice that leaves nothing to draw is no fault
  const options = { actions: false, renderer: "svg", logLevel: 1 };
  profiles.data.values = rowsNow();
  scatter.data.values = pairsNow();
  for (const [name, spec] of Object.entries({ profiles, scatter })) {
    if (name === "scatter" && content.rois.length < 2) { byId("scatter-section").hidden = true; continue; }
    const made = await window.vegaEmbed(`#${name}`, { ...spec, config: { font: "system-ui, sans-serif" } }, options);
    made.view.addEventListener("click", pick);
    views[name] = made.view;
  }
  document.body.dataset.ready = "yes";
}
for (const id of ["measure", "roi", "other", "first", "second"]) byId(id).addEventListener("change", update);

// ---- the matrix ----
const count = content.stimuli.length;
const pitch = Math.max(6, Math.min(24, Math.floor(860 / (count + 2))));
const margin = pitch > 15 ? pitch : 16;
const sprite = new Image();
const size = content.thumbnail;
const colours = content.colours.map((each) => [1, 3, 5].map((k) => parseInt(each.slice(k, k + 2), 16)));
let ranks, order, at = [0, 1];

function rank(i, j) {
  if (i === j) return 0;
  const [a, b] = i < j ? [i, j] : [j, i];
  return ranks.charCodeAt(a * count - (a * (a + 1)) / 2 + b - a - 1);
}
function draw() {
  // no layer or region may have one
  if (!named.length) return;
  describe();
  ranks = atob(content.rdms[byId("rdm").value]);
  order = content.orders[byId("order").value];
  const canvas = byId("matrix");
  canvas.width = canvas.height = margin + count * pitch;
  const context = canvas.getContext("2d");
  order.forEach((stimulus, k) => {
    context.drawImage(sprite, size * stimulus, 0, size, size, margin + k * pitch, 0, pitch, margin);
    context.drawImage(sprite, size * stimulus, 0, size, size, 0, margin + k * pitch, margin, pitch);
  });
  for (let i = 0; i < count; i += 1) {
    for (let j = 0; j < count; j += 1) {
      context.fillStyle = `rgb(${colours[rank(order[i], order[j])].join()})`;
      context.fillRect(margin + j * pitch, margin + i * pitch, pitch, pitch);
    }
  }
  tell();
}
// the numbers of the layer whose RDM is shown, for those who do not point
function describe() {
  const row = content.rows.find((each) => `${each.model}/${each.layer}` === byId("rdm").value
    && each.measure === byId("measure").value && each.roi === byId("roi").value);
  byId("numbers").textContent = row ? `${content.measures[row.measure]} in ${row.roi}: ${tooltip
    .filter((each) => each.title && each.field !== "label" && row[each.field])
    .map((each) => `${each.title} ${row[each.field]}`).join("; ")}.` : "";
}
function tell() {
  if (!order) return;
  const [i, j] = at.map((place) => order[Math.max(0, Math.min(count - 1, place))]);
  const told = byId("told");
  told.replaceChildren();
  for (const stimulus of [i, j]) {
    const picture = Object.assign(document.createElement("div"), { className: "picture" });
    picture.style.backgroundImage = `url(${content.sprite})`;
    picture.style.backgroundSize = `${96 * count}px 96px`;
    picture.style.backgroundPosition = `-${96 * stimulus}px 0`;
    const kinds = Object.values(content.labels).map((values) => values[stimulus]).filter(Boolean);
    const name = document.createElement("p");
    name.textContent = [content.stimuli[stimulus], ...kinds].join(", ");
    told.append(picture, name);
  }
  const said = document.createElement("p");
  said.textContent = i === j ? "The same stimulus." : `Rank of their dissimilarity: ${Math.round((100 * rank(i, j)) / 255)} %`;
  told.append(said);
}
byId("matrix").addEventListener("pointermove", (event) => {
  at = [event.offsetY, event.offsetX].map((place) => Math.floor((place - margin) / pitch));
  if (Math.min(...at) >= 0) tell();
});
byId("matrix").addEventListener("keydown", (event) => {
  const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  if (!moves[event.key]) return;
  event.preventDefault();
  at = at.map((place, k) => Math.max(0, Math.min(count - 1, place + moves[event.key][k])));
  tell();
});
for (const id of ["rdm", "order"]) byId(id).addEventListener("change", draw);
sprite.addEventListener("load", draw);
sprite.src = content.sprite;
start();
