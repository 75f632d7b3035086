"""The second factor: a time-based one-time code (RFC 6238) from the person's own device."""

from __future__ import annotations

import time

import django_otp
import segno
from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest
from django_otp.plugins.otp_totp.models import TOTPDevice

from access import audit
from access.principals import Principal, principal_of
from access.problems import Problem

MAX_AGE_SECONDS = 300
HEADER = "X-OTP"
ACR = "urn:alphaswarm:acr:otp"
_VERIFIED_AT = "second_factor_at"


def fresh(request: HttpRequest) -> bool:
    """Whether this browser session showed a code less than five minutes ago."""
    verified = getattr(request.user, "is_verified", None)
    if verified is None or not verified():
        return False
    age: float = time.time() - request.session.get(_VERIFIED_AT, 0)
    return 0 <= age < MAX_AGE_SECONDS


def demand(request: HttpRequest) -> None:
    """Let a call through that has a fresh second factor: the session's, or a code in the header `X-OTP`.

    Raises Problem: 401 as RFC 9470 says it.
    """
    code = request.headers.get(HEADER, "")
    if verify(request, code) if code else fresh(request):
        return
    challenge = f'Bearer error="insufficient_user_authentication", acr_values="{ACR}", max_age={MAX_AGE_SECONDS}'
    raise Problem(
        401,
        "second_factor_required",
        "This needs a one-time code that is new",
        _advice(principal_of(request), code),
        {"WWW-Authenticate": challenge},
        max_age=MAX_AGE_SECONDS,
    )


def verify(request: HttpRequest, code: str) -> bool:
    """Check a one-time code of the caller's device; in a browser's session it counts for the next five minutes."""
    principal = principal_of(request)
    if principal.user is None:
        return False
    with transaction.atomic():
        device = device_of(principal.user, for_update=True)
        right = device is not None and device.verify_token(code)
        audit.record(principal, "second_factor.verify", f"user:{principal.user.pk}", right=right)
    if right and principal.kind == "session":
        _remember(request, device)
    return right


def device_of(user: User, confirmed: bool = True, for_update: bool = False) -> TOTPDevice | None:
    devices = TOTPDevice.objects.filter(user=user, confirmed=confirmed)
    return (devices.select_for_update() if for_update else devices).first()


@transaction.atomic
def begin(user: User) -> TOTPDevice:
    """A new device that waits for its first code; the one in use stays until then."""
    TOTPDevice.objects.filter(user=user, confirmed=False).delete()
    return TOTPDevice.objects.create(user=user, name="Authenticator", confirmed=False)


def confirm(request: HttpRequest, code: str) -> bool:
    """Take the waiting device into use, if its code is right, in place of the one before."""
    principal = principal_of(request)
    if principal.user is None:
        return False
    with transaction.atomic():
        device = device_of(principal.user, confirmed=False, for_update=True)
        if device is None or not device.verify_token(code):
            return False
        TOTPDevice.objects.filter(user=principal.user, confirmed=True).delete()
        device.confirmed = True
        device.save(update_fields=["confirmed"])
        audit.record(principal, "second_factor.enrol", f"user:{principal.user.pk}")
    _remember(request, device)
    return True


@transaction.atomic
def reset(user: User, *, principal: Principal) -> None:
    """Forget a lost device; the person enrols a new one at /ui/account/."""
    TOTPDevice.objects.filter(user=user).delete()
    audit.record(principal, "second_factor.reset", f"user:{user.pk}")


def secret_of(device: TOTPDevice) -> str:
    """The secret as an authenticator takes it when it is typed: base32 in groups of four."""
    uri: str = device.config_url
    secret = uri.partition("secret=")[2].partition("&")[0]
    return " ".join(secret[start : start + 4] for start in range(0, len(secret), 4))


def qr_of(device: TOTPDevice) -> str:
    """The device's otpauth URI as a QR code, in a `data:` URI for an `<img>`."""
    return str(segno.make(device.config_url, micro=False).svg_data_uri(scale=4, dark="#000", light="#fff"))


def _remember(request: HttpRequest, device: TOTPDevice | None) -> None:
    django_otp.login(request, device)
    request.session[_VERIFIED_AT] = time.time()


def _advice(principal: Principal, code: str) -> str:
    if principal.user is None:
        return "This token has no owner; make one with `alphaswarm token create --owner USERNAME`."
    if device_of(principal.user) is None:
        return f"{principal.user.get_username()} has no second factor yet: enrol one at /ui/account/."
    if code:
        return f"The code in {HEADER} is wrong, was used before, or followed a wrong one too soon: wait for the next."
    return (
        f"Send the code of {principal.user.get_username()}'s device in the header {HEADER}, or verify at /ui/account/."
    )
