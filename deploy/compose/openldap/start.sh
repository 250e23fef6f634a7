#!/bin/sh
# Fills the directory where it is empty, then serves it over TLS.
set -eu
here="$(dirname "$0")"
if [ ! -e /var/lib/ldap/data.mdb ]; then
    sed "s/@PASSWORD@/$(cat /secrets/ldap/password)/" "$here/seed.ldif" | slapadd -f "$here/slapd.conf"
fi
exec slapd -d 0 -f "$here/slapd.conf" -h ldaps://:1636/
