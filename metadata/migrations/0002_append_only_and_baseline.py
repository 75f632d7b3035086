from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

from metadata.baseline_aspects import seed_paper_baseline_aspects

APPEND_ONLY = """
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON metadata_aspects
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""


def seed(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    seed_paper_baseline_aspects(apps.get_model("metadata", "Aspect"))


class Migration(migrations.Migration):
    dependencies = [("metadata", "0001_initial"), ("access", "0002_append_only_audit_and_roles")]

    operations = [
        migrations.RunSQL(APPEND_ONLY, "DROP TRIGGER append_only ON metadata_aspects"),
        migrations.RunPython(seed, migrations.RunPython.noop),
    ]
