// The API, from the description that the gateway makes of what it serves now.
import { el, table, themeButton } from "/docs/common.js";

const METHODS = ["get", "post", "put", "patch", "delete"];
const state = { document: null, etag: null };

// --- the document ---

// What a {"$ref": "#/…"} stands for.
function resolve(value) {
  if (!value?.$ref) return value ?? {};
  let at = state.document;
  for (const step of value.$ref.slice(2).split("/")) at = at[step];
  return at;
}

function operations() {
  return Object.entries(state.document.paths).flatMap(([path, item]) =>
    METHODS.filter((method) => item[method]).map((method) => ({ path, method, ...item[method] })),
  );
}

function serverUrl() {
  return new URL(state.document.servers[0].url, location.origin).href.replace(/\/$/, "");
}

// --- schemas in words ---

function typeOf(schema) {
  const types = [schema.type ?? "any"].flat().filter((type) => type !== "null");
  const items = schema.items?.type ? ` of ${[schema.items.type].flat()[0]}` : "";
  return `${types.join(" or ")}${items}${schema.format ? `, ${schema.format}` : ""}`;
}

function span(min, max, what) {
  if (min === undefined && max === undefined) return undefined;
  if (min === max) return `${min}${what}`;
  if (max === undefined) return `at least ${min}${what}`;
  return min === undefined ? `at most ${max}${what}` : `${min} to ${max}${what}`;
}

function boundsOf(schema) {
  return [
    schema.enum && "one of " + schema.enum.filter((value) => value !== null).join(", "),
    span(schema.minimum, schema.maximum, ""),
    span(schema.minLength, schema.maxLength, " characters"),
    span(schema.minItems, schema.maxItems, " elements"),
    span(schema.minProperties, schema.maxProperties, " members"),
    schema.multipleOf && `a multiple of ${schema.multipleOf}`,
    schema.pattern && `matches ${schema.pattern}`,
    schema.default !== undefined && `default ${JSON.stringify(schema.default)}`,
  ].filter(Boolean);
}

// A value that a schema would take: its example, or a small one of its type.
function sample(schema) {
  if (schema.examples?.length) return schema.examples[0];
  if (schema.default !== undefined) return schema.default;
  if (schema.enum) return schema.enum[0];
  const type = [schema.type].flat()[0];
  if (type === "object") return sampleObject(schema);
  if (type === "array") return schema.minItems ? [sample(resolve(schema.items))] : [];
  if (type === "integer" || type === "number") return schema.minimum ?? 1;
  return type === "boolean" ? true : "";
}

function sampleObject(schema) {
  const made = {};
  for (const name of schema.required ?? []) made[name] = sample(schema.properties?.[name] ?? {});
  return made;
}

// --- tables ---

function nameCell(name, schema, required, depth) {
  const cell = el("span", { class: schema.deprecated ? "inside old" : "inside" }, el("code", {}, name));
  cell.style.setProperty("--depth", depth);
  if (required) cell.append(" ", el("span", { class: "warn" }, "required"));
  return cell;
}

function meaning(schema, description) {
  const bounds = boundsOf(schema).join("; ");
  const example = schema.examples?.length ? `Example: ${JSON.stringify(schema.examples[0])}` : "";
  return el(
    "span",
    {},
    description ?? schema.description ?? "",
    bounds && el("span", { class: "dim" }, ` (${bounds})`),
    schema.deprecated && el("span", { class: "warn" }, " On its way out."),
    example && el("div", { class: "dim" }, example),
  );
}

// Rows of an object's members, those inside of them below. input(name, schema): what is beside a
// member of the outermost object, or nothing.
function memberRows(schema, input, depth = 0) {
  return Object.entries(schema.properties ?? {}).flatMap(([name, given]) => {
    const member = resolve(given);
    const inside = member.properties ? member : resolve(member.items ?? {});
    const cells = [nameCell(name, member, schema.required?.includes(name), depth), typeOf(member)];
    if (input) cells.push(depth === 0 ? (input(name, member) ?? "") : "");
    cells.push(meaning(member));
    return [cells, ...(depth < 5 ? memberRows(inside, input, depth + 1) : [])];
  });
}

// --- one field of a form ---

function field(label, schema, changed) {
  const choices = schema.enum ?? (schema.type === "boolean" ? [true, false] : null);
  const attributes = { "aria-label": label, autocomplete: "off", oninput: changed };
  if (choices) {
    const options = choices.filter((value) => value !== null).map((value) => el("option", {}, String(value)));
    return el("select", { ...attributes, onchange: changed }, el("option", { value: "" }, ""), ...options);
  }
  const kind = schema.format === "password" ? "password" : "text";
  return el("input", { ...attributes, type: kind, placeholder: String(schema.examples?.[0] ?? "") });
}

// --- try it ---

