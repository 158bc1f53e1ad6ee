"use strict";
// The key lives in this variable only: no storage, no cookie, no address.
let key = "";
let shown = new Map();

const LOOK_MS = 30_000;
const SOON_MS = 15 * 60_000;
const PLAIN = /^(-?[0-9][0-9.:TZ-]*|[A-Z][A-Z_]{1,30})$/;
// What moves text about or hides in it.
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;
const byId = (id) => document.getElementById(id);

function text(parent, selector, value) {
  const element = parent.querySelector(selector);
  element.textContent = value ?? "";
  return element;
}

function element(tag, value, className) {
  const made = document.createElement(tag);
  made.textContent = value;
  if (className) made.className = className;
  return made;
}

function notice(said, isBad) {
  byId("notice").textContent = said;
  byId("notice").classList.toggle("bad", Boolean(isBad));
}

// Throws an Error whose message is for the person.
async function ask(path, body) {
  const headers = { Authorization: `Bearer ${key}` };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const options = { method: body === undefined ? "GET" : "POST", headers, credentials: "omit",
    cache: "no-store", redirect: "error", referrerPolicy: "no-referrer",
    body: body === undefined ? undefined : JSON.stringify(body) };
  let response;
  let answer;
  try {
    response = await fetch(path, options);
    answer = await response.text();
  } catch {
    throw new Error("The server does not answer.");
  }
  try {
    answer = JSON.parse(answer);
  } catch {
    throw new Error(answer.trim() || `The server answered ${response.status}.`);
  }
  if (response.ok) return answer;
  const error = new Error([answer.detail, answer.next].filter(Boolean).join(" "));
  error.isOfKey = response.status === 401 || response.status === 403;
  throw error;
}

// Numbers, times and a single word such as USD stand bare; what somebody may have written is quoted.
function quoted(value) {
  if (value === undefined || value === null) return "–";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value === "number" || PLAIN.test(value)) return String(value);
  return `“${String(value).replace(/[“”]/g, '"').replace(UNSEEN, "\ufffd")}”`;
}

// { a: { b: 1 } } as [["a b", 1]], so that before and after stand side by side.
function leaves(value, name, found) {
  if (Array.isArray(value) && value.every((item) => typeof item !== "object")) {
    found.set(name, value.map(quoted).join(", ") || "none");
  } else if (value !== null && typeof value === "object") {
    for (const [part, inner] of Object.entries(value)) {
      const label = Array.isArray(value) ? `${Number(part) + 1}` : words(part);
      leaves(inner, name ? `${name} ${label}` : label, found);
    }
  } else {
    found.set(name, quoted(value));
  }
  return found;
}

function words(name) {
  return name.replace(/([a-z])([A-Z])/g, "$1 $2").toLowerCase();
}

function fillChange(card, plan) {
  const before = leaves(plan.before ?? {}, "", new Map());
  const after = leaves(plan.after ?? {}, "", new Map());
  const rows = [...new Set([...before.keys(), ...after.keys()])].map((name) => {
    const row = document.createElement("tr");
    const head = element("th", name || "all");
    head.scope = "row";
    const [old, fresh] = [before.get(name) ?? "–", after.get(name) ?? "–"];
    row.append(head, element("td", old), element("td", fresh));
    row.className = old === fresh ? "same" : "";
    return row;
  });
  card.querySelector(".change tbody").replaceChildren(...rows);
  card.querySelector(".change").hidden = rows.length === 0;
}

function time(iso) {
  return `${iso.replace("T", " ").replace(/(:\d\d)(\.\d+)?Z$/, "$1")} UTC`;
}

function fillFacts(card, row) {
  const plan = row.plan;
  const asker = [quoted(row.principal), row.role ? `role ${quoted(row.role)}` : "no role"];
  if (row.client) asker.push(`through ${quoted(row.client)}`);
  const agreed = row.approvals.map((one) => `${quoted(one.by)} at ${time(one.at)}`).join(", ");
  const count = `${row.approvals.length} of ${row.approvalsNeeded}`;
  const facts = [
    ["asked by", `${asker.join(", ")}, at ${time(row.askedAt)}`],
    ["says why", row.purpose && quoted(row.purpose)],
    ["affects", plan.affects?.map(quoted).join(", ")],
    ["to undo it", plan.undo],
    ["needs people", row.why],
    ["rule", row.rule],
    ["approved", agreed ? `${count}: ${agreed}` : count],
    ["operation", row.operationId],
  ];
  const list = card.querySelector("dl");
  list.replaceChildren();
  for (const [name, value] of facts) {
    if (value) list.append(element("dt", name), element("dd", value));
  }
}

