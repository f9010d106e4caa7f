"""The list of all checks, and the one place that runs them. A new check is one line here."""

from collections.abc import Callable, Sequence

from fazt.doctor import machine, network
from fazt.doctor.findings import Finding
from fazt.doctor.subject import Subject
from fazt.errors import StoreError

Check = Callable[[Subject], Finding]

HERE: Sequence[Check] = (
    machine.check_version,
    machine.check_permissions,
    machine.check_key,
    machine.check_disk,
    machine.check_wal,
    machine.check_backup,
    machine.check_port,
    machine.check_https_port,
    machine.check_certificates,
    machine.check_capabilities,
    machine.check_clock,
    machine.check_open_files,
)
OF_A_NAME: Sequence[Check] = (network.check_dns, network.check_wildcard, network.check_reverse_dns)
ONLINE: Sequence[Check] = (network.check_outbound_web, network.check_outbound_mail)


def examine(subject: Subject, *, online: bool) -> list[Finding]:
    """Run the checks in order; `online` also those that ask others."""
    checks = [*HERE]
    if online:
        checks += [*(OF_A_NAME if subject.is_public else ()), *ONLINE]
    return [_run(check, subject) for check in checks]


def _run(check: Check, subject: Subject) -> Finding:
    """Run one check; what the system or the store refuses it is a finding too, and the next checks still run."""
    try:
        return check(subject)
    except (OSError, StoreError) as error:
        name = check.__name__.removeprefix("check_").replace("_", " ")
        return Finding(name, "warning", f"This could not be looked at: {error}.", "Run it as the server's user.")