class Trial {
  constructor(operation) {
    this.operation = operation;
    this.values = new Map();
    this.parameters = (operation.parameters ?? []).map(resolve);
    const [type, media] = Object.entries(operation.requestBody?.content ?? {})[0] ?? [];
    this.type = type === "*/*" ? "application/json" : type;
    this.schema = media && resolve(media.schema);
    this.curl = el("pre", { tabindex: "0", "aria-label": "curl command" });
    this.result = el("div", { role: "status" });
    if (this.schema) {
      this.body = el("textarea", { "aria-label": "Body", spellcheck: "false", oninput: () => this.show() });
      this.body.value = JSON.stringify(sample(this.schema), null, 2);
    }
  }

  input(parameter) {
    const made = field(parameter.name, parameter.schema ?? {}, () => this.show());
    this.values.set(parameter, made);
    return made;
  }

  // A field beside a member writes it into the body; emptied, it takes it out.
  memberInput(name, schema) {
    const type = [schema.type].flat()[0];
    if (!["string", "integer", "number", "boolean"].includes(type)) return undefined;
    const made = field(`Body: ${name}`, { ...schema, type }, () => {
      let body;
      try {
        body = JSON.parse(this.body.value || "{}");
      } catch {
        return; // what was typed there is left alone until it can be read
      }
      if (made.value === "") delete body[name];
      else body[name] = type === "string" ? made.value : JSON.parse(made.value);
      this.body.value = JSON.stringify(body, null, 2);
      this.show();
    });
    return made;
  }

  path() {
    let path = this.operation.path;
    const query = new URLSearchParams();
    for (const [parameter, input] of this.values) {
      if (parameter.in === "path") path = path.replace(`{${parameter.name}}`, encodeURIComponent(input.value));
      else if (parameter.in === "query" && input.value !== "") query.append(parameter.name, input.value);
    }
    return path + (query.size ? `?${query}` : "");
  }

  // The header that carries the key, by the first scheme of the operation.
  keyHeader() {
    const name = Object.keys(this.operation.security?.find((way) => Object.keys(way).length) ?? {})[0];
    const scheme = name && state.document.components.securitySchemes[name];
    if (!scheme) return undefined;
    return scheme.type === "apiKey" ? [scheme.name, ""] : ["Authorization", "Bearer "];
  }

  headers(key) {
    const headers = {};
    const carrier = this.keyHeader();
    if (carrier && key) headers[carrier[0]] = carrier[1] + key;
    for (const [parameter, input] of this.values) {
      if (parameter.in === "header" && input.value !== "") headers[parameter.name] = input.value;
    }
    if (this.body) headers["Content-Type"] = this.type;
    return headers;
  }

