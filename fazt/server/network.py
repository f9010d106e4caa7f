"""What answers visitors wherever the edge has no page, by host and by path."""

from fazt.acme.challenge_app import challenge_app
from fazt.api.beacon import beacon_app
from fazt.api.client_script import BEACON, client_script_app
from fazt.api.dashboard import dashboard
from fazt.api.guard import Guard
from fazt.api.hook_app import PREFIX as HOOKS
from fazt.api.hook_app import hook_app
from fazt.api.parts import Parts
from fazt.api.platform import platform
from fazt.api.routing import Application, at_first_request, by_another_name, by_host, by_path
from fazt.api.short_links import short_links_app
from fazt.sites.resolve import Resolver

METRICS = "/_fazt/metrics"  # where Prometheus is pointed to


def make_network(parts: Parts, api: Application, resolver: Resolver) -> Application:
    """Return what answers visitors wherever the edge has no page: the dashboard's host, the bare domain, the sites."""
    database, hosting, functions = parts.database, parts.hosting, parts.functions
    everywhere = platform(database)
    metrics = by_another_name(METRICS, "/api/metrics", api, otherwise=everywhere)
    admin_host = by_path(
        [("/api/", api), (METRICS, metrics), ("/_fazt/", everywhere)], otherwise=at_first_request(dashboard)
    )
    scripts, beacon = client_script_app(), beacon_app(database, hosting, parts.visits)
    site = by_path(
        [
            ("/_fazt/room/", functions.rooms),
            ("/_fazt/client", scripts),
            (BEACON, scripts),
            ("/_fazt/beacon", beacon),
            ("/_fazt/pixel", beacon),
            (HOOKS, hook_app(parts.receiving.receiver)),
            ("/api", functions.app),
        ],
        otherwise=everywhere,
    )
    site = Guard(database, hosting, resolver, site)
    bare = by_path([("/r/", short_links_app(database, parts.clicks, otherwise=site))], otherwise=site)
    hosts = {f"dashboard.{hosting.domain}": admin_host, f"dav.{hosting.domain}": everywhere}
    hosts |= {hosting.domain: bare, f"www.{hosting.domain}": bare}
    return challenge_app(parts.proofs, otherwise=by_host(hosts, otherwise=site))


def make_api(parts: Parts) -> Application:
    """Return the admin API."""
    # FastAPI and what belongs to it take longer to load than all the rest; see the module's rule.
    from fazt.api.admin import admin
    from fazt.api.resources import make_resources

    origin = parts.hosting.url(f"dashboard.{parts.hosting.domain}").rstrip("/")
    return admin(parts.database, make_resources(parts), origin)
