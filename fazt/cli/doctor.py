"""`fazt doctor`: what is wrong with this server's machine, and how to put it right."""

from dataclasses import asdict
from datetime import datetime

import click

from fazt.cli.client import connect
from fazt.cli.options import json_option
from fazt.cli.output import plain, print_json
from fazt.doctor.examination import examine
from fazt.doctor.findings import Finding
from fazt.doctor.subject import Subject
from fazt.errors import FaztError
from fazt.settings import database_path, load_settings

COLORS = {"ok": "green", "warning": "yellow", "failure": "red"}


@click.command(short_help="Look for what is wrong with this machine.")
@click.option("--online", is_flag=True, help="Ask the DNS and try outgoing ports too.")
@json_option
@click.option("--db", metavar="PATH", help="The database; else FAZT_DB, ./data.db or your own.")
def doctor(online: bool, as_json: bool, db: str | None) -> int:
    """Look for what is wrong with this machine, and say the exact fix; exit code 1 on a failure.

    \b
    Example:
      fazt doctor --online
    """
    first, subject = _meet(db)
    findings = [*first, *examine(subject, online=online)]
    if as_json:
        print_json({"findings": [asdict(finding) for finding in findings]})
    else:
        _print(findings)
    return int(any(finding.state == "failure" for finding in findings))


def _meet(db: str | None) -> tuple[list[Finding], Subject]:
    """Ask the server, or read the file where none runs; a database that cannot be read is the first finding."""
    path = database_path(db)
    try:
        with connect(str(path), None) as client:
            status = client.ask("GET", "status")
            items = client.ask("GET", "settings")["items"]
    except FaztError as error:
        fix = f"fazt serve --db {path} makes a new one; a damaged one is put back from a backup."
        return [Finding("database", "failure", error.message, fix)], Subject(path, load_settings({}), None)
    version = status["version"] if status["started_at"] else None
    proven, certificates = status["backups"]["proven_at"], status["certificates"]
    values = {item["name"]: item["value"] for item in items if not item.get("secret")}  # nobody is told the others
    name, ends = certificates["name"], certificates["expires_at"]
    subject = Subject(
        path,
        load_settings(values),
        version,
        backups=status["backups"]["count"],
        proven_at=None if proven is None else datetime.fromisoformat(proven),
        certificates=certificates["count"],
        expires=None if ends is None else (name, datetime.fromisoformat(ends)),
    )
    return [Finding("database", "ok", f"{path} can be read.")], subject


def _print(findings: list[Finding]) -> None:
    width = max(len(finding.check) for finding in findings)
    for finding in findings:
        click.secho(f"{finding.state:<8}", fg=COLORS[finding.state], nl=False)
        click.echo(f"{finding.check:<{width}}  {plain(finding.what)}")
        if finding.fix:
            click.echo(f"{'':<{8 + width}}  {plain(finding.fix)}")
