"use strict";
// The token lives in its input only: no storage, no cookie, no address.
const token = document.getElementById("token");
document.getElementById("token-form").hidden = false;
document.getElementById("token-form").addEventListener("submit", (event) => event.preventDefault());

for (const code of document.querySelectorAll("pre.curl code")) {
  code.textContent = code.textContent.replace("http://127.0.0.1:9080", location.origin);
}

function openTarget() {
  const target = document.getElementById(location.hash.slice(1));
  if (target instanceof HTMLDetailsElement) target.open = true;
}
addEventListener("hashchange", openTarget);
openTarget();

function request(form) {
  let path = form.dataset.path;
  const query = new URLSearchParams();
  const headers = {};
  let body;
  for (const input of form.querySelectorAll("[data-in]")) {
    const name = input.dataset.name;
    const value = input.value;
    if (input.dataset.in === "path") {
      path = path.replace(`{${name}}`, encodeURIComponent(value));
    } else if (value === "") {
      continue;
    } else if (input.dataset.in === "query") {
      query.append(name, value);
    } else if (input.dataset.in === "header") {
      headers[name] = value;
    } else {
      headers["Content-Type"] = "application/json";
      body = value;
    }
  }
  if (token.value !== "") headers.Authorization = `Bearer ${token.value}`;
  const target = query.size > 0 ? `${path}?${query}` : path;
  return [target, { method: form.dataset.method, headers, body, credentials: "omit" }];
}

function show(output, head, text) {
  const title = document.createElement("p");
  title.textContent = head;
  output.replaceChildren(title);
  if (text === "") return;
  const pre = document.createElement("pre");
  pre.tabIndex = 0;
  try {
    pre.textContent = JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    pre.textContent = text;
  }
  output.append(pre);
}

for (const form of document.querySelectorAll("form.try")) {
  form.hidden = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button");
    const output = form.querySelector("output");
    const [target, options] = request(form);
    button.disabled = true;
    try {
      const response = await fetch(target, options);
      const head = `HTTP ${response.status} ${response.statusText}`.trim();
      show(output, head, await response.text());
    } catch (error) {
      show(output, `No answer: ${error.message}`, "");
    } finally {
      button.disabled = false;
    }
  });
}
