"""JSON that somebody has signed: Ed25519 over the RFC 8785 form of everything but `signature`.

What is read here comes from outside. It is bounded before it is parsed, and means one thing only: a key that stands twice, and a
number that JSON does not know, are refused.
"""

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

SIGNATURE: Final = "signature"
SIGNATURE_BYTES: Final = 64

Document = dict[str, Any]
PublicKey = ed25519.Ed25519PublicKey
PrivateKey = ed25519.Ed25519PrivateKey


class SignatureRefused(Exception):
    """What came is no document, or is not signed by whom it has to be: one sentence."""


class KeyRefused(Exception):
    """A file is not the Ed25519 key that it has to be: one sentence."""


def signed(document: Mapping[str, Any], key: PrivateKey) -> Document:
    """The document with its signature.

    Raises:
        SignatureRefused: it holds what RFC 8785 cannot write: no finite number, one beyond 2^53, half a character.
    """
    bare = {name: value for name, value in document.items() if name != SIGNATURE}
    return {**bare, SIGNATURE: base64.b64encode(key.sign(canonical(bare))).decode("ascii")}


def verified(content: bytes, key: PublicKey, most_bytes: int) -> Document:
    """The document in `content`, without its signature, which is `key`'s.

    Raises:
        SignatureRefused: it is larger than `most_bytes`, no JSON object, ambiguous, or not signed by the key.
    """
    document = parsed(content, most_bytes)
    signature = _signature(document.pop(SIGNATURE, None))
    try:
        key.verify(signature, canonical(document))
    except InvalidSignature:
        raise SignatureRefused("the signature is not of the key that is trusted here") from None
    return document


def canonical(document: Mapping[str, Any]) -> bytes:
    """The RFC 8785 form.

    Raises:
        SignatureRefused: it has none.
    """
    try:
        return rfc8785.dumps(dict(document))
    except (rfc8785.CanonicalizationError, RecursionError, ValueError) as error:
        raise SignatureRefused(f"it has no RFC 8785 form ({str(error) or type(error).__name__})") from error


def parsed(content: bytes, most_bytes: int) -> Document:
    """The JSON object in `content`, of which nothing is believed yet.

    Raises:
        SignatureRefused: it is larger than `most_bytes`, no JSON object, or ambiguous.
    """
    if len(content) > most_bytes:
        raise SignatureRefused(f"it has {len(content)} bytes; allowed are {most_bytes}")
    try:
        document: object = json.loads(content.decode("utf-8"), object_pairs_hook=_each_once, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise SignatureRefused(f"it is no JSON ({str(error) or 'nested too deep'})") from error
    if not isinstance(document, dict):
        raise SignatureRefused("it is no JSON object")
    return document


def public_key(file: Path) -> PublicKey:
    """The public key in a PEM file.

    Raises:
        KeyRefused: it cannot be read, or is another kind of key.
    """
    try:
        key = load_pem_public_key(file.read_bytes())
    except OSError as error:
        raise KeyRefused(f"{file} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise KeyRefused(f"{file} holds no public key in PEM") from error
    if not isinstance(key, PublicKey):
        raise KeyRefused(f"{file} holds no Ed25519 key")
    return key


def private_key(file: Path) -> PrivateKey:
    """The private key in a PEM file without a password.

    Raises:
        KeyRefused: it cannot be read, or is another kind of key.
    """
    try:
        key = load_pem_private_key(file.read_bytes(), password=None)
    except OSError as error:
        raise KeyRefused(f"{file} cannot be read: {error.strerror}") from error
    except (ValueError, TypeError) as error:
        raise KeyRefused(f"{file} holds no private key in PEM without a password") from error
    if not isinstance(key, PrivateKey):
        raise KeyRefused(f"{file} holds no Ed25519 key")
    return key


def _signature(value: object) -> bytes:
    if not isinstance(value, str):
        raise SignatureRefused("it has no signature")
    try:
        signature = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise SignatureRefused("its signature is no base64") from None
    if len(signature) != SIGNATURE_BYTES or base64.b64encode(signature).decode("ascii") != value:
        raise SignatureRefused(f"its signature is not {SIGNATURE_BYTES} bytes in base64")
    return signature


def _each_once(pairs: Sequence[tuple[str, Any]]) -> Document:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return document


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")