  // The key itself is never in the command: it would end up in a shell's history.
  show() {
    const quote = (text) => `'${String(text).replaceAll("'", `'\\''`)}'`;
    const method = this.operation.method.toUpperCase();
    const lines = [`curl -s ${method === "GET" ? "" : `-X ${method} `}${quote(serverUrl() + this.path())}`];
    for (const [name, value] of Object.entries(this.headers("$KEY"))) {
      const text = `${name}: ${value}`;
      lines.push(`-H ${value.includes("$KEY") ? `"${text}"` : quote(text)}`);
    }
    if (this.body) lines.push(`-d ${quote(this.body.value)}`);
    this.curl.textContent = lines.join(" \\\n  ");
  }

  async send() {
    const started = performance.now();
    this.result.replaceChildren(el("p", { class: "dim" }, "Sending …"));
    try {
      const answer = await fetch(serverUrl() + this.path(), {
        method: this.operation.method.toUpperCase(),
        headers: this.headers(document.getElementById("key").value),
        body: this.body?.value,
        credentials: "omit",
        cache: "no-store",
      });
      this.tell(answer, await answer.text(), performance.now() - started);
    } catch (problem) {
      this.result.replaceChildren(el("p", { class: "bad" }, `No answer: ${problem.message}`));
    }
  }

  tell(answer, text, took) {
    let shown = text;
    try {
      shown = JSON.stringify(JSON.parse(text), null, 2);
    } catch {
      // not JSON: as it came
    }
    const headers = [...answer.headers].map(([name, value]) => `${name}: ${value}`).join("\n");
    this.result.replaceChildren(
      el("p", { class: answer.ok ? "good" : "bad" }, `${answer.status} after ${Math.round(took)} ms`),
      el("pre", { tabindex: "0", "aria-label": "Headers of the answer" }, headers),
      shown && el("pre", { tabindex: "0", "aria-label": "Body of the answer" }, shown),
    );
  }

  // A page on the admin listener is of another origin than the API, and reaches it no more than any
  // other page does.
  sendButton() {
    if (new URL(serverUrl()).origin === location.origin)
      return el("button", { type: "button", onclick: () => this.send() }, "Send");
    return el("p", { class: "dim" }, "To send from here, set docs.public and open /docs at the API itself.");
  }

  render() {
    const parts = [];
    if (this.parameters.length)
      parts.push(
        el("h3", {}, "Parameters"),
        table("Parameters", ["Name", "In", "Type", "Value", "Meaning"], this.parameters.map((one) => [
          nameCell(one.name, { deprecated: one.deprecated }, one.required, 0),
          one.in,
          typeOf(one.schema ?? {}),
          this.input(one),
          meaning(one.schema ?? {}, one.description),
        ])),
      );
    if (this.schema) {
      const rows = memberRows(this.schema, (name, schema) => this.memberInput(name, schema));
      parts.push(el("h3", {}, "Body"));
      if (rows.length) parts.push(table("Members of the body", ["Name", "Type", "Value", "Meaning"], rows));
      parts.push(this.body);
    }
    parts.push(el("h3", {}, "Try it"), this.curl, this.sendButton(), this.result);
    this.show();
    return parts;
  }
}

// --- an operation ---

function answers(operation) {
  return Object.entries(operation.responses).map(([status, given]) => {
    const response = resolve(given);
    const media = response.content?.["application/json"];
    const members = media?.schema && !given.$ref ? memberRows(resolve(media.schema)) : [];
    const example = media?.example && JSON.stringify(media.example, null, given.$ref ? 0 : 2);
    return [
      el("code", {}, status),
      el(
        "div",
        {},
        response.description,
        example && el("pre", { tabindex: "0", "aria-label": `Example of ${status}` }, example),
        members.length > 0 &&
          el(
            "details",
            {},
            el("summary", {}, "Members"),
            table(`Members of ${status}`, ["Name", "Type", "Meaning"], members),
          ),
      ),
    ];
  });
}

function render(operation) {
  return [
    ...(operation.description ?? "").split("\n\n").map((text) => el("p", {}, text)),
    el("p", { class: "dim" }, `Operation ${operation.operationId}`),
    ...new Trial(operation).render(),
    el("h3", {}, "Answers"),
    table("Answers", ["Status", "Meaning"], answers(operation)),
  ];
}

// What is inside is made when it is opened: there may be hundreds.
function operationElement(operation) {
  const inside = el("div", {});
  const element = el(
    "details",
    { class: "operation", id: operation.operationId },
    el(
      "summary",
      {},
      el("span", { class: "method mono" }, operation.method.toUpperCase()),
      el("span", { class: operation.deprecated ? "path mono old" : "path mono" }, operation.path),
      el("span", { class: "dim" }, operation.summary),
    ),
    inside,
  );
  element.addEventListener("toggle", () => {
    if (element.open && !inside.hasChildNodes()) inside.replaceChildren(...render(operation));
  });
  element.words = [operation.path, operation.method, operation.operationId, operation.summary, operation.description]
    .join(" ")
    .toLowerCase();
  return element;
}

// --- the page ---

function group(tag, all) {
  const mine = all.filter((operation) => operation.tags.includes(tag.name));
  return el(
    "section",
    { id: `group-${tag.name}`, "aria-label": tag.name },
    el("h2", {}, tag.name, " ", el("span", { class: "dim" }, tag["x-version"] ?? "")),
    el("p", { class: "dim" }, tag.description),
    ...mine.map(operationElement),
  );
}

function search() {
  const words = document.getElementById("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const section of document.querySelectorAll("main section")) {
    let shown = 0;
    for (const one of section.querySelectorAll(".operation")) {
      one.hidden = !words.every((word) => one.words.includes(word));
      shown += !one.hidden;
    }
    section.hidden = shown === 0;
  }
}

function openLinked() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target?.matches("details")) target.open = true;
  target?.scrollIntoView();
}

function show() {
  const all = operations();
  document.getElementById("version").textContent = state.document.info.version;
  document.getElementById("groups").replaceChildren(
    ...state.document.tags.map((tag) => el("li", {}, el("a", { href: `#group-${tag.name}` }, tag.name))),
  );
  document.getElementById("operations").replaceChildren(...state.document.tags.map((tag) => group(tag, all)));
  search();
  openLinked();
}

function notice(...children) {
  const line = document.getElementById("notice");
  line.replaceChildren(...children);
  line.hidden = false;
}

// When the page is shown again, it tells if the gateway serves something else by now.
async function load() {
  try {
    const answer = await fetch("/openapi.json", { cache: "no-cache" });
    const etag = answer.headers.get("ETag");
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    if (state.etag === etag) return;
    const document = await answer.json();
    const first = state.document === null;
    Object.assign(state, { document, etag });
    if (first) show();
    else notice("The gateway serves something else now. ", el("button", { type: "button", onclick: refresh }, "Show it"));
  } catch (problem) {
    notice(`The description cannot be read: ${problem.message}`);
  }
}

function refresh() {
  document.getElementById("notice").hidden = true;
  show();
}

document.getElementById("menu").open = matchMedia("(min-width: 48rem)").matches;
document.getElementById("search").addEventListener("input", search);
themeButton(document.getElementById("theme"));
addEventListener("hashchange", openLinked);
document.addEventListener("visibilitychange", () => document.hidden || load());
addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.target.matches("input, textarea, select")) return;
  event.preventDefault();
  document.getElementById("search").focus();
});
load();
