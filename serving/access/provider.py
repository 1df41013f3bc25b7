"""Sign-in at an identity provider: OpenID Connect's authorization code flow with PKCE, state and nonce.

The provider says who somebody is; what the person may do is said here, by the roles of the actor to whom an administrator
has linked that identity.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import requests
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from features.errors import Conflict, Forbidden, Invalid, Unauthenticated, Unavailable
from serving.access.repository import token_hash
from serving.access.sessions import Lasting, Method, actor_named, begin, note
from serving.store.engine import Database
from serving.store.session import owner_transaction

WAITING = 10 * 60 * 1_000_000
"""How long (µs) a sign-in that has begun may take."""
_ASYMMETRIC = ["RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA", "Ed25519"]
_SECONDS, _KEPT = 5, 600.0


class ProviderDown(Unavailable):
    """The provider does not answer, or not as a provider does."""

    def __init__(self) -> None:
        super().__init__(
            "the identity provider does not answer.",
            place="YIDAI_OIDC_ISSUER",
            remedy="Try again in a while; the administrator sees the reason in the log.",
        )


class SignInLost(Unauthenticated):
    """What came back belongs to no sign-in that was begun here lately."""

    def __init__(self) -> None:
        super().__init__("this sign-in was not begun here, or took too long.", remedy="Begin again.")


class NotProven(Unauthenticated):
    """The provider refused, or its token does not hold."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"the identity provider's answer does not hold: {problem}.", remedy="Begin again.")


class NotLinked(Forbidden):
    """Somebody whom the provider knows and nobody here has let in."""

    def __init__(self, subject: str) -> None:
        super().__init__(
            f"nobody here is linked to the identity {subject}.",
            remedy="Ask the administrator: `yidai users link NAME --subject ...`.",
        )


class LinkedElsewhere(Conflict):
    """An identity that stands for somebody else."""

    def __init__(self) -> None:
        super().__init__("this identity is linked to somebody already.", remedy="Unlink that person first.")


class InsecureIssuer(Invalid):
    """A provider that would be asked without encryption over a network."""

    def __init__(self, issuer: str) -> None:
        super().__init__(
            f"{issuer} is asked over plain http.", place="YIDAI_OIDC_ISSUER", remedy="Use https."
        )


