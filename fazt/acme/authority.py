"""A certificate authority, spoken to by ACME (RFC 8555): an account, an order, its proofs, the certificate.

Blocking: for threads. Rule: loaded when a certificate is ordered, since the library takes longer than a start may.
"""

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from typing import Any, cast

import requests
from acme import challenges, client, crypto_util, errors, messages
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from josepy.b64 import b64encode
from josepy.errors import Error as JoseError
from josepy.jwa import ES256
from josepy.jwk import JWKEC

from fazt import __version__
from fazt.acme.showing import Show
from fazt.errors import OrderFailed

log = logging.getLogger("fazt.acme")
HTTP, TLS, DNS = "http-01", "tls-alpn-01", "dns-01"
TIMEOUT_S = 30
ORDER_S = 180  # for an authority to look at the proofs, and to sign
LONGEST_ERROR = 500
NONCES = 5
_JOINING = threading.Lock()  # a binding may be good for one account: orders beside each other make one


def make_key() -> bytes:
    """Return a new private key (P-256) as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


class _Network(client.ClientNetwork):
    """Tries again where only the nonce was too old (RFC 8555 6.5); the library itself does so once."""

    def post(self, *args: Any, **kwargs: Any) -> requests.Response:
        """Send a signed request."""
        for _ in range(NONCES - 1):
            try:
                return super().post(*args, **kwargs)
            except messages.Error as error:
                if error.code != "badNonce":
                    raise
        return super().post(*args, **kwargs)


class Authority:
    """One authority, with our account there. Raises: OrderFailed, from each call, with what the authority says."""

    def __init__(
        self, directory: str, account_key: bytes, email: str, ca_file: str, binding: tuple[str, str] | None = None
    ) -> None:
        """Reach an authority.

        `ca_file` holds the certificates that it is believed by, empty: those of the system; `binding` is the id and the
        key (base64url) of an account made elsewhere, where the authority wants one (RFC 8555 7.3.4).
        """
        key = serialization.load_pem_private_key(account_key, None)
        agent = f"fazt/{__version__}"
        self._net = _Network(
            JWKEC(key=key), alg=ES256, verify_ssl=cast(bool, ca_file or True), user_agent=agent, timeout=TIMEOUT_S
        )
        self._email = email
        self._binding = binding
        with _told(directory):
            found = client.ClientV2.get_directory(directory, self._net)
            self._client = client.ClientV2(found, self._net)

    def close(self) -> None:
        """End the connections."""
        self._net.session.close()

    def order(self, names: Sequence[str], kinds: Sequence[str], show: Show) -> tuple[bytes, bytes]:
        """Return a certificate for names with those above it, and its new key; proofs are of the first kind offered."""
        with _told(names[0]), ExitStack() as shown:
            with _JOINING:
                self._join()
            key = make_key()
            order = self._client.new_order(crypto_util.make_csr(key, list(names)))
            for each in order.authorizations:
                self._prove(each, kinds, show, shown)
            deadline = datetime.now() + timedelta(seconds=ORDER_S)
            done = self._client.poll_and_finalize(order, deadline)
            return done.fullchain_pem.encode(), key

    def renewal(self, chain: bytes) -> tuple[int | None, int]:
        """Return when a certificate is best renewed, None: the authority does not say; and when to ask again (ms)."""
        with _told("the renewal"):
            at, again = self._client.renewal_time(chain)
        return None if at is None else int(at.timestamp() * 1000), int(again.timestamp() * 1000)

    def _join(self) -> None:
        """Have an account: the one that the key belongs to, else a new one. The owner agreed by setting HTTPS up."""
        about: dict[str, Any] = {"contact": (f"mailto:{self._email}",) if self._email else ()}
        if self._binding is not None:
            if self._is_known():  # a binding may be good for one new account only
                return
            about["external_account_binding"] = self._bound(*self._binding)
        self._account(messages.NewRegistration(terms_of_service_agreed=True, **about))

    def _is_known(self) -> bool:
        """Return whether the key has an account already, and use it."""
        try:
            self._account(messages.NewRegistration(only_return_existing=True))
        except messages.Error as error:
            if error.code == "accountDoesNotExist":
                return False
            raise
        return True

    def _account(self, wanted: messages.NewRegistration) -> None:
        try:
            self._client.new_account(wanted)
        except errors.ConflictError as known:  # RFC 8555 7.3.1: it is there already
            self._net.account = messages.RegistrationResource(uri=known.location, body=messages.Registration())

    def _bound(self, id: str, key: str) -> dict[str, Any]:
        """Return what says that the account belongs to the one with that id."""
        assert self._net.key is not None
        return messages.ExternalAccountBinding.from_data(self._net.key.public_key(), id, key, self._client.directory)

    def _prove(self, wanted: Any, kinds: Sequence[str], show: Show, shown: ExitStack) -> None:
        if wanted.body.status == messages.STATUS_VALID:
            return
        host = wanted.body.identifier.value
        offered = {_kind(each): each for each in wanted.body.challenges}
        kind = next((each for each in kinds if each in offered), None)
        if kind is None:
            raise OrderFailed(
                f"The authority proves {host} by {', '.join(offered)} only, and we do by {', '.join(kinds)}."
            )
        challenge = offered[kind]
        token = challenge.to_partial_json()["token"]
        assert self._net.key is not None
        thumbprint = b64encode(self._net.key.thumbprint()).decode()
        authorization = f"{token}.{thumbprint}"
        shown.enter_context(show(kind, host, token, authorization))
        answer = challenges.KeyAuthorizationChallengeResponse(key_authorization=authorization)
        self._client.answer_challenge(challenge, answer)


def _kind(challenge: Any) -> str:
    kind: str = challenge.to_partial_json()["type"]
    return kind


@contextmanager
def _told(what: str) -> Iterator[None]:
    """Say what went wrong in a sentence."""
    try:
        yield
    except errors.ValidationError as error:
        raise OrderFailed(_shortened(_validation(error))) from error
    except errors.IssuanceError as error:
        raise OrderFailed(_shortened(f"{what}: {error.error.detail or error.error}")) from error
    except messages.Error as error:
        raise OrderFailed(_shortened(f"{what}: the authority says: {error.detail or error.typ}")) from error
    except errors.TimeoutError as error:
        raise OrderFailed(f"{what}: the authority did not come to an end within {ORDER_S} s.") from error
    except (errors.Error, JoseError, OSError, ValueError) as error:  # what `requests` raises is an OSError
        raise OrderFailed(_shortened(f"{what}: the authority cannot be used: {error}")) from error


def _validation(error: errors.ValidationError) -> str:
    said = []
    for failed in error.failed_authzrs:
        host = failed.body.identifier.value
        reasons = [each.error.detail for each in failed.body.challenges if each.error is not None and each.error.detail]
        said.append(f"{host} could not be proven: {'; '.join(reasons) or 'no reason is given'}")
    return ". ".join(said)


def _shortened(text: str) -> str:
    return " ".join(text.split())[:LONGEST_ERROR]
