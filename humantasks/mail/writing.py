"""Mail templates: subject and body; texts of users are data, never templates."""

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string

from foundation.mail_subjects import subject_of
from humantasks.models import Notice

MAX_SUBJECT_LENGTH = 200
OF_A_MACHINE = {"Auto-Submitted": "auto-generated"}
"""Mark of a machine: whoever is away has no answer sent to one (RFC 3834)."""


def write_mail(notice: Notice) -> EmailMultiAlternatives:
    """Write the mail of a notice, which came with its task, tenant and member, who is there.

    The link names the task, never the person: whoever follows it signs in, and decides on the page.
    """
    task = notice.task
    variables = {
        "kind": notice.kind,
        "task": task,
        "tenant": task.tenant.name,
        "url": f"{settings.PUBLIC_URL}/inbox/tasks/{task.id}/",
    }
    address = "" if notice.member is None else notice.member.user.email
    subject = subject_of(render_to_string("mail/subject.txt", variables), most=MAX_SUBJECT_LENGTH)
    text = render_to_string("mail/task.txt", variables)
    message = EmailMultiAlternatives(subject, text, to=[address], headers=OF_A_MACHINE)
    message.attach_alternative(render_to_string("mail/task.html", variables), "text/html")
    return message
