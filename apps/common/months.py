"""How does a table that is kept by months come to be? Its months are made by `make_month` in the database."""

from typing import Any

from django.db.migrations import CreateModel


class CreateModelByMonth(CreateModel):
    """Create the table of a model, partitioned by a time column."""

    def __init__(self, *args: Any, by: str, **kwargs: Any) -> None:
        self.by = by
        super().__init__(*args, **kwargs)

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        """Create the parent table, and an index for spans of time that costs next to nothing."""
        model = to_state.apps.get_model(app_label, self.name)
        if not self.allow_migrate_model(schema_editor.connection.alias, model):
            return
        table = model._meta.db_table
        statement, parameters = schema_editor.table_sql(model)
        schema_editor.execute(f"{statement} PARTITION BY RANGE ({self.by})", parameters or None)
        schema_editor.execute(f"CREATE INDEX {table}_by_time ON {table} USING brin ({self.by})")
