"""What the pages for people share: whole in one file, open to their own script and to no other."""

import base64
import hashlib
import html
from importlib import resources


def whole(title: str, body: str, name: str) -> tuple[str, str]:
    """A page, and the Content-Security-Policy that lets it run its own script and no other.

    `body` is markup; `name` is that of its style sheet and script beside this module. The rules of
    `page.css` come before its own.
    """
    style = asset("page.css") + asset(f"{name}.css")
    script = asset(f"{name}.js")
    page = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escaped(title)}</title>
<link rel="icon" href="data:,">
<style>{style}</style>
</head>
<body>
{body}
<script>{script}</script>
</body>
</html>
"""
    return page, _policy(style, script)


def escaped(value: object) -> str:
    return html.escape(str(value))


def asset(name: str) -> str:
    return resources.files("billing_mcp.http").joinpath(name).read_text(encoding="utf-8")


def _policy(style: str, script: str) -> str:
    return "; ".join(
        (
            "default-src 'none'",
            f"style-src '{_digest(style)}'",
            f"script-src '{_digest(script)}'",
            "connect-src 'self'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
        )
    )


def _digest(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"
