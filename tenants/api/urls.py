"""Routes about who calls and what their tenant has, below /api/v1/."""

from django.urls import path

from tenants.api import key_views, lifecycle_views, views
from tenants.connections.views import ConnectionsView, ConnectionView
from tenants.licences.views import LicenceView, TrialView
from tenants.members import views as members
from tenants.sign_in.accounts import views as accounts

urlpatterns = [
    path("me", views.MeView.as_view(), name="me"),
    path("tenant", views.CallersTenantView.as_view(), name="tenant"),
    path("tenant/suspension", lifecycle_views.SuspensionView.as_view(), name="suspension"),
    path("tenant/deletion", lifecycle_views.DeletionView.as_view(), name="deletion"),
    path("tenant/deletion/confirm", lifecycle_views.ConfirmDeletionView.as_view(), name="confirm_deletion"),
    path("tokens", views.TokensView.as_view(), name="tokens"),
    path("keys", key_views.KeysView.as_view(), name="keys"),
    path("keys/<str:key_id>", key_views.KeyView.as_view(), name="key"),
    path("keys/<str:key_id>/rotate", key_views.RotateKeyView.as_view(), name="rotate_key"),
    path("keys/<str:key_id>/end-old-secret", key_views.OldSecretView.as_view(), name="end_old_secret"),
    path("members", members.MembersView.as_view(), name="members"),
    path("members/<str:member_id>", members.MemberView.as_view(), name="member"),
    path("members/<str:member_id>/deactivate", members.DeactivateMemberView.as_view(), name="deactivate_member"),
    path("members/<str:member_id>/reactivate", members.ReactivateMemberView.as_view(), name="reactivate_member"),
    path("members/<str:member_id>/absence", members.AbsenceView.as_view(), name="absence"),
    path("members/<str:member_id>/accounts", accounts.AccountsView.as_view(), name="member_accounts"),
    path("members/<str:member_id>/accounts/<str:account_id>", accounts.AccountView.as_view(), name="member_account"),
    path("invitations", members.InvitationsView.as_view(), name="invitations"),
    path("invitations/<str:invitation_id>", members.InvitationView.as_view(), name="invitation"),
    path("tenant/licence", LicenceView.as_view(), name="licence"),
    path("tenant/trial", TrialView.as_view(), name="trial"),
    path("connections", ConnectionsView.as_view(), name="connections"),
    path("connections/<str:ref>", ConnectionView.as_view(), name="connection"),
]
