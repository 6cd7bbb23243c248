"""Addresses people sign in at."""

from django.urls import path

from tenants.sign_in import views
from tenants.sign_in.accounts import pages

urlpatterns = [
    path("sign-in/", views.SignInView.as_view(), name="sign_in"),
    path("sign-in/tenant/", views.TenantView.as_view(), name="choose_tenant"),
    path("sign-in/accounts/", pages.AccountsPage.as_view(), name="accounts"),
    path("sign-in/accounts/link/", pages.LinkPage.as_view(), name="link_account"),
    path("sign-in/accounts/unlink/", pages.UnlinkPage.as_view(), name="unlink_account"),
    path("oidc/login/", views.LoginView.as_view(), name="oidc_authentication_init"),
    path("oidc/callback/", views.CallbackView.as_view(), name="oidc_authentication_callback"),
    path("oidc/logout/", views.LogoutView.as_view(), name="oidc_logout"),
]
