"""Row-level security on the tables of tenants, and the look-ups that come before it is known whose rows are asked for."""

from django.db import migrations

from tenants.walls.coverage import TENANTS_TABLE
from tenants.walls.policies import lookup, roles, walled


class Migration(migrations.Migration):
    dependencies = [("tenants", "0001_initial")]
    operations = [
        roles(),
        walled(TENANTS_TABLE, by="id"),
        walled("tenants_membership"),
        walled("tenants_apikey"),
        walled("tenants_callbacksecret"),
        walled("tenants_connection"),
        walled("tenants_invitation"),
        walled("tenants_identityprovider"),
        walled("tenants_tenantexport"),
        walled("tenants_exportpart"),
        walled("tenants_keyrequest"),
        walled("tenants_adminmail"),
        walled("tenants_limitoverride"),
        walled("tenants_tenanttrial"),
        walled("tenants_installedlicence"),
        walled("tenants_licencenotice"),
        lookup(
            "tenant_of_api_key",
            takes="wanted text",
            returns="uuid",
            body="select tenant_id from public.tenants_apikey where public_id = wanted",
        ),
        lookup(
            "tenant_of_member",
            takes="wanted uuid",
            returns="uuid",
            body="select tenant_id from public.tenants_membership where id = wanted",
        ),
        lookup(
            "tenant_of_provider",
            takes="wanted uuid",
            returns="uuid",
            body="select tenant_id from public.tenants_identityprovider where id = wanted",
        ),
        lookup(
            "tenants_called",
            takes="wanted text",
            returns="table (id uuid, slug text)",
            body="select id, slug from public.tenants_tenant where upper(slug) = upper(wanted)",
        ),
        lookup(
            "allowed_origins",
            takes="",
            returns="table (origin text)",
            body="select distinct unnest(allowed_origins)::text from public.tenants_tenant where is_active",
        ),
        lookup(
            "active_members",
            takes="wanted uuid[]",
            returns="table (id uuid, role text)",
            body="""
                select member.id, member.role from public.tenants_membership member
                join public.tenants_tenant tenant on tenant.id = member.tenant_id and tenant.is_active
                join public.tenants_user person on person.id = member.user_id and person.is_active
                where member.id = any(wanted) and member.deactivated_at is null
            """,
        ),
    ]
