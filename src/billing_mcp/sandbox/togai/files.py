"""Togai's files: a link that needs no key leads to the content, for an hour."""

import hashlib
from datetime import timedelta
from urllib.parse import quote, urlencode

from billing_mcp.sandbox import clock, store
from billing_mcp.sandbox.call import Call, Refusal, Reply, Resource
from billing_mcp.sandbox.store import Row

resource = Resource()

# Documented: a link holds for an hour. Ours: `expiry` is in seconds, as that of a portal token.
_LIFETIME_S = 3600
_LONGEST_S = 604_800
_CSV = {"content-type": "text/csv; charset=utf-8"}


@resource.route("GET", "/files/{file_id}")
def get_file(request: Call) -> Reply:
    location = _link(request, existing(request, request.path["file_id"]), _LIFETIME_S)
    return Reply(b"", 302, {"Location": location})


@resource.route("GET", "/files/{file_id}/download_url")
def get_download_url(request: Call) -> Reply:
    row = existing(request, request.path["file_id"])
    asked = request.query.get("expiry", str(_LIFETIME_S))
    if not asked.isascii() or not asked.isdigit() or not 1 <= int(asked[:9]) <= _LONGEST_S:
        raise Refusal(400, f"expiry must be a whole number of seconds from 1 to {_LONGEST_S}")
    return Reply({"downloadUrl": _link(request, row, int(asked[:9]))})


def download(request: Call) -> Reply:
    """The content, for whoever has a link that still holds. Refuses with 403 and 404."""
    row = existing(request, request.path["file_id"])
    until = request.query.get("until", "")
    if request.query.get("signature") != _signature(row["id"], until):
        raise Refusal(403, "the link is not one of this sandbox")
    if clock.read(until) <= request.now:
        raise Refusal(403, f"the link has expired at {until}")
    return Reply(row["content"].encode(), 200, _CSV)


def keep(request: Call, name: str, content: str) -> str:
    """Keep a file; its id."""
    file_id = request.new_id("file")
    store.insert(request.db, "files", {"id": file_id, "name": name, "content": content})
    return file_id


def existing(request: Call, file_id: str) -> Row:
    """Refuses with 404."""
    row: Row | None = request.db.execute("select * from files where id = ?", (file_id,)).fetchone()
    if row is None:
        raise Refusal(404, f"File {file_id} not found")
    return row


def _link(request: Call, row: Row, lifetime_s: int) -> str:
    until = clock.shown(request.now + timedelta(seconds=lifetime_s))
    query = urlencode({"until": until, "signature": _signature(row["id"], until)})
    return f"{request.caller.address}/control/files/{quote(row['id'], safe='')}?{query}"


def _signature(file_id: str, until: str) -> str:
    """Keeps a link from being changed by mistake; nothing here is secret."""
    return hashlib.sha256(f"sandbox {file_id} {until}".encode()).hexdigest()[:16]
