"""Passkeys (WebAuthn Level 3): what a browser is asked, and whether what it answers may be believed.

What is asked is kept nowhere: a challenge is made from its id with a key of this process, and an id is believed for a
few minutes and spent once. Rule: a passkey is of the dashboard's own host, never of the domain, whose sites are not
trusted; and it takes the user's finger, face or PIN, so that it stands for both factors.
"""

import hashlib
import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypedDict

import orjson

from fazt.errors import Forbidden, InvalidInput

LIFETIME_S = 300
MOST_SPENT = 10_000
LONGEST_CREDENTIAL = 64 * 1024  # of the browser's answer, as JSON
LONGEST_ID = 2000

REFUSED = "This passkey could not be checked; ask for a new attempt."


@dataclass(frozen=True, slots=True)
class NewPasskey:
    """What is kept of a passkey that was made: its id (base64url), its public key (COSE), and its count of uses."""

    id: str
    public_key: bytes
    sign_count: int


class Asked(TypedDict):
    """What a browser is asked (WebAuthn Level 3, 5.4 and 5.5), and the id under which it answers."""

    id: str
    options: dict[str, Any]


class Passkeys:
    """Asks browsers for passkeys of one host, and checks what they answer."""

    def __init__(self, host: str, origin: str, clock: Callable[[], float] = time.time) -> None:
        self._host = host
        self._origin = origin
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._spent: OrderedDict[str, None] = OrderedDict()

    # --- challenges ---

    def _issue(self) -> str:
        return f"{int(self._clock()) + LIFETIME_S}.{secrets.token_urlsafe(16)}"

    def _challenge(self, id: str, purpose: str, subject: str) -> bytes:
        return hmac.digest(self._key, orjson.dumps([id, purpose, subject]), hashlib.sha256)

    def _expected(self, id: str, purpose: str, subject: str) -> bytes:
        """Return the challenge that was asked under an id.

        Raises: Forbidden where it is too old, or was used.
        """
        until = id.partition(".")[0]
        if not (until.isascii() and until.isdigit() and len(until) < 15) or int(until) < self._clock():
            raise Forbidden(REFUSED)
        if id in self._spent or int(until) > self._clock() + LIFETIME_S + 1:
            raise Forbidden(REFUSED)
        return self._challenge(id, purpose, subject)

    def _spend(self, id: str) -> None:
        """Let an answer count once, however many come at the same time. Raises: Forbidden."""
        if id in self._spent:
            raise Forbidden(REFUSED)
        self._spent[id] = None
        if len(self._spent) > MOST_SPENT:
            self._spent.popitem(last=False)

    # --- making one ---

    def ask_for_new(self, subject: str, name: str, known: list[str]) -> Asked:
        """Return what a browser needs to make a passkey for a user; `known` are the ids of those they have."""
        # The library and what it needs take longer to load than all the rest of signing in.
        from webauthn import generate_registration_options, options_to_json
        from webauthn.helpers import base64url_to_bytes
        from webauthn.helpers.structs import (
            AuthenticatorSelectionCriteria,
            PublicKeyCredentialDescriptor,
            ResidentKeyRequirement,
            UserVerificationRequirement,
        )

        id = self._issue()
        options = generate_registration_options(
            rp_id=self._host,
            rp_name="Fazt",
            user_name=name,
            user_id=hashlib.sha256(f"fazt {self._host} {name}".encode()).digest(),
            challenge=self._challenge(id, "new", subject),
            timeout=LIFETIME_S * 1000,
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
            ),
            exclude_credentials=[PublicKeyCredentialDescriptor(id=base64url_to_bytes(each)) for each in known],
        )
        return {"id": id, "options": orjson.loads(options_to_json(options))}

    def check_new(self, id: str, subject: str, credential: dict[str, Any]) -> NewPasskey:
        """Return the passkey that a browser has made.

        Raises: Forbidden.
        """
        from webauthn import verify_registration_response
        from webauthn.helpers import bytes_to_base64url

        expected = self._expected(id, "new", subject)
        made = self._checked(verify_registration_response, credential, expected, pem_root_certs_bytes_by_fmt=None)
        self._spend(id)
        return NewPasskey(bytes_to_base64url(made.credential_id), made.credential_public_key, made.sign_count)

    # --- using one ---

    def ask(self) -> Asked:
        """Return what a browser needs to sign in: whichever passkey of this host the user chooses.

        No name is asked for and no passkey is listed, so that nobody learns who has any.
        """
        from webauthn import generate_authentication_options, options_to_json
        from webauthn.helpers.structs import UserVerificationRequirement

        id = self._issue()
        options = generate_authentication_options(
            rp_id=self._host,
            challenge=self._challenge(id, "use", ""),
            timeout=LIFETIME_S * 1000,
            user_verification=UserVerificationRequirement.REQUIRED,
        )
        return {"id": id, "options": orjson.loads(options_to_json(options))}

    def check(self, id: str, credential: dict[str, Any], public_key: bytes, sign_count: int) -> int:
        """Return how often the passkey was used, as its maker counts, where the answer is its own.

        Raises: Forbidden; also where the count goes back: there is a copy of it.
        """
        from webauthn import verify_authentication_response

        expected = self._expected(id, "use", "")
        used = self._checked(
            verify_authentication_response,
            credential,
            expected,
            credential_public_key=public_key,
            credential_current_sign_count=sign_count,
        )
        self._spend(id)
        return int(used.new_sign_count)

    def _checked(self, verify: Callable[..., Any], credential: dict[str, Any], expected: bytes, **more: Any) -> Any:
        """Return what the library says of an answer. Raises: Forbidden, whatever is wrong with it."""
        try:
            return verify(
                credential=credential,
                expected_challenge=expected,
                expected_rp_id=self._host,
                expected_origin=self._origin,
                require_user_verification=True,
                **more,
            )
        except Exception as error:  # the library raises its own kind, and whatever its parsers raise
            raise Forbidden(REFUSED) from error


def first_subject(name: str) -> str:
    """Return what the first passkey of an account that is not there yet is asked for."""
    return f"first {name}"


def credential_id(credential: dict[str, Any]) -> str:
    """Return the id that a browser's answer names.

    Raises: InvalidInput.
    """
    id = credential.get("id")
    if not isinstance(id, str) or not 0 < len(id) <= LONGEST_ID or len(orjson.dumps(credential)) > LONGEST_CREDENTIAL:
        raise InvalidInput("This is no answer of a passkey.")
    return id
