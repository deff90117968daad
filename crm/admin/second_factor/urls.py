"""Under /admin/: sessions and policy of the admin, no model behind."""

from __future__ import annotations

from django.contrib import admin
from django.urls import path

from crm.admin.second_factor import views

app_name = "second_factor"
for_staff = admin.site.admin_view
urlpatterns = [
    path("", for_staff(views.show_home), name="home"),
    path("begin/", for_staff(views.post_begin), name="begin"),
    path("set-up/", for_staff(views.show_setup), name="set_up"),
    path("codes/", for_staff(views.post_codes), name="codes"),
    path("remove/", for_staff(views.post_remove), name="remove"),
    # For whom the admin's own door does not know yet.
    path("verify/", views.show_verify, name="verify"),
    path("leave/", views.post_leave, name="leave"),
]
