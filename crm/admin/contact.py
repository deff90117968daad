"""Contacts: search by prefix, and one page with the whole story."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, path
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe
from unfold.widgets import UnfoldAdminTextInputWidget

from crm.admin.base import BigTableAdmin, StrictJSONField, cut_cell
from crm.admin.contact_erase import RIGHT as ERASE_RIGHT
from crm.admin.contact_erase import do_erase, show_erasure
from crm.admin.contact_merge import do_merge, show_merge
from crm.admin.merge import RIGHT
from crm.models import Contact
from crm.profiles import (
    PersonErased,
    check_may_return,
    diff_traits,
    edit_contact,
    find_contact,
    save_profile,
)
from crm.timeline import read_panels, read_timeline

TRAITS_HELP = (
    "What is known about this person. email, phone, locale and timezone are "
    "copied to their own columns; remove a line to forget it."
)


class ContactForm(forms.ModelForm):
    """Traits only: everything else follows from them or from identifiers."""

    traits = StrictJSONField(required=False, help_text=TRAITS_HELP)

    class Meta:
        model = Contact
        fields: tuple[str, ...] = ("traits",)


class NewContactForm(ContactForm):
    external_id = forms.CharField(
        max_length=255,
        widget=UnfoldAdminTextInputWidget,
        help_text="The id of this person in your own systems.",
    )

    class Meta(ContactForm.Meta):
        fields = ("external_id", "traits")

    def clean_external_id(self) -> str:
        said = self.cleaned_data["external_id"].strip()
        if find_contact(said):
            raise forms.ValidationError("A contact with this id exists.")
        return said

    def clean(self) -> None:
        said = self.cleaned_data
        try:
            check_may_return(said.get("external_id", ""), said.get("traits", {}))
        except PersonErased as refused:
            raise forms.ValidationError(str(refused)) from refused


@admin.register(Contact)
class ContactAdmin(BigTableAdmin):
    form = ContactForm
    list_display = ("shown_name", "shown_email", "external_id", "last_active_at")
    ordering = ("-pk",)
    # Anything here shows the field; `get_search_results` does the search.
    search_fields = ("email",)
    search_help_text = "Beginning of a name, an e-mail, a phone number or an id"
    empty_hint = (
        "Contacts come by themselves with the first identify or track call of your "
        "apps, or one at a time here."
    )

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path(
                "<int:pk>/merge/",
                view(require_safe(partial(show_merge, self))),
                name="crm_contact_merge",
            ),
            path(
                "<int:pk>/merge/now/",
                view(require_POST(do_merge)),
                name="crm_contact_merge_now",
            ),
            path(
                "<int:pk>/erase/",
                view(require_safe(partial(show_erasure, self))),
                name="crm_contact_erase",
            ),
            path(
                "<int:pk>/erase/now/",
                view(require_POST(do_erase)),
                name="crm_contact_erase_now",
            ),
            *super().get_urls(),
        ]

    @admin.display(description="Name")
    def shown_name(self, contact: Contact) -> str:
        return cut_cell(contact.display_name)

    @admin.display(description="E-mail")
    def shown_email(self, contact: Contact) -> str:
        return contact.email

    def get_queryset(self, request: HttpRequest) -> QuerySet[Contact]:
        return Contact.objects.canonical()

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Contact], search_term: str
    ) -> tuple[QuerySet[Contact], bool]:
        return queryset.searched(search_term), False  # type: ignore[attr-defined]

    def get_form(
        self,
        request: HttpRequest,
        obj: Contact | None = None,
        change: bool = False,
        **kwargs: Any,
    ) -> Any:
        kwargs["form"] = ContactForm if obj else NewContactForm
        return super().get_form(request, obj, change=change, **kwargs)

    def get_fields(self, request: HttpRequest, obj: Contact | None = None) -> Any:
        return ("traits",) if obj else ("external_id", "traits")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # Erasure is a deed of its own: it must reach every table.
        return False

    def save_model(
        self, request: HttpRequest, obj: Contact, form: forms.ModelForm, change: bool
    ) -> None:
        traits = form.cleaned_data["traits"]
        now = timezone.now()
        if change:
            said = diff_traits(form.initial["traits"], traits)
            if said:
                edit_contact(obj, traits=said, actor=request.user, at=now)
            return
        made = save_profile(
            external_id=form.cleaned_data["external_id"],
            traits=traits,
            actor=request.user,
            at=now,
        )
        obj.pk = made.pk

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except (PersonErased, Contact.DoesNotExist):
            gone = "Nothing was saved: this person was erased meanwhile."
            self.message_user(request, gone, messages.ERROR)
            return redirect("admin:crm_contact_changelist")

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The page, or to htmx the next piece of its timeline alone."""
        if not object_id.isdecimal() or len(object_id) > 18:
            return super().change_view(request, object_id, form_url, extra_context)
        if not self.has_view_or_change_permission(request):
            return super().change_view(request, object_id, form_url, extra_context)
        contact = Contact.objects.filter(pk=object_id).first()
        if contact is None:
            return super().change_view(request, object_id, form_url, extra_context)
        if contact.canonical_id:
            return redirect("admin:crm_contact_change", contact.canonical_id)
        timeline = read_timeline(contact, before=read_moment(request))
        context = {"contact": contact, "timeline": timeline}
        context["may_merge"] = request.user.has_perm(RIGHT)
        context["may_erase"] = request.user.has_perm(ERASE_RIGHT)
        if request.htmx:  # type: ignore[attr-defined]
            return render(request, "crm/_timeline.html", context)
        context["panels"] = read_panels(contact)
        context["show_save_and_add_another"] = False
        return super().change_view(
            request, object_id, form_url, {**context, **(extra_context or {})}
        )


def read_moment(request: HttpRequest) -> datetime | None:
    """`?before=` of the older pages; a malformed one is a ValueError, thus 400."""
    text = request.GET.get("before")
    if not text:
        return None
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
