"""Decide whether a request for a counted link came from a program rather than from a person. Pure."""

from __future__ import annotations

import re

# Parts of the User-Agent of programs that open the links of emails, or that copy pages.
_NAMES = (
    "crawl", "spider", "slurp", "scan", "preview", "proxy", "prefetch", "monitor", "check", "validator",
    "fetch", "archiver", "facebookexternalhit", "barracuda", "mimecast", "proofpoint", "safelinks",
    "symantec", "messagelabs", "trendmicro", "forcepoint", "fireeye", "zscaler", "urldefense", "sophos",
    "cloudmark", "bitdefender", "kaspersky", "virustotal", "headless", "phantomjs", "selenium",
    "playwright", "puppeteer", "curl", "wget", "python", "java/", "okhttp", "go-http", "libwww",
    "httpclient", "axios", "node-fetch", "ruby", "perl", "php",
)  # fmt: skip
_NAMED = re.compile(r"bot\b|" + "|".join(map(re.escape, _NAMES)), re.IGNORECASE)
# The User-Agent of a browser begins with this.
_BROWSER = "Mozilla/"


def is_robot(method: str, user_agent: str, purpose: str = "") -> bool:
    """Return whether a request is not from a person who followed a link.

    `purpose` is the value of Sec-Purpose or Purpose. A browser that loads a page in advance says so there.
    """
    if method != "GET" or not user_agent.startswith(_BROWSER):
        return True
    return bool(_NAMED.search(user_agent)) or "prefetch" in purpose.lower() or "preview" in purpose.lower()
