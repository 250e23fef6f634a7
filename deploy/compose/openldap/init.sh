#!/bin/sh
# init.sh FOLDER: makes passwords, keys and a certificate below FOLDER, in one folder for each who reads them. What is there
# stays. Nobody's folder holds what is another's; what passes by on the way is thrown away.
set -eu
umask 077
cd "$1"
mkdir -p behalf redis ldap
[ ! -e ldap/done ] || exit 0
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

openssl rand -hex 24 >behalf/hook-secret
openssl rand -hex 24 >behalf/redis-password
openssl rand -hex 24 >behalf/ldap-password
openssl genpkey -algorithm ed25519 -out behalf/signing-key.pem
cp behalf/ldap-password ldap/password

# What behalf needs of Redis, and no more; a Redis that drops records by itself is refused.
cat >redis/redis.conf <<END
dir /data
appendonly yes
maxmemory-policy noeviction
user default off
user behalf on >$(cat behalf/redis-password) ~behalf:* resetchannels &behalf:*:c +get +mget +set +del +exists +getrange +zadd +zrem +zcard +zrangebylex +xadd +xlen +xrange +xtrim +publish +psubscribe +time +evalsha +script|load +client|setname +info +role +wait
END

# An authority of ten years for one certificate; its key is thrown away.
openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj '/CN=The example' -keyout "$work/ca.key" -out ldap/ca.pem \
    -addext keyUsage=critical,keyCertSign 2>"$work/log"
openssl req -new -newkey rsa:2048 -nodes -subj /CN=openldap -keyout ldap/key.pem -out "$work/csr" 2>"$work/log"
printf '%s\n' 'subjectAltName=DNS:openldap,DNS:localhost' extendedKeyUsage=serverAuth >"$work/ext"
openssl x509 -req -in "$work/csr" -CA ldap/ca.pem -CAkey "$work/ca.key" -set_serial 2 -days 3650 -extfile "$work/ext" \
    -out ldap/cert.pem 2>"$work/log"
cp ldap/ca.pem behalf/ca.pem

if [ "$(id -u)" -eq 0 ]; then
    chown -R 65532:65532 behalf
    chown -R 10389 ldap
    chown -R 999 redis # the user of Redis' image
fi
touch ldap/done
