#!/bin/sh
# Hands a renewed certificate to towline-signal: certbot calls it, as
#   certbot certonly --deploy-hook /usr/local/lib/towline/renewed.sh ...
# The key is replaced first and both by a rename, so the server never reads half a file; a pair that does not
# belong together is refused by the server, which keeps the one it has until the second file is there.
set -eu
to=${TOWLINE_TLS_DIRECTORY:-/etc/towline/tls}
group=${TOWLINE_TLS_GROUP:-towline-tls}
install -d -m 0750 -g "$group" "$to"
for file in privkey.pem fullchain.pem; do
    install -m 0640 -g "$group" "$RENEWED_LINEAGE/$file" "$to/$file.new"
    mv -f "$to/$file.new" "$to/$file"
done