@dataclass(slots=True)
class Provider:
    """An identity provider, as the settings name it; what it says of itself is read when it is first needed."""

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    redirect: str
    _about: dict[str, Any] = field(default_factory=dict)
    _keys: tuple[float, KeySet] | None = None

    def __post_init__(self) -> None:
        parts = urlsplit(self.issuer)
        if parts.scheme != "https" and parts.hostname not in {"localhost", "127.0.0.1", "::1"}:
            raise InsecureIssuer(self.issuer)

    def reach(self) -> None:
        """Read what it says of itself.

        Raises:
            ProviderDown.
        """
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
            self._said(name)

    def start(self, database: Database, target: str, now: int) -> tuple[str, str]:
        """Where to send the browser, and the secret that must come back in its cookie.

        Raises:
            ProviderDown.
        """
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        with owner_transaction(database) as connection:
            connection.execute("DELETE FROM provider_sign_in WHERE made_at < %s", (now - WAITING,))
            connection.execute(
                "INSERT INTO provider_sign_in VALUES (%s, %s, %s, %s, %s)",
                (token_hash(state), nonce, verifier, target, now),
            )
        url, _ = self._session().create_authorization_url(
            self._said("authorization_endpoint"), state=state, nonce=nonce,
            code_challenge=create_s256_code_challenge(verifier), code_challenge_method="S256",
        )  # fmt: skip
        return url, state

    def finish(
        self, database: Database, returned: str, state: str, agent: str, now: int, lasting: Lasting
    ) -> tuple[str, str]:
        """The secret of a new session, and where the person wanted to go; ``returned`` is the address that was called,
        ``state`` what the browser's cookie holds.

        Raises:
            SignInLost, NotProven, NotLinked, ProviderDown.
        """
        with owner_transaction(database) as connection:
            begun = connection.execute(
                "DELETE FROM provider_sign_in WHERE state_hash = %s RETURNING nonce, verifier, target, made_at",
                (token_hash(state),),
            ).fetchone()
        if begun is None or begun[3] < now - WAITING:
            raise SignInLost
        nonce, verifier, target, _ = begun
        subject = self._proven(returned, state, nonce, verifier)
        with owner_transaction(database) as connection:
            found = connection.execute(
                "SELECT a.tenant_id, a.actor_id FROM linked_identity l JOIN actor a USING (actor_id)"
                " WHERE l.issuer = %s AND l.subject = %s AND a.ended_at IS NULL",
                (self.issuer, subject),
            ).fetchone()
            if found is None:
                raise NotLinked(subject)
            tenant, actor = found
            return begin(connection, tenant, actor, Method.PROVIDER, agent, now, lasting), target

    def _proven(self, returned: str, state: str, nonce: str, verifier: str) -> str:
        """The subject of the identity token, whose signature, issuer, audience, time and nonce hold."""
        said = parse_qs(urlsplit(returned).query).get("iss", [self.issuer])  # RFC 9207
        if said != [self.issuer]:
            raise NotProven("iss")
        try:
            token = self._session(state).fetch_token(
                self._said("token_endpoint"), authorization_response=returned, code_verifier=verifier,
                timeout=_SECONDS,
            )  # fmt: skip
        except requests.RequestException:
            raise ProviderDown from None
        except (AuthlibBaseError, ValueError) as error:
            raise NotProven(type(error).__name__) from None
        try:
            claims = jwt.decode(str(token.get("id_token", "")), self._keyset(), algorithms=_ASYMMETRIC).claims
            rules = jwt.JWTClaimsRegistry(
                now=int(time.time()), leeway=60, iss={"essential": True, "value": self.issuer},
                aud={"essential": True, "value": self.client_id}, nonce={"essential": True, "value": nonce},
                exp={"essential": True}, sub={"essential": True},
            )  # fmt: skip
            rules.validate(claims)
        except (JoseError, ValueError, TypeError, KeyError) as error:
            self._keys = None  # the provider may have changed them
            raise NotProven(type(error).__name__) from None
        return _subject(claims, self.client_id)

    def _session(self, state: str | None = None) -> OAuth2Session:
        return OAuth2Session(
            self.client_id, self.client_secret, scope="openid", redirect_uri=self.redirect, state=state
        )

    def _said(self, name: str) -> str:
        if not self._about:
            self._about = _asked(f"{self.issuer.rstrip('/')}/.well-known/openid-configuration")
            if self._about.get("issuer") != self.issuer:
                self._about = {}
                raise ProviderDown
        address = self._about.get(name)
        if not isinstance(address, str) or (self._secure and urlsplit(address).scheme != "https"):
            raise ProviderDown
        return address

    @property
    def _secure(self) -> bool:
        return self.issuer.startswith("https:")

    def _keyset(self) -> KeySet:
        if self._keys is None or self._keys[0] < time.monotonic():
            keys = KeySet.import_key_set(_asked(self._said("jwks_uri")))  # type: ignore[arg-type]
            self._keys = time.monotonic() + _KEPT, keys
        return self._keys[1]


def link(
    database: Database, tenant: str, name: str, issuer: str, subject: str, now: int, by: UUID | None = None
) -> None:
    """Let a person in by an identity of the provider's; again changes nothing.

    Raises:
        UnknownActor: nobody of that name.
        LinkedElsewhere.
    """
    with owner_transaction(database) as connection:
        actor = actor_named(connection, tenant, name)
        connection.execute(
            "INSERT INTO linked_identity VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
            (issuer, subject, actor, now),
        )
        held = connection.execute(
            "SELECT actor_id FROM linked_identity WHERE issuer = %s AND subject = %s", (issuer, subject)
        ).fetchone()
        if held is None or held[0] != actor:
            raise LinkedElsewhere
        note(connection, tenant, by, "identity.linked", now, str(actor))


def _subject(claims: dict[str, Any], client: str) -> str:
    """Whom a token is about, if it was made for this console alone or says that it was asked for by it."""
    several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
    if claims.get("azp", "" if several else client) != client:
        raise NotProven("azp")
    subject = claims["sub"]
    if not isinstance(subject, str) or not 0 < len(subject) <= 255 or not subject.isprintable():
        raise NotProven("sub")
    return subject


def _asked(url: str) -> dict[str, Any]:
    try:
        answer = requests.get(url, timeout=_SECONDS)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        if not isinstance(found, dict):
            raise ProviderDown
    except (requests.RequestException, ValueError):
        raise ProviderDown from None
    return found
