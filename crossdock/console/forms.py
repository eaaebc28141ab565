"""Forms that change something: only from our own pages, and written down with who sent them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import parse_qsl, quote, urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse

from crossdock.acting import acting_as
from crossdock.feed.access import viewer_of

MOST = 64 << 10  #: bytes of a form


async def fields_of(request: Request) -> Mapping[str, str]:
    """The fields of a form, blanks around them taken off; of several of one name the last.

    Raises HTTPException (403) for a form that another site's page has sent with our user's login.
    """
    _require_own_page(request)
    body = await request.body()
    if len(body) > MOST:
        raise HTTPException(413, "That is too much for a form.")
    try:
        given = parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=100)
    except (UnicodeDecodeError, ValueError):
        raise HTTPException(400, "That is no form of ours.") from None
    return {name: value.strip() for name, value in given}


def _require_own_page(request: Request) -> None:
    """A browser says where a form comes from (Fetch Metadata, RFC 6454); a program, whom nobody tricks, need not."""
    site = request.headers.get("sec-fetch-site", "same-origin")
    origin = request.headers.get("origin", "")
    own = request.headers.get("host", "")
    if site not in ("same-origin", "none") or (origin and urlsplit(origin).netloc != own):
        raise HTTPException(403, "This form was sent from a page that is not ours.")


@contextmanager
def done_by(request: Request) -> Iterator[str]:
    """Whatever is done within is done by who asks; yields that name as it stands in the audit trail."""
    who = f"person {viewer_of(request).name}"
    with acting_as(who):
        yield who


def back_to(path: str, *, said: str = "", failed: str = "") -> RedirectResponse:
    """See other: the page, with what was done or what was wrong."""
    told = [f"{name}={quote(text)}" for name, text in (("said", said), ("failed", failed)) if text]
    return RedirectResponse(f"{path}{'&' if '?' in path else '?'}{'&'.join(told)}" if told else path, 303)
