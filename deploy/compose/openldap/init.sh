#!/bin/sh
# init.sh FOLDER: makes passwords, keys and a certificate below FOLDER, in one folder for each who reads them. What is there
# stays.
set -eu
umask 077
cd "$1"
mkdir -p behalf redis ldap
[ ! -e ldap/done ] || exit 0

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
openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj '/CN=The example' -keyout ca.key -out ldap/ca.pem \
    -addext keyUsage=critical,keyCertSign 2>openssl.log
openssl req -new -newkey rsa:2048 -nodes -subj /CN=openldap -keyout ldap/key.pem -out ldap.csr 2>openssl.log
printf '%s\n' 'subjectAltName=DNS:openldap,DNS:localhost' extendedKeyUsage=serverAuth >ldap.ext
openssl x509 -req -in ldap.csr -CA ldap/ca.pem -CAkey ca.key -set_serial 2 -days 3650 -extfile ldap.ext -out ldap/cert.pem 2>openssl.log
rm ca.key ldap.csr ldap.ext openssl.log
cp ldap/ca.pem behalf/ca.pem

if [ "$(id -u)" -eq 0 ]; then
    chown -R 65532:65532 behalf
    chown -R 10389 ldap
    chown -R 999 redis # the user of Redis' image
fi
touch ldap/done