function fillExpiry(card, row) {
  const left = Date.parse(row.expiresAt) - Date.now();
  const minutes = Math.max(0, Math.round(left / 60_000));
  const rest = minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`;
  const expiry = text(card, ".expiry", `expires in ${rest}`);
  expiry.title = time(row.expiresAt);
  expiry.classList.toggle("soon", left < SOON_MS);
}

function fill(card, row) {
  const plan = row.plan;
  text(card, ".environment", row.environment).classList.toggle("live", row.environment === "live");
  text(card, ".tool", row.tool);
  text(card, ".effect", row.effect);
  const amount = row.amount === undefined ? "" : `${row.amount} ${row.currency ?? ""}`.trim();
  text(card, ".amount", amount);
  text(card, ".sure strong", amount ? `Approve ${amount}?` : "Approve this?");
  text(card, ".never", plan.reversible === false ? "It cannot be undone." : "");
  text(card, ".barred", row.barred);
  card.querySelector("form.approve").hidden = Boolean(row.barred);
  fillExpiry(card, row);
  fillChange(card, plan);
  fillFacts(card, row);
}

function outcome(card, said, isBad) {
  text(card, ".outcome", said).classList.toggle("bad", Boolean(isBad));
}

async function decide(card, row, verb, body) {
  const buttons = card.querySelectorAll("button");
  for (const button of buttons) button.disabled = true;
  try {
    const now = await ask(`/approvals/${encodeURIComponent(row.operationId)}/${verb}`, body);
    fill(card, now);
    const missing = now.approvalsNeeded - now.approvals.length;
    outcome(card, verb === "deny" ? "Denied. It cannot be done any more."
      : missing > 0 ? "Approved by you. Somebody else has to approve it as well."
      : "Approved. It is done when whoever asked calls again with this operation id.");
    card.classList.add("decided");
    card.focus();
  } catch (error) {
    outcome(card, error.message, true);
  } finally {
    for (const button of buttons) button.disabled = false;
  }
}

function cardOf(row) {
  const card = byId("plan").content.firstElementChild.cloneNode(true);
  card.id = row.operationId;
  fill(card, row);
  const approve = card.querySelector("form.approve");
  const first = approve.querySelector("button");
  const sure = approve.querySelector(".sure");
  const step = (isSecond) => {
    first.hidden = isSecond;
    sure.hidden = !isSecond;
    (isSecond ? sure.querySelector("button") : first).focus();
  };
  approve.addEventListener("submit", (event) => {
    event.preventDefault();
    if (sure.hidden) step(true);
    else decide(card, row, "approve", {});
  });
  approve.querySelector(".back").addEventListener("click", () => step(false));
  const deny = card.querySelector("form.deny");
  deny.addEventListener("submit", (event) => {
    event.preventDefault();
    decide(card, row, "deny", { why: deny.querySelector("input").value });
  });
  return card;
}

// What a person is at work on stays under their hands; what is no longer waiting goes, but what
// they have decided stays until they look again themselves.
function show(answer, isUnasked) {
  const fresh = new Map();
  for (const [id, card] of shown) {
    if (isUnasked && card.classList.contains("decided")) fresh.set(id, card);
  }
  for (const row of answer.data) {
    if (fresh.has(row.operationId)) continue;
    const known = shown.get(row.operationId);
    if (known === undefined || known.classList.contains("decided")) {
      fresh.set(row.operationId, cardOf(row));
    } else {
      fill(known, row);
      fresh.set(row.operationId, known);
    }
  }
  for (const [id, card] of shown) {
    if (fresh.get(id) !== card) card.remove();
  }
  for (const card of fresh.values()) {
    if (!card.isConnected) byId("plans").append(card);
  }
  shown = fresh;
  byId("who-text").textContent = `You are “${answer.principal}”, of the tenant “${answer.tenant}”.`;
  byId("key-form").hidden = true;
  byId("who").hidden = false;
  const count = answer.count === 1 ? "1 plan waits." : `${answer.count} plans wait.`;
  notice(answer.count === 0 ? "Nothing waits for approval." : count);
}

async function look(isUnasked) {
  const asked = key;
  try {
    const answer = await ask("/approvals/pending");
    // The person may have gone in the meantime.
    if (key === asked) show(answer, isUnasked);
  } catch (error) {
    if (key !== asked) return;
    if (error.isOfKey) forget();
    notice(error.message, true);
  }
}

function forget() {
  key = "";
  shown = new Map();
  byId("plans").replaceChildren();
  byId("who").hidden = true;
  byId("key-form").hidden = false;
  notice("");
}

byId("key-form").hidden = false;
byId("key-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const given = byId("key").value.trim();
  if (!/^[\x21-\x7e]+$/.test(given)) {
    notice("That is no key: it holds characters that keys and tokens never have.", true);
    return;
  }
  key = given;
  byId("key").value = "";
  await look();
  const linked = location.hash && byId(location.hash.slice(1));
  if (linked && shown.has(linked.id)) linked.scrollIntoView();
});
byId("reload").addEventListener("click", () => look());
byId("forget").addEventListener("click", () => {
  forget();
  byId("key").focus();
});
// A page that is left may be kept by the browser and shown again to whoever goes back.
addEventListener("pagehide", forget);
setInterval(() => {
  const isAtWork = document.activeElement?.closest("#plans form") !== null;
  if (key !== "" && !document.hidden && !isAtWork) look(true);
}, LOOK_MS);
