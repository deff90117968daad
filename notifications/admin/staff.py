"""Staff and roles, in unfold's look; what a role may do is in `notifications.roles`."""

from __future__ import annotations

from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.db.models import QuerySet
from django.http import HttpRequest
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from crm.second_factor.factors import mark_factors, reset_factor

admin.site.unregister(User)
admin.site.unregister(Group)
# A person makes their own; a form for everybody's would hand out the secrets.
admin.site.unregister(TOTPDevice)
admin.site.unregister(StaticDevice)


@admin.register(User)
class StaffAdmin(UserAdmin, ModelAdmin):
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = (
        "username",
        "email",
        "is_active",
        "is_superuser",
        "shown_factor",
        "last_login",
    )
    list_per_page = 50
    actions = ("reset_second_factor",)

    @display(description="Second factor", boolean=True)
    def shown_factor(self, person: User) -> bool:
        return person.has_factor

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return mark_factors(super().get_queryset(request))

    @admin.action(description="Reset second factor", permissions=["change"])
    def reset_second_factor(
        self, request: HttpRequest, queryset: QuerySet[User]
    ) -> None:
        done = sum(reset_factor(person, by=request.user) for person in queryset)
        messages.success(request, f"{done} second factors reset.")


@admin.register(Group)
class RoleAdmin(GroupAdmin, ModelAdmin):
    list_per_page = 50
