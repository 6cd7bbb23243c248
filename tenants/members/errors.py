"""Errors about members and invitations."""

from kernel.errors import Conflict, Invalid, LimitReached, NotFound


class MemberNotFound(NotFound):
    """The tenant has no such member."""

    code = "MEMBER_NOT_FOUND"
    title = "There is no such member"


class InvitationNotFound(NotFound):
    """The tenant has no such invitation."""

    code = "INVITATION_NOT_FOUND"
    title = "There is no such invitation"


class MemberInvalid(Invalid):
    """The fields of a member are not valid; ``errors`` say where."""

    code = "MEMBER_INVALID"
    title = "The fields of the member are not valid"


class MemberExists(Conflict):
    """Somebody with this e-mail is a member already."""

    code = "MEMBER_EXISTS"
    title = "Somebody with this e-mail is a member already"


class InvitationClosed(Conflict):
    """The invitation was accepted, revoked, or has expired; ``extra.state`` says which."""

    code = "INVITATION_CLOSED"
    title = "The invitation is closed already"


class TooManyInvitations(LimitReached):
    """Too many invitations; ``extra`` says which limit, and when there is room again."""

    code = "INVITATIONS_LIMITED"
    title = "Too many invitations were sent"


class LastAdmin(Conflict):
    """Without this member nobody could look after the tenant."""

    code = "LAST_ADMIN"
    title = "This is the tenant's last active admin"


class ActingMemberRefused(Invalid):
    """A token was asked for a member who is not there, or not active."""

    code = "MEMBER_REFUSED"
    title = "There is no such active member"
