"""The page at /approvals: where a person reads the plans that wait, and says yes or no to each."""

from billing_mcp import approvals
from billing_mcp.http import pages
from billing_mcp.scopes import APPROVE

_BODY = f"""\
<main>
<header>
<h1>Approvals</h1>
<p class="lead">Writes that wait for a person. What you approve may be done once, exactly as it is
shown here; what you deny cannot be done any more.</p>
<noscript><p class="warning">This page needs its script. Without it, use
<code>billing-mcp approvals</code> on the machine of the server.</p></noscript>
<form id="key-form" class="panel" hidden>
<label for="key">Your key or access token</label>
<div class="line">
<input id="key" class="exact" type="password" autocomplete="off" spellcheck="false" required
 aria-describedby="key-note">
<button>Show what waits</button>
</div>
<p id="key-note">It needs the scope <code>{APPROVE}</code>. It is sent to this server only, and
forgotten when the page is left or loaded again.</p>
</form>
<div id="who" class="panel" hidden>
<p id="who-text"></p>
<div class="buttons">
<button id="reload" type="button">Look again</button>
<button id="forget" type="button" class="quiet">Forget my key</button>
</div>
</div>
</header>
<p id="notice" role="status"></p>
<div id="plans"></div>
</main>
<template id="plan">
<article class="plan" tabindex="-1">
<header>
<p class="tags"><b class="environment"></b> <code class="tool"></code>
<span class="expiry"></span></p>
<h2 class="effect"></h2>
<p class="amount"></p>
</header>
<div class="wide"><table class="change">
<thead><tr><th scope="col"><span class="unseen">What</span></th>
<th scope="col">before</th><th scope="col">after</th></tr></thead>
<tbody></tbody>
</table></div>
<dl></dl>
<p class="never"></p>
<p class="barred"></p>
<form class="approve">
<button class="yes">Approve</button>
<span class="sure" hidden><strong></strong>
<button class="yes">Yes, approve</button>
<button type="button" class="quiet back">Back</button></span>
</form>
<form class="deny">
<label>Reason for a no
<input maxlength="{approvals.REASON_LIMIT}" autocomplete="off" required></label>
<button class="no">Deny</button>
</form>
<p class="outcome" role="status"></p>
</article>
</template>"""


def rendered() -> tuple[str, str]:
    """The page, and its Content-Security-Policy. It is the same for everybody, and holds no data:
    its script asks for that with the key that a person gives it."""
    return pages.whole("Approvals · billing-mcp", _BODY, "approvals_page")
