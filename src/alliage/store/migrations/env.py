"""What Alembic runs to migrate: on the connection and in the transaction that `store.migrate` opened."""

from alembic import context

from alliage.store.tables import VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    version_table=VERSION_TABLE,
    transactional_ddl=True,  # SQLite can, Alembic assumes that its driver cannot
)
with context.begin_transaction():
    context.run_migrations()
