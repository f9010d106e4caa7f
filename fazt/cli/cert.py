"""`fazt cert`: certificates for HTTPS."""

from pathlib import Path
from typing import Any

import click

from fazt.cli.client import connect
from fazt.cli.options import json_option, server_options
from fazt.cli.output import age, facts, plain, print_json, table
from fazt.errors import InvalidInput

SOURCES = {"acme": "ordered", "uploaded": "uploaded"}


@click.group(short_help="Certificates for HTTPS.")
def cert() -> None:
    """See what HTTPS is answered with, and bring certificates of your own.

    \b
    Example:
      fazt cert add fullchain.pem privkey.pem
    """


@cert.command("list")
@json_option
@server_options
def list_(as_json: bool, db: str | None, remote: str | None) -> None:
    """List the certificates, newest first.

    \b
    Example:
      fazt cert list
    """
    with connect(db, remote) as client:
        items = list(client.items("certificates"))
    if as_json:
        print_json({"items": items})
    elif not items:
        click.echo(
            "There is no certificate yet. See what is ordered: fazt cert status. Bring one: fazt cert add CHAIN KEY"
        )
    else:
        rows = [
            (str(each["number"]), _names(each), SOURCES[each["source"]], _end(each), each["issuer"]) for each in items
        ]
        table(("NUMBER", "NAMES", "SOURCE", "EXPIRES", "ISSUER"), rows)


@cert.command()
@click.argument("chain", type=click.Path(path_type=Path))
@click.argument("key", type=click.Path(path_type=Path))
@json_option
@server_options
def add(chain: Path, key: Path, as_json: bool, db: str | None, remote: str | None) -> None:
    """Answer HTTPS with the certificate in CHAIN, whose private key is in KEY; both are PEM files.

    CHAIN holds the host's own certificate first, then those above it. A certificate for the same names gives way to it.

    \b
    Example:
      fazt cert add fullchain.pem privkey.pem
    """
    body = {"chain": _read(chain), "key": _read(key)}
    with connect(db, remote, create=True) as client:
        made = client.ask("POST", "certificates", body=body)
    if as_json:
        print_json(made)
    else:
        click.echo(f"HTTPS is answered with it for {plain(', '.join(made['names']))}. It expires {_end(made)}.")


@cert.command()
@click.argument("number", type=click.IntRange(min=1))
@json_option
@server_options
def show(number: int, as_json: bool, db: str | None, remote: str | None) -> None:
    """Show the certificate NUMBER.

    \b
    Example:
      fazt cert show 3
    """
    with connect(db, remote) as client:
        found = client.ask("GET", "certificates", str(number))
    if as_json:
        print_json(found)
        return
    facts(
        [
            ("names", ", ".join(found["names"])),
            ("source", SOURCES[found["source"]]),
            ("issuer", found["issuer"]),
            ("valid from", found["not_before"]),
            ("valid until", f"{found['not_after']} ({_end(found)})"),
            ("SHA-256", found["fingerprint"]),
        ]
    )


@cert.command()
@click.argument("number", type=click.IntRange(min=1))
@server_options
def remove(number: int, db: str | None, remote: str | None) -> None:
    """Forget the certificate NUMBER and its key.

    \b
    Example:
      fazt cert remove 3
    """
    with connect(db, remote) as client:
        client.ask("DELETE", "certificates", str(number))
    click.echo(f"The certificate {number} and its key are gone.")


@cert.command()
@json_option
@server_options
def status(as_json: bool, db: str | None, remote: str | None) -> None:
    """Show which certificates are ordered by themselves, and how that stands.

    \b
    Example:
      fazt cert status
    """
    with connect(db, remote) as client:
        items = list(client.items("certificates/orders"))
    if as_json:
        print_json({"items": items})
    elif not items:
        click.echo("None are ordered: that takes --https, a domain that others know, and the setting acme.")
    else:
        rows = [
            (", ".join(each["names"]), each["state"], age(each["expires_at"]), _next(each), each["error"])
            for each in items
        ]
        table(("NAMES", "STATE", "EXPIRES", "NEXT TRY", "ERROR"), rows)
        for record in (record for each in items for record in each["records"]):
            click.echo(f"\nSet this DNS record, and leave it there until the order is through:\n  {_line(record)}")


@cert.command()
@click.argument("host")
@click.option("--renew", is_flag=True, help="Also where the present one is good yet.")
@server_options
def order(host: str, renew: bool, db: str | None, remote: str | None) -> None:
    """Order the certificate of HOST now, without waiting until a failed order is tried again.

    \b
    Examples:
      fazt cert order blog.example.org
      fazt cert order example.org --renew
    """
    with connect(db, remote) as client:
        client.ask("POST", "certificates", "orders", body={"name": host, "renew": renew})
    click.echo(f"The certificate of {host} is being ordered. See how it goes: fazt cert status")


def _next(order: Any) -> str:
    return "now" if order["state"] in ("waiting", "ordering") else age(order["next_at"])


def _line(record: Any) -> str:
    return plain(f'{record["name"]}. 60 IN TXT "{record["value"]}"')


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode("ascii")
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise InvalidInput(f"{path} is no PEM file: convert it with `openssl x509 -in FILE -out FILE.pem`.") from None


def _names(certificate: Any) -> str:
    first, *others = certificate["names"]
    return f"{first} and {len(others)} more" if len(others) > 2 else ", ".join(certificate["names"])


def _end(certificate: Any) -> str:
    return age(certificate["not_after"])
