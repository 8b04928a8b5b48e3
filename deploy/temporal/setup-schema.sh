#!/bin/sh
# Brings Temporal's two databases to the schema of this version of Temporal; safe to run again.
set -eu
SQL_PASSWORD="$(cat /run/secrets/temporal_db_password)"
export SQL_PASSWORD
for database in temporal visibility; do
    name="temporal"
    [ "$database" = "visibility" ] && name="temporal_visibility"
    SQL_DATABASE="$name"
    export SQL_DATABASE
    # version 0.0 is the table of versions itself; where it is there already, the tool refuses and the update goes on
    temporal-sql-tool setup-schema --version 0.0 || echo "$name: the table of versions is there already"
    temporal-sql-tool update-schema --schema-dir "/etc/temporal/schema/postgresql/v12/$database/versioned"
done
