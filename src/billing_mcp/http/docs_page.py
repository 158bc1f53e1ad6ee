"""The page at /v1/docs: the OpenAPI document for people, in one file that needs no network."""

import json
import shlex
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from billing_mcp.http import pages
from billing_mcp.http.pages import escaped
from billing_mcp.http.schema_rows import Row, rows
from billing_mcp.results import compact

# Replaced by the address that the page came from, where the browser runs the script.
EXAMPLE_ORIGIN = "http://127.0.0.1:9080"


def rendered(document: Mapping[str, Any]) -> tuple[str, str]:
    """The page, and the Content-Security-Policy that lets it run its own script and no other."""
    groups = _by_group(document)
    info = document["info"]
    body = f"""\
<a class="skip" href="#routes">Skip to the routes</a>
<nav aria-label="Routes">
<p class="brand">{escaped(info["title"])} <span>REST {escaped(info["version"])}</span></p>
{"".join(_navigation(groups))}
<p><a href="#problems">Problems</a></p>
<p><a href="#schemas">Schemas</a></p>
<p><a href="/v1/openapi.json">openapi.json</a></p>
</nav>
<main>
<header>
<h1>{escaped(info["summary"])}</h1>
{_paragraphs(info["description"])}
<form id="token-form" class="token" hidden>
<label for="token">Bearer token</label>
<input id="token" type="password" autocomplete="off" spellcheck="false"
 aria-describedby="token-note">
<p id="token-note">Sent with what you try here, to this server only, and forgotten when the page is
left. Leave it empty where none is needed.</p>
</form>
</header>
<div id="routes">
{"".join(_group(name, operations, document) for name, operations in groups.items())}
</div>
<section id="problems"><h2>Problems</h2>
<p>Every failure is <code>application/problem+json</code>. Its <code>type</code> is one of these;
<code>next</code> says what to do.</p>
{_table(("status", "type", "what it means"), _problem_cells(document))}
</section>
<section id="schemas"><h2>Schemas</h2>
{"".join(_schema(name, schema) for name, schema in document["components"]["schemas"].items())}
</section>
</main>"""
    title = f"{info['title']} REST {info['version']}"
    return pages.whole(title, body, "docs_page")


Operation = tuple[str, str, Mapping[str, Any]]
"""Method, path and the Operation Object."""


def _by_group(document: Mapping[str, Any]) -> dict[str, list[Operation]]:
    groups: dict[str, list[Operation]] = {tag["name"]: [] for tag in document["tags"]}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            groups[operation["tags"][0]].append((method.upper(), path, operation))
    return groups


def _paragraphs(text: str) -> str:
    return "\n".join(f"<p>{_marked(paragraph)}</p>" for paragraph in text.split("\n\n"))


def _marked(text: str) -> str:
    """Text of our own, in which `…` is code."""
    pieces = escaped(text).split("`")
    return "".join(f"<code>{piece}</code>" if i % 2 else piece for i, piece in enumerate(pieces))


def _navigation(groups: Mapping[str, list[Operation]]) -> Iterator[str]:
    for name, operations in groups.items():
        links = "".join(
            f'<li><a href="#{operation["operationId"]}">{_badge(method)}'
            f"<span>{escaped(operation['summary'])}</span></a></li>"
            for method, _, operation in operations
        )
        yield f"<h2>{escaped(name)}</h2><ul>{links}</ul>"


def _badge(method: str) -> str:
    return f'<b class="method {method.lower()}">{method}</b>'


def _group(name: str, operations: list[Operation], document: Mapping[str, Any]) -> str:
    made = "".join(_operation(operation, document) for operation in operations)
    return f"<section><h2>{escaped(name)}</h2>{made}</section>"


def _operation(operation: Operation, document: Mapping[str, Any]) -> str:
    method, path, facts = operation
    body = facts.get("requestBody", {}).get("content", {}).get("application/json")
    scope = facts["security"][0]["bearer"][0]
    answer = facts["responses"]["200"]["content"]["application/json"]["schema"]
    parts = [_paragraphs(facts["description"]), f"<p>Scope: <code>{escaped(scope)}</code></p>"]
    cells = (_parameter(parameter) for parameter in facts["parameters"])
    parts.append(f"<h4>Parameters</h4>{_table(('name', 'in', 'type', 'about'), cells)}")
    if body:
        parts.append(f"<h4>JSON body</h4>{_fields(body['schema'])}")
    parts.append(
        f'<h4>Example</h4><pre class="curl"><code>{escaped(_curl(operation))}</code></pre>'
    )
    parts.append(_form(operation, body))
    parts.append(f"<details><summary>Answer 200</summary>{_fields(answer)}</details>")
    parts.append(f"<p>Problems: {', '.join(_problem_links(facts, document))}</p>")
    shown = escaped(path).replace("{", "<i>{").replace("}", "}</i>")
    return (
        f'<details class="operation" id="{facts["operationId"]}"><summary>{_badge(method)}'
        f"<code>{shown}</code><span>{escaped(facts['summary'])}</span></summary>"
        f'<div class="inside">{"".join(parts)}</div></details>'
    )


