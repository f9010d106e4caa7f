"""Opening a port in the firewall, where one is there and active; a firewall that is off stays as it is."""

from fazt.machine.acts import Acts, attempt, has


def open_port(port: int, acts: Acts) -> None:
    """Let visitors in at a TCP port."""
    if _ufw_is_active():
        acts.run("ufw", "allow", f"{port}/tcp")
    if _firewalld_is_active():
        acts.run("firewall-cmd", "--quiet", "--permanent", f"--add-port={port}/tcp")
        acts.run("firewall-cmd", "--quiet", "--reload")


def close_port(port: int, acts: Acts) -> None:
    """Take back what `open_port` did."""
    if _ufw_is_active():
        acts.run("ufw", "delete", "allow", f"{port}/tcp")
    if _firewalld_is_active():
        acts.run("firewall-cmd", "--quiet", "--permanent", f"--remove-port={port}/tcp")
        acts.run("firewall-cmd", "--quiet", "--reload")


def _ufw_is_active() -> bool:
    return has("ufw") and "Status: active" in attempt("ufw", "status")[1]


def _firewalld_is_active() -> bool:
    return has("firewall-cmd") and attempt("firewall-cmd", "--state") == (0, "running\n")
