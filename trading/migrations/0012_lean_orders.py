"""Nobody looks for an order by the beginning of its id, and two indexes for that made each change of state dearer."""

from typing import ClassVar

from django.db import migrations
from django.db.migrations.operations.base import Operation


class Migration(migrations.Migration):
    dependencies: ClassVar = [("trading", "0011_ownership")]

    operations: ClassVar[list[Operation]] = [
        migrations.RunSQL(
            "DROP INDEX IF EXISTS orders_id_ecea5967_like; DROP INDEX IF EXISTS orders_client_order_id_d083b1e1_like;",
            "CREATE INDEX orders_id_ecea5967_like ON orders (id varchar_pattern_ops);"
            "CREATE INDEX orders_client_order_id_d083b1e1_like ON orders (client_order_id varchar_pattern_ops);",
        ),
    ]
