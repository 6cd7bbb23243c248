"""Addresses people sign in at."""

from django.urls import path

from tenants.sign_in import views

urlpatterns = [
    path("sign-in/", views.SignInView.as_view(), name="sign_in"),
    path("sign-in/tenant/", views.TenantView.as_view(), name="choose_tenant"),
    path("oidc/login/", views.LoginView.as_view(), name="oidc_authentication_init"),
    path("oidc/callback/", views.CallbackView.as_view(), name="oidc_authentication_callback"),
    path("oidc/logout/", views.LogoutView.as_view(), name="oidc_logout"),
]
