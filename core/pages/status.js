// What the gateway does now: read anew every few seconds, for as long as the page is seen.
import { el, replace, table, themeButton } from "/docs/common.js";

const EVERY_MS = 3000;
const SVG = "http://www.w3.org/2000/svg";
const DAY_MS = 86400000;
const ROWS_MAX = 100; // of operations at a time; the filter finds the others
let status = null;

// --- words ---

function span(ms) {
  const seconds = Math.round(ms / 1000);
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86400)} d`;
}

function rate(perSecond) {
  return perSecond === 0 ? "0" : perSecond < 10 ? perSecond.toFixed(2) : String(Math.round(perSecond));
}

function ms(value) {
  return value === 0 ? "–" : value < 10 ? value.toFixed(1) : String(Math.round(value));
}

function when(at) {
  return `${span(status.now_ms - at)} ago`;
}

function word(text, good) {
  return el("span", { class: good ? "good" : "bad" }, text);
}

// --- ten minutes as bars ---

function bar(x, height, failed) {
  const made = document.createElementNS(SVG, "rect");
  const attributes = { x, y: 24 - height, width: 1.6, height };
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (failed) made.setAttribute("class", "failed");
  return made;
}

function sparkline(points, failed) {
  const made = document.createElementNS(SVG, "svg");
  const most = Math.max(1, ...points);
  const first = 60 - points.length;
  made.setAttribute("viewBox", "0 0 120 24");
  made.setAttribute("role", "img");
  made.setAttribute("aria-label", `${points.at(-1) ?? 0} in the last 10 s, at most ${Math.max(0, ...points)}`);
  points.forEach((count, i) => {
    if (count) made.append(bar((first + i) * 2, Math.max(1, (24 * count) / most), false));
    if (failed[i]) made.append(bar((first + i) * 2, Math.max(1, (24 * failed[i]) / most), true));
  });
  return made;
}

// --- sections ---

function showNow() {
  const api = status.listeners.find((one) => one.name === "api") ?? {};
  const waiting = Object.entries(status.waits).filter(([, count]) => count > 0);
  const rejected = Object.entries(status.rejected).map(([reason, count]) => `${reason} ${count}`);
  const end = status.certificate_end_ms;
  const pairs = [
    ["Up for", span(status.uptime_ms)],
    ["Config", `generation ${status.generation}`],
    ["Requests", `${api.requests ?? "–"} in progress`],
    ["Connections", api.connections ?? "–"],
    ["Workers", api.workers ?? "–"],
    ["Waiting", waiting.map(([what, count]) => `${what} ${count}`).join(", ") || "none"],
    ["Store", status.store ?? "none"],
    ["Turned away", rejected.join(", ") || "none"],
    ["Log lines lost", status.log_lines_lost],
    ...(status.spans ? [["Spans sent", `${status.spans.exported}, ${status.spans.lost} lost`]] : []),
    ["Certificate", end ? `ends in ${span(end - status.now_ms)}` : "none"],
  ];
  replace("now", ...pairs.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, String(value)))));
}

const HEADS = ["Per s", "Errors per s", "p50 ms", "p95 ms", "p99 ms"];

function traffic(one) {
  const errors = rate(one.failed_per_s);
  return [
    rate(one.per_s),
    one.failed_per_s > 0 ? word(errors, false) : errors,
    ms(one.p50_ms),
    ms(one.p95_ms),
    ms(one.p99_ms),
  ];
}

function showOperations() {
  const wanted = document.getElementById("filter").value.toLowerCase();
  const found = status.operations
    .filter((one) => `${one.group} ${one.name}`.toLowerCase().includes(wanted))
    .sort((a, b) => b.per_s - a.per_s || a.name.localeCompare(b.name));
  const rows = found.slice(0, ROWS_MAX).map((one) => [
    one.name,
    ...traffic(one),
    `${ms(one.mean_ms - one.upstream_ms)} + ${ms(one.waited_ms)} + ${ms(one.upstream_ms)}`,
    one.total,
    sparkline(one.points, one.failed_points),
  ]);
  const shown = table("Operations", ["Operation", ...HEADS, "Own + waiting + upstream ms", "All", "10 min"], rows);
  const rest = found.length - rows.length;
  replace("operations", shown, ...(rest > 0 ? [el("p", { class: "dim" }, `and ${rest} with less traffic: filter to see them`)] : []));
}

function showUpstreams() {
  const known = new Map(status.upstreams.map((one) => [one.name, one]));
  const none = { per_s: 0, failed_per_s: 0, p50_ms: 0, p95_ms: 0, p99_ms: 0, total: 0, points: [], failed_points: [] };
  const rows = Object.entries(status.upstream_states).map(([name, state]) => {
    const one = known.get(name) ?? none;
    const good = state === "ok" || state === "unused";
    return [name, word(state, good), ...traffic(one), one.total, sparkline(one.points, one.failed_points)];
  });
  replace("upstreams", table("Upstreams", ["Upstream", "State", ...HEADS, "All", "10 min"], rows));
}

// A table, or a word where there is nothing for it.
function list(label, heads, rows) {
  return rows.length ? table(label, heads, rows) : el("p", { class: "dim" }, "None so far.");
}

// What groups show by themselves: each table has the columns of its first row; a time is a member "at_ms".
function cell(name, value) {
  if (value === null || value === undefined) return "";
  return name === "at_ms" ? when(value) : String(value);
}

function groupTables(group, tables) {
  return Object.entries(tables).flatMap(([name, rows]) => {
    const columns = Object.keys(rows[0] ?? {});
    const heads = columns.map((one) => (one === "at_ms" ? "When" : one[0].toUpperCase() + one.slice(1).replaceAll("_", " ")));
    const cells = rows.map((row) => columns.map((one) => cell(one, row[one])));
    return [el("h2", {}, `${name} (${group})`), list(`${name} of ${group}`, heads, cells)];
  });
}

function showTables() {
  replace("tables", ...Object.entries(status.tables).flatMap(([group, tables]) => groupTables(group, tables)));
}

function showLists() {
  const errors = status.errors.map((one) => [
    when(one.at_ms),
    String(one.status),
    one.operation,
    one.error,
    el("code", {}, one.request_id),
  ]);
  const reasons = status.groups.some((one) => one.reason);
  const groups = status.groups.map((one) => [
    one.name,
    one.version ?? "",
    word(one.state, one.state !== "left out"),
    String(one.routes),
    ...(reasons ? [one.reason ?? ""] : []),
  ]);
  const metrics = status.metrics.map((one) => [one.group, one.name, one.label, String(one.value)]);
  const configs = status.configs.map((one) => [
    when(one.at_ms),
    String(one.generation),
    one.failed ? word("did not work", false) : word("serves", true),
  ]);
  replace("errors", list("Last errors", ["When", "Status", "Operation", "Error", "Request id"], errors));
  replace("groups", list("Groups", ["Group", "Version", "State", "Routes", ...(reasons ? ["Reason"] : [])], groups));
  replace("metrics", list("Metrics of groups", ["Group", "Metric", "Label", "Value"], metrics));
  replace("configs", table("Configs", ["When", "Generation", "State"], configs));
}

// --- the verdict ---

function troubles(readiness) {
  const found = (readiness.checks ?? []).filter((one) => one.reason).map((one) => `${one.kind} ${one.name}: ${one.reason}`);
  const end = status.certificate_end_ms;
  if (readiness.status !== "ready" && found.length === 0) found.push("not ready");
  if (status.reload_failed) found.push("the config in the files does not work");
  if (end && end - status.now_ms < 7 * DAY_MS) found.push(`the certificate ends in ${span(end - status.now_ms)}`);
  return found;
}

function verdict(found) {
  document.body.dataset.state = found.length ? "bad" : "good";
  document.title = `${found.length ? "Trouble" : "Fine"}: gateway`;
  const line = document.getElementById("verdict");
  const text = found.length ? `Trouble: ${found.join("; ")}` : "All is well";
  if (line.textContent !== text) line.textContent = text; // a reader hears of changes alone
}

function show(readiness) {
  document.getElementById("version").textContent = status.version;
  showNow();
  showOperations();
  showUpstreams();
  showLists();
  showTables();
  verdict(troubles(readiness));
}

async function read(path) {
  const answer = await fetch(path, { cache: "no-store" });
  if (!answer.headers.get("Content-Type")?.includes("json")) throw new Error(`status ${answer.status}`);
  return answer.json();
}

async function update() {
  try {
    const [now, readiness] = await Promise.all([read("/status.json"), read("/readyz")]);
    status = now;
    show(readiness);
  } catch (problem) {
    verdict([`no answer from the gateway: ${problem.message}`]);
  }
}

// One request at a time, and none while the page is hidden.
async function loop() {
  if (!document.hidden) await update();
  setTimeout(loop, EVERY_MS);
}

themeButton(document.getElementById("theme"));
document.getElementById("filter").addEventListener("input", () => status && showOperations());
loop();
