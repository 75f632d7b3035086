"""The pages of the installation."""

from __future__ import annotations

from django.conf import settings as configured
from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from access import actions, second_factor
from access.auth import page
from access.models import ApiToken
from access.principals import Principal, principal_of
from alphaswarm_site.rooms import audit as auditing
from alphaswarm_site.rooms import system as stack
from alphaswarm_site.rooms.display import Display
from alphaswarm_site.rooms.forms import AuditForm, DisplayForm, TokenForm
from alphaswarm_site.rooms.installed import VARIABLES
from trading.engine.errors import InvalidValue
from trading.rendering import asked_again, rendered


@never_cache
@require_GET
@page("read")
def system(request: HttpRequest) -> HttpResponse:
    return rendered("system", request, "system", stack.overview())


@never_cache
@require_GET
@page("admin")
def audit(request: HttpRequest) -> HttpResponse:
    form = AuditForm(request.GET, label_suffix="")
    if not form.is_valid():
        return rendered("audit", request, "audit", {"form": form, "items": []}, status=422)
    try:
        found = auditing.entries(form.wanted(), request.GET.get("after"))
    except InvalidValue as error:
        raise Http404(str(error)) from error
    context = {**found, "form": form, "filtered": form.wanted() != auditing.Wanted()}
    return rendered("audit", request, "audit", context)


@never_cache
@require_GET
@page("admin")
def audit_download(request: HttpRequest) -> HttpResponse:
    form = AuditForm(request.GET, label_suffix="")
    if form.is_valid() and form.wanted().found()[auditing.MOST_ROWS :].exists():
        form.add_error(None, f"No file was written: there are more than {auditing.MOST_ROWS:,} entries, choose days.")
    if not form.is_valid():
        return rendered("audit", request, "audit", {"form": form, "items": []}, status=422)
    headers = {"Content-Disposition": 'attachment; filename="audit.csv"'}
    return HttpResponse(auditing.as_csv(form.wanted()), content_type="text/csv; charset=utf-8", headers=headers)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@page("read")
def settings(request: HttpRequest) -> HttpResponse:
    if request.method != "POST":
        return _settings(request, DisplayForm.showing(Display.of(request)))
    form = DisplayForm(request.POST, label_suffix="")
    if not form.is_valid():
        return _settings(request, form, status=422)
    messages.success(request, "Pages in this browser look so from now on.")
    response = redirect("site:settings")
    form.display().keep(response, secure=configured.HTTPS)
    return response


def _settings(request: HttpRequest, form: DisplayForm, status: int = 200) -> HttpResponse:
    principal = principal_of(request)
    context = {
        "form": form,
        "tokens": tokens_of(principal).order_by("-id")[:100],
        "variables": VARIABLES if principal.may("admin") else None,
    }
    return render(request, "settings/settings.html", context, status=status)


def tokens_of(principal: Principal) -> QuerySet[ApiToken]:
    """Those that the principal may see and revoke: its own, and all for who administers."""
    tokens = ApiToken.objects.select_related("owner")
    return tokens if principal.may("admin") else tokens.filter(owner=principal.user)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@page("read")
def token_new(request: HttpRequest) -> HttpResponse:
    """The secret is in the answer to the form alone, and nowhere else ever."""
    principal = principal_of(request)
    form, secret = TokenForm(request, principal), ""
    if form.is_valid():
        given = form.cleaned_data
        _, secret = actions.create_token(
            given["name"],
            given["scope"],
            principal=principal,
            owner=principal.user,
            expires_days=given["expires_days"],
        )
    device = principal.user and ("code" not in form.fields or second_factor.device_of(principal.user))
    status = 422 if form.is_bound and not secret else 200
    return render(request, "settings/token.html", {"form": form, "secret": secret, "device": device}, status=status)


@require_POST
@page("read")
def token_revoke(request: HttpRequest, token_id: int) -> HttpResponse:
    principal = principal_of(request)
    token = tokens_of(principal).filter(pk=token_id).first()
    if token is None:
        raise Http404(f"you have no token {token_id}")
    if asked := asked_again(request, f"Revoke the token {token.name}?", "Revoke", "site:settings"):
        return asked
    actions.revoke_token(token, principal=principal)
    messages.success(request, f"The token {token.name} is refused from now on.")
    return redirect("site:settings")