def _parameter(parameter: Mapping[str, Any]) -> tuple[str, ...]:
    required = ' <em class="required">required</em>' if parameter["required"] else ""
    (row,) = rows("", parameter["schema"])
    about = parameter.get("description", "")
    return (
        f"<code>{escaped(parameter['name'])}</code>{required}",
        escaped(parameter["in"]),
        _kind(row),
        escaped(_sentences(about, row.rules)),
    )


def _fields(schema: Mapping[str, Any]) -> str:
    cells = (
        (
            f"<code>{escaped(row.name or '(the whole)')}</code>"
            + (' <em class="required">required</em>' if row.required else ""),
            _kind(row),
            escaped(_sentences(row.about, row.rules)),
        )
        for row in rows("", schema)
    )
    return _table(("field", "type", "about"), cells)


def _sentences(*parts: str) -> str:
    return ". ".join(part.removesuffix(".") for part in parts if part)


def _kind(row: Row) -> str:
    """The type of a field, each part of it that is a schema of the page a link there."""
    return "".join(
        f'<a href="#schema-{escaped(part)}">{escaped(part)}</a>' if is_schema else escaped(part)
        for part, is_schema in row.kind
    )


def _table(head: tuple[str, ...], body: Iterator[tuple[str, ...]]) -> str:
    titles = "".join(f'<th scope="col">{title}</th>' for title in head)
    lines = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>" for cells in body)
    return (
        f'<div class="wide"><table><thead><tr>{titles}</tr></thead>'
        f"<tbody>{lines}</tbody></table></div>"
    )


def _schema(name: str, schema: Mapping[str, Any]) -> str:
    return f'<h3 id="schema-{escaped(name)}">{escaped(name)}</h3>{_fields(schema)}'


def _problem_cells(document: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    statuses = {
        reference["$ref"].rsplit("/", 1)[-1]: status
        for operations in document["paths"].values()
        for operation in operations.values()
        for status, reference in operation["responses"].items()
        if "$ref" in reference
    }
    for name, response in document["components"]["responses"].items():
        link = f'<a href="/v1/problems/{name}">{name}</a>'
        yield statuses.get(name, "405"), link, _marked(response["description"])


def _problem_links(facts: Mapping[str, Any], document: Mapping[str, Any]) -> Iterator[str]:
    for status, response in facts["responses"].items():
        if "$ref" in response:
            name = response["$ref"].rsplit("/", 1)[-1]
            assert name in document["components"]["responses"]
            yield f'<a href="/v1/problems/{name}">{status}&nbsp;{name}</a>'


def _example_url(operation: Operation) -> str:
    _, path, facts = operation
    query = {}
    for parameter in facts["parameters"]:
        if parameter["in"] == "path":
            value = quote(str(parameter["example"]), safe="")
            path = path.replace(f"{{{parameter['name']}}}", value)
        elif parameter["in"] == "query" and "example" in parameter:
            query[parameter["name"]] = _typed(parameter["example"])
    return f"{EXAMPLE_ORIGIN}{path}" + (f"?{urlencode(query)}" if query else "")


def _typed(value: object) -> str:
    """A value as it is typed into a query."""
    return compact(value) if isinstance(value, bool) else str(value)


def _curl(operation: Operation) -> str:
    method, _, facts = operation
    lines = [
        f"curl {'' if method == 'GET' else f'-X {method} '}{shlex.quote(_example_url(operation))}"
    ]
    lines.append('-H "Authorization: Bearer $TOKEN"')
    body = facts.get("requestBody", {}).get("content", {}).get("application/json")
    if body and body["example"]:
        lines.append("-H 'Content-Type: application/json'")
        lines.append(f"-d {shlex.quote(compact(body['example']))}")
    return " \\\n  ".join(lines)


def _form(operation: Operation, body: Mapping[str, Any] | None) -> str:
    """Hidden until the script is there, because it does nothing without."""
    method, path, facts = operation
    own = facts["operationId"]
    inputs = []
    for parameter in facts["parameters"]:
        name = parameter["name"]
        field = f"{own}-{name}"
        value = escaped(_typed(parameter.get("example", "")))
        required = " required" if parameter["required"] else ""
        inputs.append(
            f'<label for="{field}">{escaped(name)}</label><input id="{field}" autocomplete="off"'
            f' data-in="{parameter["in"]}" data-name="{escaped(name)}" value="{value}"{required}>'
        )
    if body:
        example = json.dumps(body["example"], indent=2, ensure_ascii=False)
        field = f"{own}-body"
        inputs.append(
            f'<label for="{field}">JSON body</label><textarea id="{field}" data-in="body"'
            f' spellcheck="false" rows="{min(12, example.count(chr(10)) + 2)}">'
            f"{escaped(example)}</textarea>"
        )
    warning = (
        '<p class="warning">This changes data, and real billing data where the environment is live.'
        "</p>"
        if facts["security"][0]["bearer"] != ["billing:read"]
        else ""
    )
    return (
        f'<form class="try" data-method="{method}" data-path="{escaped(path)}" hidden>'
        f"<h4>Try it</h4>{''.join(inputs)}{warning}<button>Send</button>"
        f'<output aria-live="polite"></output></form>'
    )
