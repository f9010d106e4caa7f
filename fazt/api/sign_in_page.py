"""The page on which a visitor signs in to a protected site: small, without a script, light and dark.

Rule: everything that comes from elsewhere is escaped; the one style is named by its hash in the policy.
"""

import base64
import hashlib
from html import escape

STYLE = """
:root{color-scheme:light dark;--g:#f7f7f4;--s:#fff;--l:#8b8f88;--t:#1b1e1c;--q:#565c58;--a:#0b6a55;--o:#fff;--d:#b3261e}
@media(prefers-color-scheme:dark){:root{--g:#121413;--s:#1a1d1b;--l:#767d78;--t:#e7eae7;--q:#a3aba5;--a:#5cc9a9;--o:#06241b;--d:#ff8a80}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;display:grid;place-items:center;padding:24px;background:var(--g);color:var(--t);
font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{width:min(380px,100%)}
h1{font-size:24px;line-height:1.25;margin:0 0 6px;overflow-wrap:anywhere}
p{margin:0 0 20px;color:var(--q)}
label{display:block;font-weight:600;font-size:14px;margin-bottom:6px}
input{width:100%;font:inherit;padding:9px 12px;border:1px solid var(--l);border-radius:6px;background:var(--s);
color:inherit}
button,a{display:block;width:100%;margin-top:14px;padding:10px 14px;border:1px solid var(--a);border-radius:6px;
background:var(--a);color:var(--o);font:inherit;font-weight:600;text-align:center;text-decoration:none;cursor:pointer}
a{background:none;color:var(--a)}
:focus-visible{outline:3px solid var(--a);outline-offset:2px}
.fault{color:var(--d);margin:10px 0 0}
"""
_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
POLICY = (
    f"default-src 'none'; style-src 'sha256-{_HASH}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
).encode()


def sign_in_page(site: str, back: str, dashboard: str | None, *, asks_password: bool, fault: str = "") -> bytes:
    """Return the page that asks for a password, or leads to the dashboard, or both."""
    form = ""
    if asks_password:
        told = f'<p class="fault" id="fault" role="alert">{escape(fault)}</p>' if fault else ""
        described = ' aria-describedby="fault" aria-invalid="true"' if fault else ""
        form = (
            f'<form method="post" action="/_fazt/sign-in"><input type="hidden" name="return" value="{escape(back)}">'
            f'<label for="password">Password</label><input id="password" name="password" type="password" required '
            f'autofocus autocomplete="current-password"{described}>{told}<button>Continue</button></form>'
        )
    link = "" if dashboard is None else f'<a href="{escape(dashboard)}">Sign in with your account</a>'
    return _whole(site, "This site is protected. Say who you are to see it.", form + link)


def refusal_page(site: str) -> bytes:
    """Return the page for who comes from the wrong place."""
    return _whole(site, "This site can be seen from some places only, and yours is none of them.", "")


def _whole(site: str, text: str, inside: str) -> bytes:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,'
        f'initial-scale=1"><meta name="robots" content="noindex"><title>{escape(site)}</title><style>{STYLE}</style>'
        f"</head><body><main><h1>{escape(site)}</h1><p>{escape(text)}</p>{inside}</main></body></html>"
    ).encode()
