from __future__ import annotations

from django.urls import path

from notifications.sandbox import views

app_name = "sandbox"
urlpatterns = [
    path("", views.show_phone, name="phone"),
    path("cards/", views.list_cards, name="cards"),
]
