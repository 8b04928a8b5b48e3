#!/bin/sh
# Makes the secrets of docker-compose.yml in deploy/secrets; never overwrites one that is there.
# Compose hands files on with the owner and mode they have here: passwords are readable by every container's user (the
# folder is closed to others on this machine), the root key by the user of contactsync's containers only.
set -eu
cd "$(dirname "$0")"
umask 077
mkdir -p secrets
for name in codec_token postgres_password owner_db_password worker_db_password codec_db_password \
    temporal_postgres_password temporal_db_password; do
    [ -e "secrets/$name" ] && continue
    od -An -tx1 -N32 /dev/urandom | tr -d ' \n' >"secrets/$name"
    chmod 0444 "secrets/$name"
done

if [ "$(id -u)" = 0 ]; then uid=10001 gid=10001; else uid=$(id -u) gid=$(id -g); fi
if [ ! -e secrets/root_key ]; then
    docker run --rm --network none --read-only --cap-drop ALL --user "$(id -u):$(id -g)" \
        --volume "$PWD/secrets:/secrets" "${CONTACTSYNC_IMAGE:-contactsync:0.1.0}" keys create-root /secrets/root_key
    if [ "$(id -u)" = 0 ]; then chown "$uid:$gid" secrets/root_key; fi
fi
echo "secrets are in $PWD/secrets; keep a copy of root_key somewhere else: without it nothing can be opened"
if [ "$uid" != 10001 ]; then
    echo "put this into .env beside docker-compose.yml: CONTACTSYNC_UID=$uid and CONTACTSYNC_GID=$gid"
fi
