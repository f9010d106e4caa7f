"""What the roles may do: owner, admin, editor, viewer.

Owners and admins may do everything, but only an owner makes and unmakes owners. An editor deploys to the sites that
are named, a viewer looks at them. Rule: a role that is not here may do nothing.
"""

from fazt.auth.tokens import ACTIONS, Principal
from fazt.errors import Forbidden, InvalidInput
from fazt.store.users import User

ROLES: dict[str, tuple[str, ...]] = {
    "owner": ACTIONS,
    "admin": ACTIONS,
    "editor": ("read", "deploy"),
    "viewer": ("read",),
}
WHOLE_SERVER = ("owner", "admin")


def principal_of(user: User, session: str, address: str) -> Principal:
    """Return who a signed-in user is to the API."""
    actions = frozenset(ROLES.get(user.role, ()))
    sites = None if user.sites is None or user.role in WHOLE_SERVER else frozenset(user.sites)
    owner = user.role == "owner"
    return Principal(f"user:{user.name}", actions, sites, address, owner=owner, user=user.id, session=session)


def check_role(role: str, sites: list[str] | None) -> None:
    """Let a role pass that there is, with sites that it can have. Raises: InvalidInput."""
    if role not in ROLES:
        raise InvalidInput(f"There is no role {role!r}; choose {', '.join(ROLES)}.")
    if sites is not None and role in WHOLE_SERVER:
        raise InvalidInput(f"An {role} has all sites; leave `sites` out.")
    if role == "editor" and not sites:
        raise InvalidInput("Say which sites an editor may deploy to.")


def check_may_give(caller: Principal, role: str) -> None:
    """Let a caller pass who may give somebody a role, or take it from them. Raises: Forbidden."""
    if role == "owner" and not caller.owner:
        raise Forbidden("Only an owner may do that to an owner.")
