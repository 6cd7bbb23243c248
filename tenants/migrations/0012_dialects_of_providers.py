"""Identity providers say how they speak of e-mails and roles."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("tenants", "0011_options_of_connections")]

    operations = [
        migrations.AddField(
            model_name="identityprovider",
            name="emails_verified",
            field=models.BooleanField(
                db_default=False,
                default=False,
                help_text="Its e-mails count as verified where it sends no email_verified, or sends it as a text, as "
                "Entra ID does. Only for a provider whose people cannot choose their e-mail themselves.",
            ),
        ),
        migrations.AddField(
            model_name="identityprovider",
            name="roles_claim",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                help_text="The claim that lists what the role map reads: resource_access.llmteam.roles. Empty: the "
                "one of groups.",
                max_length=100,
            ),
        ),
        migrations.AlterField(
            model_name="identityprovider",
            name="groups_claim",
            field=models.CharField(
                blank=True,
                default="groups",
                help_text="The claim that lists a person's groups; a path has dots: realm_access.roles.",
                max_length=100,
            ),
        ),
    ]
