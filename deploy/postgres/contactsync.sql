-- Run once by the image, as the superuser, when the volume is empty. With a PostgreSQL of your own, run it with psql
-- and put the passwords in place of the first three lines. docs/production.md says who is who.
\set owner_password `cat /run/secrets/owner_db_password`
\set worker_password `cat /run/secrets/worker_db_password`
\set codec_password `cat /run/secrets/codec_db_password`

CREATE ROLE contactsync_app NOLOGIN;
CREATE ROLE contactsync_keys NOLOGIN;
CREATE ROLE contactsync_codec NOLOGIN;

CREATE ROLE contactsync_owner LOGIN PASSWORD :'owner_password';
CREATE ROLE contactsync_worker LOGIN PASSWORD :'worker_password' IN ROLE contactsync_app, contactsync_keys;
CREATE ROLE contactsync_codec_server LOGIN PASSWORD :'codec_password' IN ROLE contactsync_codec;

CREATE DATABASE contactsync OWNER contactsync_owner;
REVOKE CONNECT, TEMPORARY ON DATABASE contactsync FROM PUBLIC;
GRANT CONNECT ON DATABASE contactsync TO contactsync_worker, contactsync_codec_server;
